"""Durable queues in this process: calls are done together, and answered when they are on disk."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from grandstand.clock import Clock
from grandstand.errors import PlatformError

from . import steps
from .database import QueueDatabase, Step
from .ports import MOST_RECEIVED, Counts, Outgoing, Queue, QueueSettings, Received


class DurableQueues:
    """Queues in a file. `open` first, `close` at last, when nobody asks any more.

    The file is read and written in `thread`, which must do one thing at a time.
    """

    def __init__(self, path: Path, clock: Clock, thread: Executor | None = None) -> None:
        self._database = QueueDatabase(path)
        self._clock = clock
        self._thread = thread or ThreadPoolExecutor(1, "queues")
        self._asked: list[tuple[Step, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def open(self) -> None:
        """Raises PlatformError where the file cannot be used."""
        await self._in_thread(self._database.open)

    async def close(self) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._in_thread(self._database.close)
        self._thread.shutdown()

    async def create(self, name: str, settings: QueueSettings, tags: Mapping[str, str] | None = None) -> Queue:
        made: Queue = await self._do(
            partial(steps.create, name=name, settings=settings, tags=tags or {}, now=self._now())
        )
        return made

    async def change(self, name: str, settings: QueueSettings) -> Queue:
        changed: Queue = await self._do(partial(steps.change, name=name, settings=settings, now=self._now()))
        self._wake(name)
        return changed

    async def tag(self, name: str, tags: Mapping[str, str]) -> Queue:
        tagged: Queue = await self._do(partial(steps.tag, name=name, tags=tags))
        return tagged

    async def delete(self, name: str) -> None:
        await self._do(partial(steps.delete, name=name))
        self._wake(name)

    async def get(self, name: str) -> Queue:
        found: Queue = await self._do(partial(steps.find, name=name))
        return found

    async def names(self, prefix: str = "") -> Sequence[str]:
        found: list[str] = await self._do(partial(steps.names, prefix=prefix))
        return found

    async def send(self, name: str, messages: Sequence[Outgoing]) -> Sequence[str]:
        named = [(self._clock.uid(), message) for message in messages]
        sent: list[str] = await self._do(partial(steps.send, name=name, messages=named, now_ms=self._now_ms()))
        self._wake(name)
        return sent

    async def receive(
        self, name: str, most: int = 1, visibility_seconds: int | None = None, wait_seconds: float | None = None
    ) -> Sequence[Received]:
        if wait_seconds is None:
            wait_seconds = (await self.get(name)).settings.wait_seconds
        until, arrived = self._clock.monotonic() + wait_seconds, asyncio.Event()
        self._watchers[name].add(arrived)
        try:
            while True:
                arrived.clear()
                taken = await self._take(name, min(most, MOST_RECEIVED), visibility_seconds)
                left = until - self._clock.monotonic()
                if taken.messages or left <= 0:
                    return taken.messages
                due = left if taken.next_ms is None else (taken.next_ms - self._now_ms()) / 1000
                await self._first(arrived.wait(), self._clock.sleep(max(0.0, min(left, due))))
        finally:
            self._watchers[name].discard(arrived)
            if not self._watchers[name]:
                del self._watchers[name]

    async def settle(self, name: str, receipts: Sequence[str]) -> Sequence[bool]:
        done: list[bool] = await self._do(partial(steps.settle, name=name, receipts=receipts))
        return done

    async def postpone(self, name: str, receipts: Sequence[str], seconds: float) -> Sequence[bool]:
        step = partial(steps.postpone, name=name, receipts=receipts, seconds=seconds, now_ms=self._now_ms())
        done: list[bool] = await self._do(step)
        self._wake(name)
        return done

    async def purge(self, name: str) -> None:
        await self._do(partial(steps.purge, name=name))

    async def counts(self, name: str) -> Counts:
        counted: Counts = await self._do(partial(steps.counts, name=name, now_ms=self._now_ms()))
        return counted

    async def _take(self, name: str, most: int, visibility_seconds: int | None) -> steps.Taken:
        receipts = [self._clock.uid() for _ in range(most)]
        step = partial(
            steps.receive,
            name=name,
            receipts=receipts,
            visibility_seconds=visibility_seconds,
            now_ms=self._now_ms(),
        )
        taken: steps.Taken = await self._do(step)
        if taken.moved_to is not None:
            self._wake(taken.moved_to)
        return taken

    async def _do(self, step: Step) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append((step, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        """Do all that was asked for meanwhile in one transaction, until nothing is left."""
        while self._asked:
            group, self._asked = self._asked, []
            try:
                results = await self._in_thread(self._database.run, [step for step, _ in group])
            except PlatformError as error:
                results = [error] * len(group)
            for (_, answer), result in zip(group, results, strict=True):
                if answer.done():
                    continue  # who asked has gone
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
        self._writing = None

    def _wake(self, name: str) -> None:
        for arrived in self._watchers.get(name, ()):
            arrived.set()

    @staticmethod
    async def _first(*waits: Awaitable[Any]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _now(self) -> float:
        return self._clock.now()

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)
