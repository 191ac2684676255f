"""What a Pod's log may be asked for; the node reads it, and the API only passes it on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from grandstand.clock import parse_time
from grandstand.errors import BadRequest

from .parameters import flag, whole_number


@dataclass(frozen=True, slots=True)
class LogOptions:
    """`container` "" is the Pod's only one. `since` is wall-clock seconds, `tail` a number of lines."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: float | None = None
    tail: int | None = None
    limit_bytes: int | None = None


class PodLogs(Protocol):
    """Reads the logs of containers."""

    def read(self, namespace: str, name: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield the log in pieces of any size. Raises BadRequest and NotFound with the first piece."""


class NoLogs:
    """For an API server without a node."""

    async def read(self, namespace: str, name: str, options: LogOptions) -> AsyncIterator[bytes]:
        raise BadRequest(f"the log of {namespace}/{name} cannot be read: this API server runs without a node")
        yield b""


def log_options(query: Mapping[str, str], now: float) -> LogOptions:
    """Read the parameters of a log request. Raises BadRequest."""
    since_seconds = whole_number(query, "sinceSeconds", least=1)
    since_time = query.get("sinceTime")
    if since_seconds is not None and since_time:
        raise BadRequest("at most one of sinceTime or sinceSeconds may be specified")
    since = None if since_seconds is None else now - since_seconds
    if since_time:
        try:
            since = parse_time(since_time)
        except ValueError as error:
            raise BadRequest(f"sinceTime is no RFC 3339 time: {error}") from error
    return LogOptions(
        query.get("container", ""),
        flag(query, "follow"),
        flag(query, "previous"),
        flag(query, "timestamps"),
        since,
        whole_number(query, "tailLines"),
        whole_number(query, "limitBytes", least=1),
    )
