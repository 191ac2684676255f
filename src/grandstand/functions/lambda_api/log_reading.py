"""CloudWatch Logs, for reading: DescribeLogGroups, DescribeLogStreams, GetLogEvents, FilterLogEvents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from grandstand.errors import NotFound, ServiceFault
from grandstand.kinds import Object

from .calls import Parts
from .ports import LogEvent, LogQuery, LogStream

_MOST_EVENTS = 10_000
_MOST_STREAMS = 50
T = TypeVar("T")
Read = Callable[[Parts, Object], Awaitable[Object]]


async def groups(parts: Parts, asked: Object) -> Object:
    prefix, pattern = asked.get("logGroupNamePrefix") or "", asked.get("logGroupNamePattern") or ""
    found = [name for name in await parts.logs.groups() if name.startswith(prefix) and pattern in name]
    return {"logGroups": [{"logGroupName": name, "arn": f"{_arn(parts, name)}:*"} for name in found]}


async def streams(parts: Parts, asked: Object) -> Object:
    group, prefix = _group(asked), asked.get("logStreamNamePrefix") or ""
    found = [stream for stream in await _read(parts.logs.streams(group), group) if stream.name.startswith(prefix)]
    if asked.get("orderBy") == "LastEventTime":
        found.sort(key=lambda stream: (stream.last_event or 0, stream.name))
    else:
        found.sort(key=lambda stream: stream.name)
    if asked.get("descending"):
        found.reverse()
    start, limit = _offset(asked), min(asked.get("limit") or _MOST_STREAMS, _MOST_STREAMS)
    shown = {"logStreams": [_stream(parts, group, stream) for stream in found[start : start + limit]]}
    return shown | ({"nextToken": str(start + limit)} if len(found) > start + limit else {})


async def get_events(parts: Parts, asked: Object) -> Object:
    """One stream, in pages forwards and backwards; a page's tokens stay the same at either end, as in AWS."""
    group, stream = _group(asked), asked.get("logStreamName") or ""
    if not any(each.name == stream for each in await _read(parts.logs.streams(group), group)):
        raise ServiceFault("ResourceNotFoundException", "The specified log stream does not exist.", 400)
    found = await _read(parts.logs.events(group, _query(asked, [stream])), group)
    limit = min(asked.get("limit") or _MOST_EVENTS, _MOST_EVENTS)
    direction, at = _position(asked, len(found))
    start, end = (at, min(at + limit, len(found))) if direction == "f" else (max(at - limit, 0), at)
    events = [{"timestamp": e.timestamp, "message": e.message, "ingestionTime": e.ingested} for e in found[start:end]]
    return {"events": events, "nextForwardToken": f"f/{end}", "nextBackwardToken": f"b/{start}"}


def _position(asked: Object, count: int) -> tuple[str, int]:
    direction, _, at = str(asked.get("nextToken") or "").partition("/")
    if direction in ("f", "b") and at.isascii() and at.isdecimal():
        return direction, min(int(at), count)
    if direction:
        raise ServiceFault("InvalidParameterException", "The specified nextToken is invalid.", 400)
    return ("f", 0) if asked.get("startFromHead") else ("b", count)


async def filter_events(parts: Parts, asked: Object) -> Object:
    """Terms of a filter pattern must all be in a message; patterns on JSON or columns are refused."""
    group = _group(asked)
    names = list(asked.get("logStreamNames") or [])
    if prefix := asked.get("logStreamNamePrefix"):
        all_streams = await _read(parts.logs.streams(group), group)
        names = [stream.name for stream in all_streams if stream.name.startswith(prefix)]
        if not names:
            return {"events": [], "searchedLogStreams": []}
    terms = _terms(asked.get("filterPattern") or "")
    found = await _read(parts.logs.events(group, _query(asked, names)), group)
    kept = [event for event in found if all((term in event.message) is wanted for term, wanted in terms)]
    start, limit = _offset(asked), min(asked.get("limit") or _MOST_EVENTS, _MOST_EVENTS)
    shown: Object = {
        "events": [_filtered(event, number + start) for number, event in enumerate(kept[start : start + limit])],
        "searchedLogStreams": [],
    }
    return shown | ({"nextToken": str(start + limit)} if len(kept) > start + limit else {})


def _terms(pattern: str) -> list[tuple[str, bool]]:
    """The terms of a pattern, and whether each must be there: `ERROR -"not this"`."""
    pattern = pattern.strip()
    if pattern.startswith(("{", "[", "%")) or "?" in pattern:
        message = f"Patterns on JSON, columns, regular expressions and alternatives are not supported: {pattern}"
        raise ServiceFault("InvalidParameterException", message, 400)
    pieces = [piece for n, part in enumerate(pattern.split('"')) for piece in ([part] if n % 2 else part.split())]
    terms: list[tuple[str, bool]] = []
    negated = False
    for piece in pieces:
        if piece == "-":
            negated = True
            continue
        wanted = not (negated or piece.startswith("-"))
        terms.append((piece.lstrip("-") if not negated else piece, wanted))
        negated = False
    return terms


READS: dict[str, Read] = {
    "DescribeLogGroups": groups,
    "DescribeLogStreams": streams,
    "GetLogEvents": get_events,
    "FilterLogEvents": filter_events,
}


def _group(asked: Object) -> str:
    name = asked.get("logGroupName") or str(asked.get("logGroupIdentifier") or "").removesuffix(":*").rpartition(":")[2]
    if not name:
        raise ServiceFault("InvalidParameterException", "logGroupName is missing", 400)
    return str(name)


def _query(asked: Object, streams: Sequence[str]) -> LogQuery:
    return LogQuery(tuple(streams), asked.get("startTime"), asked.get("endTime"))


async def _read(reading: Awaitable[Sequence[T]], group: str) -> list[T]:
    try:
        return list(await reading)
    except NotFound:
        raise ServiceFault("ResourceNotFoundException", "The specified log group does not exist.", 400) from None


def _offset(asked: Object) -> int:
    token = str(asked.get("nextToken") or "0")
    if not (token.isascii() and token.isdecimal()):
        raise ServiceFault("InvalidParameterException", "The specified nextToken is invalid.", 400)
    return int(token[:12])


def _arn(parts: Parts, group: str) -> str:
    return f"arn:aws:logs:{parts.settings.region}:{parts.settings.account}:log-group:{group}"


def _stream(parts: Parts, group: str, stream: LogStream) -> Object:
    shown: Object = {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "arn": f"{_arn(parts, group)}:log-stream:{stream.name}",
        "storedBytes": stream.stored_bytes,
    }
    if stream.first_event is not None:
        shown["firstEventTimestamp"] = stream.first_event
    if stream.last_event is not None:
        shown |= {"lastEventTimestamp": stream.last_event, "lastIngestionTime": stream.last_event}
    return shown


def _filtered(event: LogEvent, number: int) -> Object:
    return {
        "logStreamName": event.stream,
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.ingested,
        "eventId": f"{event.timestamp:014d}{number:042d}",
    }
