"""Metering: what pages add to ledgers, whatever breaks off in between, and what a month is read as."""

from __future__ import annotations

import asyncio
import mmap
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.clock import VirtualClock
from grandstand.errors import PlatformError
from grandstand.functions.metering import Counts, Ledger, Metered, Metering, Page, figures
from grandstand.functions.metering import pages as meter_pages
from grandstand.functions.metering.ledger import NOTHING, counted_in
from grandstand.functions.metering.metering import FLUSH_SECONDS
from grandstand.functions.metering.store import load, metering_path, save
from grandstand.functions.runtime.inside.meter import MAGIC, SIZE_BYTES, Meter, read_page

HELLO = Metered("hello", "$LATEST", "x86_64")
OTHER = Metered("other", "1", "arm64")
NOON = 1_795_780_800.0  # 2026-11-27T12:00:00Z
DAY = 86_400.0


def page(instance: str, requests: int, metered: Metered = HELLO) -> Page:
    return Page(instance, metered, Counts(requests, requests * 10, requests * 1280))


def rows(ledger: Ledger) -> dict[str, int]:
    return {metered.function: counts.requests for metered, counts in ledger.rows.items()}


@pytest.mark.parametrize(
    ("counted", "pages", "expected"),
    [
        ({}, [], {}),
        ({}, [page("a", 3)], {"hello": 3}),
        ({"a": page("a", 3).counts}, [page("a", 3)], {}),
        ({"a": page("a", 3).counts}, [page("a", 5)], {"hello": 2}),
        ({}, [page("a", 3), page("b", 4)], {"hello": 7}),
        ({}, [page("a", 3), page("c", 1, OTHER)], {"hello": 3, "other": 1}),
        ({"a": page("a", 9).counts}, [page("a", 0)], {}),
    ],
    ids=["nothing", "first", "again", "more", "two instances", "two functions", "a page that lost its end"],
)
def test_a_ledger_takes_what_was_not_counted_before(
    counted: dict[str, Counts], pages: list[Page], expected: dict[str, int]
) -> None:
    assert rows(Ledger().settled(counted, pages, NOON)) == expected


def test_a_ledger_to_which_nothing_comes_is_the_same() -> None:
    ledger = Ledger().settled({}, [page("a", 3)], NOON)
    assert ledger.settled(ledger.counted, [page("a", 3)], NOON + 1) is ledger


def test_billed_time_and_memory_are_added_as_requests_are() -> None:
    ledger = Ledger().settled({"a": page("a", 1).counts}, [page("a", 3)], NOON)
    assert ledger.rows[HELLO] == Counts(2, 20, 2560)


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 2), st.booleans()), min_size=1, max_size=30
)


@given(STEPS)
def test_over_days_and_restarts_all_is_counted_once(steps: list[tuple[str, int, int, bool]]) -> None:
    done = dict.fromkeys("abc", 0)
    days = {day: Ledger() for day in range(3)}
    counted: dict[str, Counts] = {}
    for instance, more, day, restarted in steps:
        done[instance] += more
        if restarted:
            counted = counted_in(days.values())
        days[day] = days[day].settled(counted, [page(name, count) for name, count in done.items()], NOON)
        counted = counted_in([Ledger(counted=counted), days[day]])
    assert sum(sum(rows(ledger).values()) for ledger in days.values()) == sum(done.values())


class Instance:
    """What the supervisor of a sandbox does with its page."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.file = folder / f"meter-{name}"
        descriptor = os.open(self.file, os.O_CREAT | os.O_RDWR)
        os.ftruncate(descriptor, SIZE_BYTES)
        self.memory = mmap.mmap(descriptor, SIZE_BYTES)
        os.close(descriptor)
        self.meter = Meter(self.memory)

    def serve(self, requests: int, at: float = NOON) -> None:
        self.meter.invocations += requests
        self.meter.billed_ms += requests * 10
        self.meter.mb_ms += requests * 1280
        self.meter.write(1)
        os.utime(self.file, (at, at))


class CountingClock(VirtualClock):
    """Knows how many sleep."""

    sleeping = 0

    async def sleep(self, seconds: float) -> None:
        self.sleeping += 1
        await super().sleep(seconds)
        self.sleeping -= 1


class World:
    """A data directory, its engine's metering, and virtual time."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.root = metering_path(folder)
        self.clock = CountingClock(NOON)
        self.metering = Metering(self.root, self.clock)

    async def restart(self) -> None:
        self.metering = Metering(self.root, self.clock)
        await self.metering.recover()

    def start(self, name: str, metered: Metered = HELLO) -> Instance:
        instance = Instance(self.data, name)
        self.metering.adopt(metered, name, instance.file)
        return instance

    def requests(self, day: str = "2026-11-27") -> dict[str, int]:
        return rows(load(self.root, day))

    def billed(self, month: str = "2026-11") -> dict[tuple[str, str], int]:
        return {(each.day, each.metered.function): each.counts.requests for each in figures(self.data, month).usage}


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    await made.metering.recover()
    return made


async def written(world: World, requests: dict[str, int]) -> None:
    """Wait for the thread that writes, and until the flush it is part of is over."""
    async with asyncio.timeout(10):
        while world.requests() != requests:
            await asyncio.sleep(0)
    await world.metering.ended("nobody")  # one flush at a time: it comes after the other
    await world.clock.settle()


