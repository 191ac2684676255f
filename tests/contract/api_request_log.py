"""What a client asked of the API server, and how it was answered: from the server's own log of requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    status: int
    agent: str | None

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")


class RequestLog(logging.Handler):
    """Every request that was answered, in order. A watch is answered when it ends."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen: list[Asked] = []
        self._more = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.args, tuple)
        method, path, status, agent = record.args
        self.seen.append(Asked(str(method), str(path), int(str(status)), None if agent is None else str(agent)))
        self._more.set()

    async def until(self, wanted: Callable[[Asked], bool]) -> None:
        """Wait until something is asked, if it was not already."""
        while not any(wanted(asked) for asked in self.seen):
            self._more.clear()
            await self._more.wait()

    def writes(self, part: str = "") -> list[Asked]:
        return [asked for asked in self.seen if asked.is_write and part in asked.path]

    def refused(self, *expected: int) -> list[Asked]:
        """What was answered with an error other than those that the client reckons with."""
        return [asked for asked in self.seen if asked.status >= 400 and asked.status not in expected]


@contextmanager
def recorded() -> Iterator[RequestLog]:
    log = RequestLog()
    logger = logging.getLogger("grandstand.api.requests")
    before = logger.level
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        logger.removeHandler(log)
        logger.setLevel(before)
