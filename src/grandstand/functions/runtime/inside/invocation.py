"""One invocation: the event that it brings, how its caller is answered, and what the log says of it."""

from __future__ import annotations

import base64
import json

from . import eventstream, http1, shaping
from .binding import Binding
from .connections import Connection
from .faults import Fault
from .http1 import Request
from .invocations import INVOCATION, Step
from .invocations import Invocation as State

PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
_PRELUDE_END = bytes(8)
_LONGEST_PRELUDE = 65_536


class Invocation:
    """`begun` and `deadline` are on the monotonic clock; None before its turn."""

    def __init__(self, number: int, connection: Connection, request: Request, request_id: str) -> None:
        self.number = number
        self.connection = connection
        self.request = request
        self.request_id = request_id
        self.kind = request.header("grandstand-event") or "url"
        self.wants_tail = request.header("x-amz-log-type") == "Tail"
        self.state = State.QUEUED
        self.begun = 0.0
        self.deadline = 0.0
        self.init_ms: float | None = None
        self.used_bytes = 0
        self._prelude: bytearray | None = None
        self._gathered = bytearray()

    def step(self, step: Step) -> None:
        """Raises KeyError for a step that the state does not allow."""
        self.state = INVOCATION[self.state, step]

    def event(self, binding: Binding, now: float) -> bytes:
        if self.kind in ("invoke", "invoke-stream"):
            return self.request.body or b"{}"
        shape = shaping.event_1_0 if self.kind == "http-1.0" else shaping.event_2_0
        return json.dumps(shape(self.request, self.request_id, binding.account_id, now)).encode()

    def meta(self, binding: Binding, now: float, timeout_seconds: float) -> dict[str, object]:
        return {
            "requestId": self.request_id,
            "arn": binding.arn,
            "deadlineMs": int((now + timeout_seconds) * 1000),
            "clientContext": self.request.header("x-amz-client-context"),
            "traceId": self.request.header("x-amzn-trace-id"),
        }

    def succeed(self, result: bytes, version: str, tail: bytes) -> None:
        """The handler has returned."""
        if self.kind == "invoke":
            self._send(200, self._said(version, tail), result)
        elif self.kind == "invoke-stream":
            self._begin_stream(200, [("content-type", eventstream.CONTENT_TYPE), *self._said(version, None)])
            self._chunk(eventstream.payload_chunk(result))
            self._complete(tail)
        else:
            status, headers, body = (shaping.answer_1_0 if self.kind == "http-1.0" else shaping.answer_2_0)(result)
            self._send(status, [*headers, ("x-amzn-requestid", self.request_id)], body)

    def fail(self, fault: Fault, version: str, tail: bytes) -> None:
        """The handler has not. An answer that has begun is broken off, so that nobody takes it for whole."""
        if self.state is State.STREAMING:
            if self.kind == "invoke-stream":
                self._complete(tail, fault)
            else:
                self.connection.closing = True
        elif self.kind == "invoke":
            said = [("x-amz-function-error", "Unhandled"), *self._said(version, tail)]
            self._send(200, said, fault.encoded())
        elif self.kind == "invoke-stream":
            self._begin_stream(200, [("content-type", eventstream.CONTENT_TYPE), *self._said(version, None)])
            self._complete(tail, fault)
        else:
            status, headers, body = shaping.BROKEN
            self._send(status, [*headers, ("x-amzn-requestid", self.request_id)], body)

    def begin_stream(self, content_type: str, version: str) -> None:
        self.step(Step.STREAM)
        if self.kind == "invoke-stream":
            self._begin_stream(200, [("content-type", eventstream.CONTENT_TYPE), *self._said(version, None)])
        elif self.kind != "invoke" and content_type == PRELUDE_TYPE:
            self._prelude = bytearray()
        elif self.kind != "invoke":
            self._begin_stream(200, [("content-type", content_type), ("x-amzn-requestid", self.request_id)])

    def stream(self, piece: bytes) -> None:
        if self.kind == "invoke":
            self._gathered += piece
        elif self.kind == "invoke-stream":
            self._chunk(eventstream.payload_chunk(piece))
        elif self._prelude is not None:
            self._read_prelude(piece)
        else:
            self._chunk(piece)

    def end_stream(self, version: str, tail: bytes) -> None:
        if self.kind == "invoke":
            said = [each for each in self._said(version, tail) if each[0] != "content-type"]
            self._send(200, [("content-type", "application/octet-stream"), *said], bytes(self._gathered))
        elif self.kind == "invoke-stream":
            self._complete(tail)
        elif self._prelude is not None:
            self._send(*shaping.BROKEN)
        else:
            self.connection.send(http1.LAST_CHUNK)

    def _read_prelude(self, piece: bytes) -> None:
        assert self._prelude is not None
        self._prelude += piece
        end = self._prelude.find(_PRELUDE_END)
        if end < 0:
            if len(self._prelude) > _LONGEST_PRELUDE:
                self.connection.closing = True
            return
        try:
            told = json.loads(bytes(self._prelude[:end]))
        except ValueError:
            told = None
        said = {"statusCode": 200, **told} if isinstance(told, dict) else {}
        status, headers, body = (
            shaping.answer_2_0(json.dumps({**said, "body": ""}).encode()) if said else shaping.BROKEN
        )
        if status == shaping.BROKEN[0] and body:
            self.connection.closing = True
            return
        rest, self._prelude = bytes(self._prelude[end + len(_PRELUDE_END) :]), None
        self._begin_stream(status, [*headers, ("x-amzn-requestid", self.request_id)])
        self._chunk(rest)

    def _said(self, version: str, tail: bytes | None) -> list[tuple[str, str]]:
        said = [("content-type", "application/json"), ("x-amz-executed-version", version)]
        said.append(("x-amzn-requestid", self.request_id))
        if tail is not None and self.wants_tail:
            said.append(("x-amz-log-result", base64.b64encode(tail).decode()))
        return said if tail is not None else said[1:]

    def _complete(self, tail: bytes, fault: Fault | None = None) -> None:
        log = tail if self.wants_tail else None
        code, details = ("Unhandled", fault.encoded().decode(errors="replace")) if fault is not None else ("", "")
        self._chunk(eventstream.invoke_complete(code, details, log))
        self.connection.send(http1.LAST_CHUNK)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        keep, only_head = self.request.keep_alive, self.request.method == "HEAD"
        self.connection.send(http1.answer(status, headers, body, keep_alive=keep, only_head=only_head))

    def _begin_stream(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.connection.send(http1.stream_head(status, headers, keep_alive=self.request.keep_alive))

    def _chunk(self, data: bytes) -> None:
        self.connection.send(http1.chunk(data))
