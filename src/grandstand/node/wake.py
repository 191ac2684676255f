"""Wait for something to happen, or for a time to come, by a clock that tests can turn."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from grandstand.clock import Clock

T = TypeVar("T")


class Wake:
    """A bell that one task waits for; rung any number of times before, it rings once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, until: float | None = None) -> bool:
        """Return True when the bell rings, False when it is `until` (wall clock) before that."""
        if until is None:
            await self._rung.wait()
        elif not self._rung.is_set():
            await within(self._clock, until - self._clock.now(), self._rung.wait())
        rung = self._rung.is_set()
        self._rung.clear()
        return rung


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of the work; None, and the work cancelled, when it takes longer."""
    task = asyncio.create_task(work)
    timer = asyncio.create_task(clock.sleep(max(0.0, seconds)))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await cancelled(timer, task)


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and return when they have ended; their errors are theirs."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Deadline:
    """A point in time that can be moved closer while others wait for it: the grace of a Pod that is being deleted."""

    def __init__(self, clock: Clock, at: float) -> None:
        self._clock = clock
        self._at = at
        self._moved = asyncio.Event()

    @property
    def remaining(self) -> float:
        return max(0.0, self._at - self._clock.now())

    def no_later_than(self, at: float) -> None:
        if at < self._at:
            self._at = at
            self._moved.set()

    async def before(self, work: Coroutine[Any, Any, T], *, keep_seconds: float = 0.0) -> T | None:
        """The result of the work; None, and the work cancelled, when less than `keep_seconds` are left."""
        task = asyncio.create_task(work)
        try:
            while not task.done() and self.remaining > keep_seconds:
                self._moved.clear()
                await self._one_of(task, self.remaining - keep_seconds)
            return task.result() if task.done() else None
        finally:
            await cancelled(task)

    async def _one_of(self, task: asyncio.Task[Any], seconds: float) -> None:
        timers = [asyncio.create_task(self._clock.sleep(seconds)), asyncio.create_task(self._moved.wait())]
        try:
            await asyncio.wait({task, *timers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(*timers)
