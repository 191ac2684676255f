"""How often HAProxy is looked at, and what becomes of its failures and of workers that are late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from grandstand.clock import VirtualClock
from grandstand.errors import GatewayFailure
from grandstand.gateway.haproxy import Counters, Look
from grandstand.gateway.poller import FAILED_SECONDS, PERIOD_SECONDS, Known, Poller
from grandstand.gateway.traffic import TrafficMeter
from grandstand.kinds import Key

WEB = Key("default", "web")


class FakeProxy:
    """Workers whose requests a test sets; the last of them is the newest. It keeps what it was asked."""

    def __init__(self) -> None:
        self.requests = {1: 0}
        self.in_flight = 0
        self.late: set[int] = set()
        self.asked: list[str] = []

    async def requests_so_far(self) -> tuple[int, int]:
        self.asked.append("so far")
        return max(self.requests), self._of(max(self.requests))

    async def all_counters(self) -> Look:
        self.asked.append("all")
        newest = max(self.requests)
        found = {newest: [self._row(newest)]}
        found |= {worker: [self._row(worker)] for worker in self.requests if worker not in self.late}
        return Look(found, frozenset(self.requests.keys() & self.late))

    def _of(self, worker: int) -> int:
        if worker in self.late:
            raise GatewayFailure("HAProxy does not answer")
        return self.requests[worker]

    def _row(self, worker: int) -> Counters:
        return Counters("web.80", None, "UP", 0, self.in_flight, self._of(worker), 0, 0, 0, 0, 0, 0, 0)


class Polled:
    """A poller that runs in virtual time over a fake HAProxy."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.proxy = FakeProxy()
        self.meter = TrafficMeter(lambda service: 0)
        self.known: Known = ({"web.80": WEB}, {})
        self.poller = Poller(self.proxy, self.meter, lambda: self.known, self.clock)

    async def look(self, count: int = 1) -> list[str]:
        """Let so many looks pass; returns what HAProxy was asked in them."""
        self.proxy.asked.clear()
        await self.clock.advance(count * PERIOD_SECONDS)
        return [*self.proxy.asked]

    @property
    def requests(self) -> int:
        return self.meter.totals[WEB].requests


@pytest.fixture
async def it() -> AsyncIterator[Polled]:
    made = Polled()
    running = asyncio.create_task(made.poller.run())
    await made.clock.settle()
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_while_nothing_moves_only_that_is_asked(it: Polled) -> None:
    assert await it.look(3) == ["so far"] * 3
    it.proxy.requests[1] = 5
    assert await it.look() == ["so far", "all"]
    assert await it.look() == ["so far"]
    assert it.requests == 5


async def test_what_is_in_flight_is_followed_to_its_end(it: Polled) -> None:
    it.proxy.requests[1], it.proxy.in_flight = 1, 1
    assert await it.look(2) == ["so far", "all"] * 2
    it.proxy.in_flight = 0
    assert await it.look(2) == ["so far", "all", "so far"]


async def test_new_names_are_looked_at_with_all_counters(it: Polled) -> None:
    it.known = ({"web.80": Key("default", "renamed")}, {})
    assert await it.look(2) == ["so far", "all", "so far"]


async def test_an_old_worker_that_is_late_is_not_counted_twice(it: Polled) -> None:
    it.proxy.requests = {1: 1010, 2: 0}
    await it.look()
    assert it.requests == 1010
    it.proxy.late, it.proxy.requests = {1}, {1: 1017, 2: 1}
    await it.look()
    it.proxy.late, it.proxy.requests = set(), {1: 1017, 2: 2}
    await it.look()
    assert it.requests == 1017 + 2


async def test_an_old_worker_that_ends_takes_nothing_away(it: Polled) -> None:
    it.proxy.requests = {1: 10, 2: 0}
    await it.look()
    it.proxy.requests = {2: 3}
    await it.look()
    assert it.requests == 13


async def test_while_the_newest_worker_does_not_answer_it_waits_and_counts_on(it: Polled) -> None:
    it.proxy.requests[1] = 10
    await it.look()
    it.proxy.late = {1}
    assert await it.look(1 + round(FAILED_SECONDS / PERIOD_SECONDS)) == ["so far"]
    it.proxy.late, it.proxy.requests = set(), {1: 15}
    await it.look(2)
    assert it.requests == 15
