"""An invoker and logs in memory, for tests of what works through them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from grandstand.errors import NotFound, ServiceFault

from .ports import EVERYTHING, Answer, InvokeKind, LogEvent, LogQuery, LogStream


@dataclass(frozen=True, slots=True)
class Seen:
    """An invocation that came."""

    function: str
    qualifier: str
    payload: bytes
    headers: Mapping[str, str]
    kind: InvokeKind


class FakeInvoker:
    """Answers with what it was given; `fail` names functions that fail, `throttle` those without room."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.fail: set[str] = set()
        self.throttle: set[str] = set()

    async def invoke(
        self, function: str, qualifier: str, payload: bytes, headers: Mapping[str, str], kind: InvokeKind
    ) -> Answer:
        if function in self.throttle:
            fields = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"}
            raise ServiceFault("TooManyRequestsException", "Rate Exceeded.", 429, fields)
        self.seen.append(Seen(function, qualifier, payload, dict(headers), kind))
        if kind in (InvokeKind.EVENT, InvokeKind.DRY_RUN):
            return Answer(202 if kind is InvokeKind.EVENT else 204, {}, _pieces(b""))
        said = {"X-Amz-Executed-Version": qualifier or "$LATEST"}
        if headers.get("x-amz-log-type") == "Tail":
            said["X-Amz-Log-Result"] = base64.b64encode(b"START\nEND\n").decode()
        if function in self.fail:
            said["X-Amz-Function-Error"] = "Unhandled"
            payload = b'{"errorMessage":"failed","errorType":"Exception"}'
        if kind is InvokeKind.STREAM:
            said["Content-Type"] = "application/vnd.amazon.eventstream"
        return Answer(200, said, _pieces(payload or b"null"))


class FakeLogs:
    """Logs that a test writes: group -> events."""

    def __init__(self, events: Mapping[str, Sequence[LogEvent]] | None = None) -> None:
        self.written = dict(events or {})

    async def groups(self) -> Sequence[str]:
        return sorted(self.written)

    async def streams(self, group: str) -> Sequence[LogStream]:
        times: dict[str, list[LogEvent]] = {}
        for event in self._of(group):
            times.setdefault(event.stream, []).append(event)
        return [
            LogStream(
                name, found[0].timestamp, found[0].timestamp, found[-1].timestamp, sum(len(e.message) for e in found)
            )
            for name, found in times.items()
        ]

    async def events(self, group: str, query: LogQuery = EVERYTHING) -> Sequence[LogEvent]:
        return [
            event
            for event in self._of(group)
            if (not query.streams or event.stream in query.streams)
            and (query.start is None or event.timestamp >= query.start)
            and (query.end is None or event.timestamp < query.end)
        ]

    def _of(self, group: str) -> Sequence[LogEvent]:
        if group not in self.written:
            raise NotFound(f"There is no log group {group}.")
        return sorted(self.written[group], key=lambda event: event.timestamp)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1 << 16):
        yield content[start : start + (1 << 16)]
