"""The work queue: each key once, one worker per key, delays and back-off, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from grandstand.clock import VirtualClock
from grandstand.reconcile.queue import WorkQueue, back_off


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def queue(clock: VirtualClock) -> AsyncIterator[WorkQueue[str]]:
    queue: WorkQueue[str] = WorkQueue(clock)
    running = asyncio.create_task(queue.run())
    yield queue
    running.cancel()


async def test_a_key_waits_once(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "a"):
        queue.add(key)
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_a_key_that_is_worked_on_comes_again_afterwards(queue: WorkQueue[str]) -> None:
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert len(queue) == 1
    assert not queue.idle


async def test_a_finished_key_does_not_come_again(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.done(await queue.get())
    assert queue.idle


async def test_delays_end_in_their_order(queue: WorkQueue[str], clock: VirtualClock) -> None:
    queue.add_after("late", 20)
    queue.add_after("soon", 10)
    await clock.advance(9.9)
    assert len(queue) == 0
    await clock.advance(0.2)
    assert await queue.get() == "soon"
    await clock.advance(10)
    assert await queue.get() == "late"


async def test_of_several_delays_the_shortest_counts(queue: WorkQueue[str], clock: VirtualClock) -> None:
    queue.add_after("a", 20)
    queue.add_after("a", 5)
    queue.add_after("a", 30)
    await clock.advance(5)
    queue.done(await queue.get())
    await clock.advance(60)
    assert queue.idle


async def test_no_delay_is_at_once(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0)
    assert len(queue) == 1


async def test_failures_back_off_and_success_forgets_them(queue: WorkQueue[str]) -> None:
    assert [queue.add_failed("a") for _ in range(3)] == [0.005, 0.01, 0.02]
    assert queue.add_failed("b") == 0.005
    queue.succeeded("a")
    assert queue.add_failed("a") == 0.005


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.005), (2, 0.01), (14, 40.96), (15, 60.0), (5000, 60.0)])
def test_back_off(failures: int, seconds: float) -> None:
    assert back_off(failures) == pytest.approx(seconds)


async def test_keys_that_are_nearly_due_come_with_one_that_is(queue: WorkQueue[str], clock: VirtualClock) -> None:
    queue.add_after("a", 1.0)
    await clock.advance(0.05)
    queue.add_after("b", 1.0)
    await clock.advance(0.05)
    queue.add_after("alone", 1.2)
    await clock.advance(0.89)
    assert len(queue) == 0
    await clock.advance(0.01)
    assert len(queue) == 2
    await clock.advance(0.25)
    assert len(queue) == 2
    await clock.advance(0.05)
    assert len(queue) == 3
