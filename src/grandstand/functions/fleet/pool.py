"""The instances of one version of a function: each serves so many requests at a time, those that wait go in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from grandstand.clock import Clock
from grandstand.errors import GrandstandError

log = logging.getLogger(__name__)

FREEZE_SECONDS = 2.0
"""How long an instance that nobody asks runs on before it is frozen: thawing takes half a millisecond."""
IDLE_SECONDS = 300.0
"""How long it is kept frozen, where the function does not say."""


class Instance(Protocol):
    """One running copy of a version."""

    @property
    def exited(self) -> asyncio.Event:
        """Set when it has ended, whoever ended it."""

    async def freeze(self) -> None:
        """Stop it where it stands. Raises GrandstandError."""

    async def thaw(self) -> None:
        """Let it go on. Raises GrandstandError when it has ended meanwhile."""

    async def end(self) -> None:
        """End it, and remove what it had."""


class Resting:
    """An instance with room for requests."""

    __slots__ = ("busy", "frozen", "instance", "since")

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.busy = 0
        self.frozen = False
        self.since = 0.0


class Pool:
    """`start` makes one more instance; `retire` ends the pool when its last request has been answered."""

    def __init__(
        self,
        start: Callable[[], Awaitable[Instance]],
        clock: Clock,
        *,
        concurrency: int = 1,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._start = start
        self._clock = clock
        self._concurrency = concurrency
        self._idle_seconds = idle_seconds
        self._free: deque[Resting] = deque()
        self._held: dict[Instance, Resting] = {}
        self._waiting: deque[asyncio.Future[Resting]] = deque()
        self._starting = 0
        self._retired = False
        self._sweeping: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._starts: set[asyncio.Task[None]] = set()

    @property
    def instances(self) -> int:
        return len(self._held)

    @property
    def is_empty(self) -> bool:
        return not self._held and not self._starting and not self._tasks

    async def take(self) -> Instance:
        """One with room for a request: `give_back` it. Raises what `start` raises."""
        while (resting := self._rested()) is not None:
            if await self._woken(resting):
                return resting.instance
        waiter: asyncio.Future[Resting] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if self._starting * self._concurrency < len(self._waiting):
            self._starting += 1
            start = self._run(self._add())
            self._starts.add(start)
            start.add_done_callback(self._starts.discard)
        try:
            return (await waiter).instance
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self.give_back(waiter.result().instance)
            raise

    def give_back(self, instance: Instance) -> None:
        """Its request is answered. One that is gone is forgotten."""
        resting = self._held.get(instance)
        if resting is None:
            return
        resting.busy -= 1
        self._offer(resting)

    def retire(self) -> None:
        """Take no more requests of newcomers; end what rests now, and the others when they do."""
        self._retired = True
        while (resting := self._rested(count=False)) is not None:
            self._drop(resting)

    async def close(self) -> None:
        """End all of it now."""
        self.retire()
        for resting in list(self._held.values()):
            self._drop(resting)
        if self._sweeping is not None:
            self._sweeping.cancel()
        for start in self._starts:
            start.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _rested(self, *, count: bool = True) -> Resting | None:
        """The one that was used last: the others may rest on."""
        while self._free:
            resting = self._free.pop()
            if resting.instance.exited.is_set():
                self._drop(resting)
                continue
            if count:
                self._give(resting)
            return resting
        return None

    async def _woken(self, resting: Resting) -> bool:
        if not resting.frozen:
            return True
        try:
            await resting.instance.thaw()
        except (GrandstandError, OSError) as error:
            log.info("an instance does not go on, another one is taken: %s", error)
            self._drop(resting)
            return False
        except BaseException:  # whoever asked has gone: nobody else knows of the instance
            self._drop(resting)
            raise
        resting.frozen = False
        return True

    def _give(self, resting: Resting) -> None:
        resting.busy += 1
        if resting.busy < self._concurrency and not resting.frozen:
            self._free.append(resting)

    def _offer(self, resting: Resting) -> None:
        """Give what an instance has room for to those that wait; else it rests."""
        if resting in self._free:
            self._free.remove(resting)
        if resting.instance.exited.is_set() or (self._retired and not resting.busy and not self._waiting):
            self._drop(resting)
            return
        while self._waiting and resting.busy < self._concurrency:
            waiter = self._waiting.popleft()
            if not waiter.done():
                resting.busy += 1
                waiter.set_result(resting)
        if resting.busy < self._concurrency:
            resting.since = self._clock.monotonic()
            self._free.append(resting)
            if self._sweeping is None or self._sweeping.done():
                self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def _add(self) -> None:
        try:
            instance = await self._start()
        except Exception as error:  # it is the error of those that the instance was for
            self._starting -= 1
            self._refuse(error)
            return
        self._starting -= 1
        resting = self._held[instance] = Resting(instance)
        self._offer(resting)

    def _refuse(self, error: Exception) -> None:
        """Those for whom no other instance is on its way, the oldest first."""
        while len(self._waiting) > self._starting * self._concurrency:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)

    def _drop(self, resting: Resting) -> None:
        self._held.pop(resting.instance, None)
        if resting in self._free:
            self._free.remove(resting)
        self._run(resting.instance.end())

    async def _sweep(self) -> None:
        """Freeze who has rested for a moment, end who has rested for long; ends when nobody rests."""
        while self._free:
            now = self._clock.monotonic()
            for resting in [each for each in self._free if not each.busy]:
                rested = now - resting.since
                if rested >= self._idle_seconds or resting.instance.exited.is_set():
                    self._drop(resting)
                elif rested >= FREEZE_SECONDS and not resting.frozen:
                    await self._freeze(resting)
            due = [
                each.since + (self._idle_seconds if each.frozen else min(FREEZE_SECONDS, self._idle_seconds))
                for each in self._free
                if not each.busy
            ]
            if not due:
                return
            await self._clock.sleep(max(min(due) - self._clock.monotonic(), 0.01))

    async def _freeze(self, resting: Resting) -> None:
        self._free.remove(resting)  # nobody may take it meanwhile
        try:
            await resting.instance.freeze()
        except (GrandstandError, OSError) as error:
            log.info("an instance cannot be frozen, and is ended: %s", error)
            self._drop(resting)
            return
        resting.frozen = True
        if self._waiting or self._retired:
            if await self._woken(resting):
                self._offer(resting)
        else:
            self._free.appendleft(resting)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
