"""Keep what functions write: by log group and stream, as the files that their sandboxes wrote into.

A file is linked here when its sandbox is bound, so it outlives the sandbox, and costs nothing while it is written.
Below the data directory: `<group, quoted>/<stream, quoted>/a` and `b`, of which the supervisor writes in turn.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from grandstand.errors import NotFound

from .lambda_api.ports import EVERYTHING, LogEvent, LogQuery, LogStream

MOST_STREAMS = 100
"""Of one group; the oldest go."""


class LogStore:
    """The logs of one engine. Implements the `Logs` of Lambda's API."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @staticmethod
    def stream_name(version: str, sandbox: str, now: float) -> str:
        """As Lambda calls them: the day, the version, and something random."""
        return f"{datetime.fromtimestamp(now, UTC):%Y/%m/%d}/[{version}]{sandbox}"

    def adopt(self, group: str, stream: str, sandbox: Path) -> None:
        """Keep the logs of a sandbox, whose files are `log-a` and `log-b`."""
        folder = self._root / quote(group, safe="")
        folder.mkdir(mode=0o700, exist_ok=True)
        known = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime)
        for old in known[: max(len(known) - MOST_STREAMS + 1, 0)]:
            shutil.rmtree(old, ignore_errors=True)
        place = folder / quote(stream, safe="")
        place.mkdir(mode=0o700)
        for half in "ab":
            os.link(sandbox / f"log-{half}", place / half)

    async def groups(self) -> Sequence[str]:
        return sorted(unquote(each.name) for each in self._root.iterdir())

    async def streams(self, group: str) -> Sequence[LogStream]:
        return await asyncio.to_thread(lambda: [_described(each) for each in self._streams(group)])

    async def events(self, group: str, query: LogQuery = EVERYTHING) -> Sequence[LogEvent]:
        return await asyncio.to_thread(self._events, group, query)

    def _events(self, group: str, query: LogQuery) -> Sequence[LogEvent]:
        wanted = (each for each in self._streams(group) if not query.streams or unquote(each.name) in query.streams)
        found = [event for place in wanted for event in _events_of(place) if _asked(event, query)]
        return sorted(found, key=lambda event: event.timestamp)

    def _streams(self, group: str) -> list[Path]:
        folder = self._root / quote(group, safe="")
        if not folder.is_dir():
            raise NotFound(f"There is no log group {group}.")
        return sorted(folder.iterdir())


def _asked(event: LogEvent, query: LogQuery) -> bool:
    early = query.start is not None and event.timestamp < query.start
    return not early and (query.end is None or event.timestamp < query.end)


def _described(place: Path) -> LogStream:
    stats = [(place / half).stat() for half in "ab"]
    events = list(_events_of(place))
    first, last = (events[0].timestamp, events[-1].timestamp) if events else (None, None)
    created = int(place.stat().st_ctime * 1000) if first is None else first
    return LogStream(unquote(place.name), created, first, last, sum(each.st_size for each in stats))


def _events_of(place: Path) -> Iterator[LogEvent]:
    """In the order in which they were written: the half that was begun later comes last."""
    halves = [content for half in "ab" if (content := (place / half).read_bytes())]
    return events_in(b"".join(sorted(halves)), unquote(place.name))


def events_in(content: bytes, stream: str) -> Iterator[LogEvent]:
    """One event a line; pieces of a long line (P) are joined with what follows."""
    pieces: list[str] = []
    for stamp, tag, text in _lines(content):
        pieces.append(text)
        if tag == "F":
            milliseconds = int(datetime.fromisoformat(stamp).timestamp() * 1000)
            yield LogEvent(milliseconds, "".join(pieces) + "\n", stream, milliseconds)
            pieces.clear()


def _lines(content: bytes) -> Iterable[tuple[str, str, str]]:
    for line in content.decode(errors="replace").split("\n"):
        stamp, _, rest = line.partition(" stdout ")
        if rest[:2] in ("F ", "P "):
            yield f"{stamp[:23]}+00:00", rest[0], rest[2:]