async def test_an_instance_that_has_ended_is_counted_and_its_page_goes(world: World) -> None:
    instance = world.start("a")
    instance.serve(3)
    await world.metering.ended("a")
    assert world.requests() == {"hello": 3}
    assert list(meter_pages.found(world.root / "live")) == []
    await world.restart()
    assert world.requests() == {"hello": 3}


async def test_many_that_end_at_once_are_all_counted(world: World) -> None:
    instances = [world.start(f"i{number}") for number in range(20)]
    for instance in instances:
        instance.serve(2)
    await asyncio.gather(*(world.metering.ended(instance.name) for instance in instances))
    assert world.requests() == {"hello": 40}
    assert list(meter_pages.found(world.root / "live")) == []


async def test_while_it_is_used_it_is_flushed_and_otherwise_nothing_is_written(world: World) -> None:
    instance = world.start("a")
    running = asyncio.create_task(world.metering.run())
    try:
        instance.serve(1)
        await world.clock.advance(FLUSH_SECONDS * 3)
        assert world.requests() == {}  # nobody said that something changed
        world.metering.changed()
        await world.clock.advance(FLUSH_SECONDS)
        await written(world, {"hello": 1})
        instance.serve(1)
        assert world.clock.sleeping == 0  # one change is one flush
        world.metering.changed()
        await world.clock.advance(FLUSH_SECONDS / 2)
        world.metering.changed()
        await world.clock.advance(FLUSH_SECONDS / 2)
        await written(world, {"hello": 2})
        instance.serve(1)
        await world.clock.advance(FLUSH_SECONDS)  # for what came while the first waited
        await written(world, {"hello": 3})
    finally:
        running.cancel()


async def test_an_engine_that_was_killed_loses_nothing_and_counts_nothing_twice(world: World) -> None:
    first, second = world.start("a"), world.start("b", OTHER)
    first.serve(3)
    second.serve(1)
    await world.metering.ended("b")  # writes what `a` has done until now, too
    first.serve(2)
    await world.restart()
    assert world.requests() == {"hello": 5, "other": 1}
    await world.restart()
    assert world.requests() == {"hello": 5, "other": 1}


async def test_a_page_that_was_counted_and_not_removed_adds_nothing(world: World) -> None:
    instance = world.start("a")
    instance.serve(3)
    await world.metering.ended("a")
    world.metering.adopt(HELLO, "a", instance.file)
    await world.restart()
    assert world.requests() == {"hello": 3}


async def test_what_is_found_later_belongs_to_the_day_of_its_last_request(world: World) -> None:
    world.start("a").serve(3)
    await world.clock.advance(2 * DAY)
    await world.restart()
    assert (world.requests("2026-11-27"), world.requests("2026-11-29")) == ({"hello": 3}, {})


async def test_over_midnight_each_day_has_its_own(world: World) -> None:
    instance = world.start("a")
    instance.serve(3)
    world.start("b").serve(0)
    await world.metering.ended("b")
    await world.clock.advance(DAY)
    instance.serve(2, NOON + DAY)
    await world.metering.ended("a")
    assert (world.requests("2026-11-27"), world.requests("2026-11-28")) == ({"hello": 3}, {"hello": 2})


async def test_a_ledger_that_cannot_be_read_stops_nobody_and_is_tried_again(world: World) -> None:
    broken = world.root / "2026-11-27.json"
    broken.write_bytes(b"{")
    instance = world.start("a")
    instance.serve(3)
    await world.metering.ended("a")
    with pytest.raises(PlatformError, match="move it away"):
        figures(world.data, "2026-11")
    broken.unlink()
    await world.metering.ended("a")
    assert world.requests() == {"hello": 3}


async def test_a_month_is_read_with_what_is_not_flushed_yet(world: World) -> None:
    instance = world.start("a")
    instance.serve(3)
    assert world.billed() == {("2026-11-27", "hello"): 3}
    other = world.start("b", OTHER)
    other.serve(1)
    await world.metering.ended("b")
    instance.serve(1)
    assert world.billed() == {("2026-11-27", "hello"): 4, ("2026-11-27", "other"): 1}
    assert world.billed("2026-12") == {}
    assert figures(world.data, "2026-11").newest == NOON


def test_where_nothing_was_metered_there_are_no_figures(tmp_path: Path) -> None:
    read = figures(tmp_path, "2026-11")
    assert (read.usage, read.newest) == ((), None)


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = Ledger().settled({"z": NOTHING}, [page("a", 3), page("c", 1, OTHER)], NOON)
    save(tmp_path, "2026-11-27", ledger)
    assert load(tmp_path, "2026-11-27") == ledger


def test_a_page_whose_writer_was_killed_is_read_as_it_was_left(tmp_path: Path) -> None:
    instance = Instance(tmp_path, "a")
    instance.serve(3)
    instance.memory[8] |= 1
    content = instance.file.read_bytes()
    assert int.from_bytes(content[:8], "little") == MAGIC
    assert read_page(content) is None
    assert meter_pages.read(instance.file, HELLO, "a", abandoned=False) is None
    left = meter_pages.read(instance.file, HELLO, "a", abandoned=True)
    assert left is not None
    assert left.counts == Counts(3, 30, 3840)
