"""Look at HAProxy's counters again and again: all of them while something moves, else only whether something does.

With 50 backends of 3 servers a whole look takes 1.3 ms, of which HAProxy's share is 0.8 ms; whether anything has moved
takes 0.14 ms.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from grandstand.clock import Clock
from grandstand.errors import GatewayFailure
from grandstand.kinds import Key

from .haproxy import Look, Place
from .traffic import Member, TrafficMeter

log = logging.getLogger(__name__)

PERIOD_SECONDS = 0.1
FAILED_SECONDS = 1.0

Known = tuple[Mapping[str, Key], Mapping[Place, Member]]
"""The Service of each backend, and the Pod of each server; the same object as long as nothing changes."""


class Counting(Protocol):
    """The counters of HAProxy; both questions raise GatewayFailure when it does not answer."""

    async def requests_so_far(self) -> tuple[int, int]: ...

    async def all_counters(self) -> Look: ...


class Poller:
    """`run` feeds a meter; `known` says what HAProxy's names stand for."""

    def __init__(self, proxy: Counting, meter: TrafficMeter, known: Callable[[], Known], clock: Clock) -> None:
        self._proxy = proxy
        self._meter = meter
        self._known = known
        self._clock = clock
        self._moved = (0, 0)
        self._seen: Known | None = None

    async def run(self) -> None:
        """Never returns by itself: cancel it."""
        while True:
            try:
                await self.look()
            except (GatewayFailure, OSError) as error:
                log.debug("%s", error)  # it is being reloaded, or `apply` is about to start it anew
                await self._clock.sleep(FAILED_SECONDS)
            await self._clock.sleep(PERIOD_SECONDS)

    async def look(self) -> None:
        """One look. Raises GatewayFailure when HAProxy does not answer."""
        moved = await self._proxy.requests_so_far()
        known = self._known()
        if moved == self._moved and known is self._seen and not self._meter.busy:
            self._meter.rest(self._clock.now())
            return
        look = await self._proxy.all_counters()
        self._moved, self._seen = moved, known
        self._meter.take(self._clock.now(), look, *known)
