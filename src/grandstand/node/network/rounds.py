"""Do one piece of work for everybody who asks for it while the last one is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Rounds:
    """Run `work` so that each call of `run` returns after a whole round that began after the call.

    Two hundred callers at once cost one or two rounds. All callers of a round see its error.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._current: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def run(self) -> None:
        if self._next is None:
            self._next = asyncio.create_task(self._round(self._current))
        await asyncio.shield(self._next)

    async def _round(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait((previous,))
        self._current, self._next = self._next, None
        await self._work()
