"""Queue keys for workers: each key once, one worker per key, delays, and back-off per key."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from grandstand.clock import Clock

K = TypeVar("K", bound=Hashable)

FIRST_BACK_OFF_SECONDS = 0.005
LAST_BACK_OFF_SECONDS = 60.0
EARLY_SHARE = 0.1
EARLY_SECONDS = 0.1
"""A key may come early by so much, when another is due: 20 HPAs then wake the engine once a second and not 20 times."""


class WorkQueue(Generic[K]):
    """The keys that have to be looked at. A key added while a worker has it comes again when that is done.

    `run` keeps the delays; everything else works without it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._arrived = asyncio.Semaphore(0)
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._timeline: list[tuple[float, int, K, float]] = []
        self._order = 0
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether no key waits and none is worked on (delayed ones aside)."""
        return not self._waiting and not self._working

    def add(self, key: K) -> None:
        """Have the key looked at as soon as a worker is free."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._put(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have the key looked at after a while; of several delays of one key the shortest counts."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        self._order += 1
        heapq.heappush(self._timeline, (due, self._order, key, due - min(seconds * EARLY_SHARE, EARLY_SECONDS)))
        if self._timeline[0][1] == self._order:
            self._earlier.set()

    def add_failed(self, key: K) -> float:
        """Have the key looked at after its back-off, 5 ms doubling up to a minute; return the seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = back_off(failures)
        self.add_after(key, seconds)
        return seconds

    def succeeded(self, key: K) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Take the next key; call `done` when it has been looked at."""
        await self._arrived.acquire()
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        self._working.discard(key)
        if key in self._dirty:
            self._put(key)

    async def run(self) -> None:
        """Add delayed keys when they are due. Never returns by itself: cancel it."""
        while True:
            self._earlier.clear()
            self._add_due()
            sleeping = asyncio.ensure_future(self._until_due())
            arriving = asyncio.ensure_future(self._earlier.wait())
            try:
                await asyncio.wait((sleeping, arriving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                arriving.cancel()

    def _put(self, key: K) -> None:
        self._waiting.append(key)
        self._arrived.release()

    def _add_due(self) -> None:
        now = self._clock.monotonic()
        if not self._timeline or self._timeline[0][0] > now:
            return
        while self._timeline and self._timeline[0][3] <= now:
            due, _, key, _ = heapq.heappop(self._timeline)
            if self._due.get(key) == due:  # else a shorter delay came later, and is over already
                del self._due[key]
                self.add(key)

    async def _until_due(self) -> None:
        if self._timeline:
            await self._clock.sleep(self._timeline[0][0] - self._clock.monotonic())
        else:
            await self._earlier.wait()


def back_off(failures: int) -> float:
    """Seconds to wait after so many failures in a row, as client-go's default limiter does (at most a minute here)."""
    return float(min(FIRST_BACK_OFF_SECONDS * 2 ** min(failures - 1, 20), LAST_BACK_OFF_SECONDS))
