"""The pool of a version's instances: who serves whom, and when they rest and go, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from grandstand.clock import VirtualClock
from grandstand.errors import SandboxFailure
from grandstand.functions.fleet.pool import FREEZE_SECONDS, Pool


class FakeInstance:
    def __init__(self) -> None:
        self.exited = asyncio.Event()
        self.did: list[str] = []
        self.thaws = True
        self.thawing: asyncio.Event | None = None

    async def freeze(self) -> None:
        self.did.append("freeze")

    async def thaw(self) -> None:
        if not self.thaws:
            raise SandboxFailure("it has ended")
        if self.thawing is not None:
            await self.thawing.wait()
        self.did.append("thaw")

    async def end(self) -> None:
        self.did.append("end")
        self.exited.set()


class Starts:
    """Starts instances when it is told to."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[FakeInstance]] = []

    async def __call__(self) -> FakeInstance:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    async def one(self, clock: VirtualClock) -> FakeInstance:
        instance = FakeInstance()
        next(each for each in self.asked if not each.done()).set_result(instance)
        await clock.settle()
        return instance


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
async def pool(starts: Starts, clock: VirtualClock) -> AsyncIterator[Pool]:
    pool = Pool(starts, clock, idle_seconds=60)
    yield pool
    await pool.close()


async def taking(pool: Pool, clock: VirtualClock) -> asyncio.Task[FakeInstance]:
    task: asyncio.Task[FakeInstance] = asyncio.create_task(pool.take())  # type: ignore[arg-type]
    await clock.settle()
    return task


async def test_each_request_of_a_burst_gets_an_instance_of_its_own(
    pool: Pool, starts: Starts, clock: VirtualClock
) -> None:
    burst = [await taking(pool, clock) for _ in range(3)]
    assert len(starts.asked) == 3
    made = [await starts.one(clock) for _ in range(3)]
    assert [each.result() for each in burst] == made


async def test_who_waits_gets_what_is_given_back_first(pool: Pool, starts: Starts, clock: VirtualClock) -> None:
    first, second = await taking(pool, clock), await taking(pool, clock)
    instance = await starts.one(clock)
    assert first.result() is instance
    assert not second.done()
    pool.give_back(instance)
    await clock.settle()
    assert second.result() is instance


async def test_the_one_that_was_used_last_is_taken(pool: Pool, starts: Starts, clock: VirtualClock) -> None:
    tasks = [await taking(pool, clock) for _ in range(2)]
    older, newer = [await starts.one(clock) for _ in range(2)]
    assert [task.result() for task in tasks] == [older, newer]
    pool.give_back(newer)
    pool.give_back(older)
    assert await pool.take() is older


async def test_concurrency_shares_an_instance(starts: Starts, clock: VirtualClock) -> None:
    pool = Pool(starts, clock, concurrency=2)
    tasks = [await taking(pool, clock) for _ in range(3)]
    assert len(starts.asked) == 2
    instance = await starts.one(clock)
    assert [task.done() for task in tasks] == [True, True, False]
    pool.give_back(instance)
    await clock.settle()
    assert tasks[2].result() is instance
    (await starts.one(clock)).exited.set()
    await pool.close()


async def test_an_idle_instance_is_frozen_thawed_and_ended(pool: Pool, starts: Starts, clock: VirtualClock) -> None:
    task = await taking(pool, clock)
    instance = await starts.one(clock)
    pool.give_back(task.result())
    await clock.advance(FREEZE_SECONDS)
    assert instance.did == ["freeze"]
    assert await pool.take() is instance
    assert instance.did == ["freeze", "thaw"]
    await clock.advance(600)
    assert instance.did == ["freeze", "thaw"]
    pool.give_back(instance)
    await clock.advance(59)
    assert instance.did[-1] == "freeze"
    await clock.advance(2)
    assert instance.did[-1] == "end"
    assert pool.is_empty


async def test_one_that_does_not_thaw_is_replaced(pool: Pool, starts: Starts, clock: VirtualClock) -> None:
    task = await taking(pool, clock)
    instance = await starts.one(clock)
    pool.give_back(task.result())
    await clock.advance(FREEZE_SECONDS)
    instance.thaws = False
    again = await taking(pool, clock)
    other = await starts.one(clock)
    assert again.result() is other
    assert instance.did[-1] == "end"


async def test_one_that_has_exited_is_not_given(pool: Pool, starts: Starts, clock: VirtualClock) -> None:
    task = await taking(pool, clock)
    instance = await starts.one(clock)
    pool.give_back(task.result())
    instance.exited.set()
    again = await taking(pool, clock)
    other = await starts.one(clock)
    assert again.result() is other


async def test_a_start_that_fails_is_one_requests_error(pool: Pool, starts: Starts, clock: VirtualClock) -> None:
    first, second = await taking(pool, clock), await taking(pool, clock)
    starts.asked[0].set_exception(SandboxFailure("no memory"))
    await clock.settle()
    with pytest.raises(SandboxFailure, match="no memory"):
        first.result()
    instance = await starts.one(clock)
    assert second.result() is instance


async def test_a_start_that_fails_is_told_to_all_whom_no_other_start_is_for(
    starts: Starts, clock: VirtualClock
) -> None:
    pool = Pool(starts, clock, concurrency=2)
    tasks = [await taking(pool, clock) for _ in range(2)]
    assert len(starts.asked) == 1
    starts.asked[0].set_exception(SandboxFailure("no memory"))
    await clock.settle()
    for task in tasks:
        with pytest.raises(SandboxFailure, match="no memory"):
            task.result()


async def test_who_goes_away_while_an_instance_thaws_leaves_nothing_behind(
    pool: Pool, starts: Starts, clock: VirtualClock
) -> None:
    task = await taking(pool, clock)
    instance = await starts.one(clock)
    pool.give_back(task.result())
    await clock.advance(FREEZE_SECONDS)
    instance.thawing = asyncio.Event()
    leaving = await taking(pool, clock)
    leaving.cancel()
    await clock.settle()
    assert instance.did[-1] == "end"
    assert pool.is_empty


async def test_who_has_gone_is_no_reason_for_another_start(pool: Pool, starts: Starts, clock: VirtualClock) -> None:
    gone = await taking(pool, clock)
    gone.cancel()
    await clock.settle()
    staying = await taking(pool, clock)
    assert len(starts.asked) == 1
    instance = await starts.one(clock)
    assert staying.result() is instance


async def test_who_goes_away_while_waiting_leaves_the_instance_to_others(
    pool: Pool, starts: Starts, clock: VirtualClock
) -> None:
    first = await taking(pool, clock)
    first.cancel()
    await clock.settle()
    instance = await starts.one(clock)
    assert await pool.take() is instance
    assert len(starts.asked) == 1


async def test_a_retired_pool_ends_what_rests_at_once_and_others_after_their_request(
    pool: Pool, starts: Starts, clock: VirtualClock
) -> None:
    tasks = [await taking(pool, clock) for _ in range(2)]
    resting, busy = [await starts.one(clock) for _ in range(2)]
    pool.give_back(tasks[0].result())
    pool.retire()
    await clock.settle()
    assert (resting.did, busy.did) == (["end"], [])
    pool.give_back(busy)
    await clock.settle()
    assert busy.did == ["end"]
    assert pool.is_empty
