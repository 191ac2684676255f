"""Read what an API server answers: errors, watch lines, warnings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from grandstand import errors
from grandstand.errors import Cause, GrandstandError
from grandstand.kinds import Object

from . import EventType, WatchEvent

_decode = msgspec.json.decode

BY_REASON: dict[str, type[GrandstandError]] = {
    **{
        kind.reason: kind
        for kind in (
            errors.BadRequest,
            errors.Unauthorized,
            errors.Forbidden,
            errors.NotFound,
            errors.MethodNotAllowed,
            errors.NotAcceptable,
            errors.AlreadyExists,
            errors.Conflict,
            errors.Expired,
            errors.TooLarge,
            errors.UnsupportedMediaType,
            errors.Invalid,
            errors.TooManyRequests,
            errors.Unavailable,
        )
    },
    "Gone": errors.Expired,
    "Timeout": errors.Unavailable,
    "ServerTimeout": errors.Unavailable,
}
BY_CODE: dict[int, type[GrandstandError]] = {
    **{kind.code: kind for kind in BY_REASON.values()},
    409: errors.Conflict,
    502: errors.Unavailable,
    504: errors.Unavailable,
}

WARNING = re.compile(r'\b299 \S+ "((?:[^"\\]|\\.)*)"')


def error_of(code: int, body: bytes, request: str) -> GrandstandError:
    """The error that an answer of a code from 400 on stands for; `request` says what was asked, for the message."""
    try:
        status = _decode(body)
    except msgspec.DecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return error_of_status({"code": code, **status})
    text = " ".join(body[:300].decode(errors="replace").split()) or "an empty body"
    kind = BY_CODE.get(code, _kind_by_hundred(code))
    return kind(f"{request} was answered with HTTP {code} and no Kubernetes Status, but: {text}")


def error_of_status(status: Object) -> GrandstandError:
    """The error that a `Status` object stands for: by its reason, or where we have none of that, by its code."""
    code = int(status.get("code") or 500)
    reason = status.get("reason", "")
    kind = BY_REASON.get(reason) or BY_CODE.get(code) or _kind_by_hundred(code)
    message = status.get("message") or reason or None
    if kind in (errors.Conflict, errors.Invalid):
        causes = (status.get("details") or {}).get("causes") or ()
        return kind(message, tuple(_cause(cause) for cause in causes))
    return kind(message)


def _kind_by_hundred(code: int) -> type[GrandstandError]:
    return errors.CallerError if code < 500 else errors.PlatformError


def _cause(cause: Object) -> Cause:
    return Cause(cause.get("reason", ""), cause.get("message", ""), cause.get("field", ""))


def event_of(line: bytes) -> WatchEvent:
    """The event of a line of a watch. Raises what an ERROR event stands for, PeerError where the line is no event."""
    try:
        event: Any = _decode(line)
        kind, obj = event["type"], event["object"]
        if kind != "ERROR":
            return WatchEvent(EventType(kind), obj)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.PeerError(f"the API server sent a watch event that is none: {line[:200]!r} ({error})") from error
    raise error_of_status(obj)


class Lines:
    """Cut a stream of chunks into lines of any length."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without empty ones."""
        first, *rest = chunk.split(b"\n")
        self._parts.append(first)
        if not rest:
            return []
        lines = [b"".join(self._parts), *rest[:-1]]
        self._parts = [rest[-1]]
        return [line for line in lines if line.strip()]


def warnings_of(headers: Iterable[str]) -> list[str]:
    """The texts of `Warning` headers."""
    return [re.sub(r"\\(.)", r"\1", text) for header in headers for text in WARNING.findall(header)]
