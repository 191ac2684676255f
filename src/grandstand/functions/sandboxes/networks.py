"""Network namespaces for sandboxes, made ahead, each with an address and egress like a Pod's."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from grandstand.clock import Clock
from grandstand.errors import GrandstandError
from grandstand.node.network import Network, Sandbox, SandboxSpec

from .binding import spares_to_start

log = logging.getLogger(__name__)

_PREFIX = "function-"
_AT_ONCE = 2


class Networks:
    """One namespace serves one sandbox and is then removed: what a function leaves in it is nobody else's."""

    def __init__(self, network: Network, clock: Clock, *, ahead: int) -> None:
        self._network = network
        self._clock = clock
        self._ahead = ahead
        self._ready: deque[Sandbox] = deque()
        self._making: set[asyncio.Task[None]] = set()
        self._closed = False

    async def recover(self) -> None:
        """Remove what a former engine left."""
        for uid in [uid for uid in self._network.sandboxes() if uid.startswith(_PREFIX)]:
            await self._network.remove(uid)

    async def take(self) -> Sandbox:
        """One that is ready, else a new one. Raises AddressesExhausted, NetworkFailure."""
        taken = self._ready.popleft() if self._ready else None
        self.refill()
        return taken or await self._make()

    async def give_back(self, sandbox: Sandbox) -> None:
        await self._network.remove(sandbox.pod_uid)

    def refill(self) -> None:
        missing = spares_to_start(
            wanted=self._ahead, ready=len(self._ready), starting=len(self._making), at_once=_AT_ONCE
        )
        for _ in range(0 if self._closed else missing):
            task = asyncio.create_task(self._make_ahead())
            self._making.add(task)
            task.add_done_callback(self._made)

    async def close(self) -> None:
        """Remove what nobody uses."""
        self._closed = True
        if self._making:
            await asyncio.wait(self._making)
        while self._ready:
            await self._network.remove(self._ready.popleft().pod_uid)

    async def _make(self) -> Sandbox:
        name = self._clock.suffix(10)
        return await self._network.create(SandboxSpec(f"{_PREFIX}{name}", name))

    async def _make_ahead(self) -> None:
        self._ready.append(await self._make())

    def _made(self, task: asyncio.Task[None]) -> None:
        self._making.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self.refill()
        elif isinstance(error, GrandstandError):
            # Who takes one meets the same error, and hears of it.
            log.warning("a network for a function's sandbox cannot be made ahead: %s", error)
        else:
            log.error("a network for a function's sandbox cannot be made ahead", exc_info=error)
