"""What Lambda's API needs of others: who runs functions, and who keeps their logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class InvokeKind(StrEnum):
    """Words of AWS's X-Amz-Invocation-Type, and one for answers that are streamed."""

    REQUEST_RESPONSE = "RequestResponse"
    EVENT = "Event"
    DRY_RUN = "DryRun"
    STREAM = "ResponseStream"


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back of an invocation: for the first three kinds as Invoke answers, else as eventstream frames."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


class Invoker(Protocol):
    """Runs functions. Raises ServiceFault for what AWS answers with an error, e.g. TooManyRequestsException."""

    async def invoke(
        self, function: str, qualifier: str, payload: bytes, headers: Mapping[str, str], kind: InvokeKind
    ) -> Answer:
        """`function` is Lambda's name of it, which exists; `qualifier` "" means $LATEST.

        `headers` are those of the request that concern the function, by lower-case name: x-amz-log-type,
        x-amz-client-context. An Event is accepted (and durable) when this returns.
        """


@dataclass(frozen=True, slots=True)
class LogStream:
    """Times in milliseconds since the epoch; None while nothing was written."""

    name: str
    created: int
    first_event: int | None = None
    last_event: int | None = None
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LogEvent:
    timestamp: int
    message: str
    stream: str
    ingested: int


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which events are meant: streams ((): all), and a span of milliseconds, the end excluded."""

    streams: Sequence[str] = ()
    start: int | None = None
    end: int | None = None


EVERYTHING = LogQuery()


class Logs(Protocol):
    """Reads what functions have written. Groups that are not there raise NotFound."""

    async def groups(self) -> Sequence[str]: ...

    async def streams(self, group: str) -> Sequence[LogStream]: ...

    async def events(self, group: str, query: LogQuery = EVERYTHING) -> Sequence[LogEvent]:
        """In the order of their times."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one engine's Lambda API says of itself.

    `loopback`: whether the port can be reached from this machine only; then code may come from a path.
    `url_authority` is where function URLs live: below it every function has a name.
    """

    namespace: str = "default"
    region: str = "us-east-1"
    account: str = "000000000000"
    loopback: bool = False
    url_authority: str = "lambda-url.localhost:8080"
    unserved: Mapping[str, str] = field(default_factory=dict)
    """Operations whose settings nobody acts on: they are refused with these reasons instead of kept in vain."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Who is let in: `secrets` by access key id. Where `required` is false (loopback only), nothing is checked."""

    secrets: Mapping[str, str] = field(repr=False)
    required: bool = True
