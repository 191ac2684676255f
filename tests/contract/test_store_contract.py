"""What the store promises to the API server, with and without a database."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from grandstand.api.store import Change, Database, Store, Stored, StoreKey
from grandstand.api.store.records import stamp
from grandstand.client import EventType
from grandstand.errors import Conflict, Expired, PlatformError, Unavailable
from grandstand.kinds import Object
from grandstand.sqlite_files import connect

A = StoreKey("pods", "default", "a")
B = StoreKey("pods", "default", "b")


def count(before: Object | None) -> Object:
    return {"metadata": {"name": "a"}, "count": before["count"] + 1 if before else 1}


def put(value: object) -> Callable[[Object | None], Object]:
    return lambda before: {"metadata": {"name": "x"}, "value": value}


def gone(before: Object | None) -> None:
    return None


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(params=["memory", "database"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    path = tmp_path / "store.sqlite3" if request.param == "database" else None
    async with opened(Store(path, history=100)) as store:
        yield store


async def test_a_write_is_seen_when_it_returns(store: Store) -> None:
    first = await store.write(A, put(1))
    assert first is not None
    assert first.object == {"metadata": {"name": "x", "resourceVersion": "1"}, "value": 1}
    assert json.loads(first.encoded) == first.object
    assert store.get(A) == first
    assert store.revision == first.revision == 1
    assert store.list("pods") == ([first], 1)
    assert store.list("pods", "elsewhere") == ([], 1)


async def test_a_deletion_gives_the_last_state_with_its_own_revision(store: Store) -> None:
    await store.write(A, put(1))
    deleted = await store.write(A, gone)
    assert deleted is not None
    assert deleted.object == {"metadata": {"name": "x", "resourceVersion": "2"}, "value": 1}
    assert store.get(A) is None
    assert store.list("pods") == ([], 2)


async def test_deleting_nothing_moves_nothing(store: Store) -> None:
    assert await store.write(A, gone) is None
    assert store.revision == 0


async def test_equal_objects_move_nothing(store: Store) -> None:
    first = await store.write(A, put(1))
    assert await store.write(A, put(1)) == first
    assert await store.write(A, lambda before: before) == first
    assert store.revision == 1


async def test_what_a_change_raises_aborts_it(store: Store) -> None:
    first = await store.write(A, put(1))

    def refuse(before: Object | None) -> Object:
        raise Conflict

    with pytest.raises(Conflict):
        await store.write(A, refuse)
    assert store.get(A) == first
    assert store.revision == 1


async def test_no_read_modify_write_is_lost(store: Store) -> None:
    written = await asyncio.gather(*(store.write(A, count) for _ in range(1000)))
    newest = store.get(A)
    assert newest is not None
    assert newest.object["count"] == 1000
    assert sorted(stored.revision for stored in written if stored) == list(range(1, 1001))
    assert all(stored and stored.object["count"] == stored.revision for stored in written)


async def test_an_old_watch_sees_everything_once_and_in_order_under_load(store: Store) -> None:
    keys = [StoreKey("pods", f"ns-{i % 3}", f"pod-{i}") for i in range(20)]
    everything, one = store.watch("pods", since=0), store.watch("pods", "ns-1", since=0)
    services = store.watch("services")

    async def write(where: StoreKey) -> None:
        for number in range(30):
            await store.write(where, gone if number % 10 == 9 else put(number))

    await asyncio.gather(*(write(where) for where in keys))
    await store.close()
    seen = [change async for change in everything]
    assert [change.revision for change in seen] == list(range(1, 601))
    assert [change async for change in one] == [change for change in seen if change.key.namespace == "ns-1"]
    assert [change async for change in services] == []
    for where in keys:
        own = [change for change in seen if change.key == where]
        assert [change.type.value[0] for change in own] == list("AMMMMMMMMD" * 3)
        states: list[Object | None] = [None, *(c.object if c.type is not EventType.DELETED else None for c in own)]
        assert [change.before for change in own] == states[:-1]


async def test_a_watch_joins_history_and_what_follows(store: Store) -> None:
    await store.write(A, put(1))
    await store.write(A, put(2))
    watch = store.watch("pods", since=1)
    await store.write(A, put(3))
    assert [(await anext(watch)).object["value"] for _ in range(2)] == [2, 3]
    waiting = asyncio.ensure_future(anext(watch))
    await store.write(A, put(4))
    assert (await waiting).object["value"] == 4


async def test_watchers_share_one_encoding(store: Store) -> None:
    watches = [store.watch("pods") for _ in range(3)]
    stored = await store.write(A, put(1))
    assert stored is not None
    changes = [await anext(watch) for watch in watches]
    assert all(change.encoded is stored.encoded for change in changes)


async def test_take_gives_all_that_is_there(store: Store) -> None:
    watch = store.watch("pods")
    for value in range(3):
        await store.write(A, put(value))
    assert [change.object["value"] for change in await watch.take()] == [0, 1, 2]
    watch.close()
    assert await watch.take() == []


async def test_a_closed_watch_ends_and_drops_what_it_held(store: Store) -> None:
    watch = store.watch("pods")
    await store.write(A, put(1))
    watch.close()
    await store.write(A, put(2))
    assert [change async for change in watch] == []


async def test_closing_wakes_a_waiting_watch(store: Store) -> None:
    watch = store.watch("pods")
    waiting = asyncio.ensure_future(watch.take())
    await store.write(StoreKey("services", "", "a"), put(1))
    assert not waiting.done()
    watch.close()
    assert await waiting == []


async def test_who_falls_behind_is_told_and_the_others_are_not_held_up(store: Store) -> None:
    slow, fast = store.watch("pods", buffer=3), store.watch("pods", buffer=4)
    for value in range(4):
        await store.write(A, put(value))
    with pytest.raises(Expired, match="behind"):
        await anext(slow)
    assert [change.object["value"] for change in await fast.take()] == [0, 1, 2, 3]


async def test_compacted_revisions_are_refused_at_once(store: Store) -> None:
    for value in range(110):
        await store.write(A, put(value))
    assert store.compacted == 10
    with pytest.raises(Expired, match="too old"):
        store.watch("pods", since=9)
    with pytest.raises(Expired, match="too old"):
        store.list("pods", at=9)
    assert (await anext(store.watch("pods", since=10))).revision == 11
    assert store.list("pods", at=10)[0][0].object["value"] == 9
    with pytest.raises(Expired, match="unknown"):
        store.watch("pods", since=111)


async def test_a_snapshot_survives_writes(store: Store) -> None:
    await store.write(A, put(1))
    await store.write(B, put(1))
    before = store.list("pods")
    await store.write(A, put(2))
    await store.write(B, gone)
    await store.write(StoreKey("pods", "default", "c"), put(1))
    assert store.list("pods", at=2) == before
    assert [item.key.name for item in store.list("pods")[0]] == ["a", "c"]


async def test_a_cancelled_writer_holds_up_nobody(store: Store) -> None:
    writes = [asyncio.ensure_future(store.write(A, count)) for _ in range(3)]
    await asyncio.sleep(0)
    writes[1].cancel()
    done = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(done[1], asyncio.CancelledError)
    assert isinstance(done[2], Stored)
    assert done[2].object["count"] == 3


async def test_closing_commits_what_was_accepted_and_refuses_the_rest(store: Store) -> None:
    writes = [asyncio.ensure_future(store.write(A, count)) for _ in range(5)]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    assert [stored.object["count"] for stored in await asyncio.gather(*writes) if stored] == [1, 2, 3, 4, 5]
    with pytest.raises(Unavailable):
        await store.write(A, count)
    with pytest.raises(Unavailable):
        store.watch("pods")


class Gate:
    """A ledger that commits or fails when it is told to; `started` counts the commits begun."""

    def __init__(self) -> None:
        self.outcomes: list[Exception | None] = []
        self.go = threading.Semaphore(0)
        self.started = threading.Semaphore(0)
        self.groups: list[list[int]] = []

    def open(self) -> tuple[list[Stored], int]:
        return [], 0

    def commit(self, changes: Sequence[Change]) -> None:
        self.started.release()
        self.go.acquire()
        self.groups.append([change.revision for change in changes])
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome

    def close(self) -> None: ...

    def let(self, *outcomes: Exception | None) -> None:
        self.outcomes.extend(outcomes)
        self.go.release(len(outcomes))

    async def begun(self) -> None:
        await asyncio.to_thread(self.started.acquire)


async def test_nothing_is_seen_before_it_is_durable() -> None:
    gate = Gate()
    async with opened(Store(None, ledger=gate)) as store:
        watch = store.watch("pods")
        write = asyncio.ensure_future(store.write(A, put(1)))
        await gate.begun()
        elided = asyncio.ensure_future(store.write(A, put(1)))
        await asyncio.to_thread(lambda: None)
        assert store.get(A) is None
        assert store.list("pods") == ([], 0)
        assert not write.done()
        assert not elided.done(), "an elided write waits for the state that it found"
        gate.let(None)
        assert (await anext(watch)).object["value"] == 1
        assert await write == await elided == store.get(A)
        assert gate.groups == [[1]]


async def test_writes_collect_while_a_group_is_being_committed() -> None:
    """Also when one writer is ahead of the others: they do not fall into two groups that take turns."""
    gate = Gate()
    async with opened(Store(None, ledger=gate)) as store:

        async def write() -> None:
            for _ in range(5):
                await store.write(A, count)

        first = asyncio.ensure_future(write())
        await gate.begun()
        later = [asyncio.ensure_future(write()) for _ in range(10)]
        gate.let(*[None] * 55)
        await asyncio.gather(first, *later)
        assert [len(group) for group in gate.groups] == [1, 11, 11, 11, 11, 10]


async def test_a_failed_commit_fails_what_built_on_it_and_the_store_goes_on() -> None:
    gate = Gate()
    async with opened(Store(None, ledger=gate)) as store:
        gate.let(None)
        kept = await store.write(A, put("kept"))
        watch = store.watch("pods")
        failing = [asyncio.ensure_future(store.write(A, put("lost")))]
        await gate.begun()
        await gate.begun()
        failing += [asyncio.ensure_future(store.write(A, change)) for change in (put("lost"), gone, put("later"))]
        failing += [asyncio.ensure_future(store.write(B, put("other")))]
        await asyncio.sleep(0)
        gate.let(sqlite3.OperationalError("database or disk is full"))
        for result in await asyncio.gather(*failing, return_exceptions=True):
            assert isinstance(result, PlatformError)
            assert "disk is full" in result.message
            assert "try again" in result.message
        assert store.get(A) == kept
        assert store.get(B) is None
        assert store.list("pods") == ([kept], 1)
        gate.let(None)
        again = await store.write(A, put("again"))
        assert again is not None
        assert again.revision > 5, "a revision that failed is never used again"
        assert [(change.before, change.object) for change in await watch.take()] == [
            (kept and kept.object, again.object)
        ]
        assert store.list("pods", at=1)[0] == [kept]


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    async with opened(Store(path)) as store:
        for value in range(5):
            await store.write(A, put(value))
            await store.write(B, put("ü" * value))
        await store.write(B, gone)
        before, revision = store.list("pods")
    async with opened(Store(path)) as store:
        assert store.list("pods") == (before, revision)
        assert store.revision == store.compacted == 11
        with pytest.raises(Expired):
            store.watch("pods", since=10)
        store.watch("pods", since=11)
        after = await store.write(A, put("next"))
        assert after is not None
        assert after.revision == 12
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_log_is_private_and_synced_on_every_commit(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    async with opened(Store(path)) as store:
        await store.write(A, put(1))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        assert modes == {"store.sqlite3": 0o600, "store.sqlite3-wal": 0o600}
    connection = connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "2 is FULL"
    connection.close()


async def test_a_second_engine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    async with opened(Store(path)):
        with pytest.raises(PlatformError, match="Another engine runs"):
            await Store(path).open()
    async with opened(Store(path)) as store:
        assert store.revision == 0


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 99", "newer Grandstand .schema 99"),
        ("PRAGMA application_id = 7", "another program"),
        ("UPDATE store SET revision = 0", "damaged"),
        ("UPDATE objects SET revision = 1", "damaged"),
        ("UPDATE objects SET value = x'7b'", "damaged"),
        ("UPDATE objects SET value = CAST('{}' AS BLOB)", "damaged"),
        ("DROP TABLE store", "cannot open"),
    ],
    ids=["newer", "foreign", "behind", "row", "no JSON", "no metadata", "no table"],
)
async def test_a_database_that_cannot_be_trusted_is_refused(tmp_path: Path, statement: str, message: str) -> None:
    path = tmp_path / "store.sqlite3"
    async with opened(Store(path)) as store:
        await store.write(A, put(1))
        await store.write(A, put(2))
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(PlatformError, match=message):
        await Store(path).open()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"not a database" * 100),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/nowhere/at/all"),
    ],
    ids=["other content", "a directory", "a missing directory"],
)
async def test_what_is_no_database_is_refused_with_advice(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "store.sqlite3"
    make(path)
    with pytest.raises(PlatformError, match=r"cannot open the database .*(Restore|Check)"):
        await Store(path).open()


def test_a_commit_that_fails_half_way_keeps_nothing_of_it(tmp_path: Path) -> None:
    def added(name: str, revision: int) -> Change:
        stored = stamp(StoreKey("pods", "", name), {}, revision)
        return Change(EventType.ADDED, stored.key, stored.object, None, revision, stored.encoded)

    database = Database(tmp_path / "store.sqlite3")
    database.open()
    with pytest.raises(UnicodeEncodeError):
        database.commit([added("good", 1), added("\ud800", 2)])
    database.commit([added("next", 3)])
    database.close()
    stored, revision = database.open()
    assert [item.key.name for item in stored] == ["next"]
    assert revision == 3
    database.close()


async def test_many_writers_share_syncs(tmp_path: Path) -> None:
    class Counting(Database):
        commits = 0

        def commit(self, changes: Sequence[Change]) -> None:
            self.commits += 1
            super().commit(changes)

    ledger = Counting(tmp_path / "store.sqlite3")
    async with opened(Store(None, ledger=ledger)) as store:

        async def write(name: str) -> None:
            for _ in range(20):
                await store.write(StoreKey("pods", "default", name), count)

        await asyncio.gather(*(write(str(number)) for number in range(32)))
        assert store.revision == 640
    assert ledger.commits <= 25


def test_stores_do_not_keep_a_loop() -> None:
    """The same path, opened from one event loop after the other."""
    numbers = itertools.count(1)
    store = Store(None)

    async def life() -> int:
        async with opened(store):
            stored = await store.write(A, put(next(numbers)))
            assert stored is not None
            return stored.revision

    assert [asyncio.run(life()) for _ in range(2)] == [1, 2]


async def test_it_counts_commits_and_who_follows(store: Store) -> None:
    everywhere, here = store.watch("pods"), store.watch("pods", "default")
    await store.write(A, put(1))
    assert (store.commits, store.watchers) == (1, {"pods": 2})
    here.close()
    await store.write(A, put(2))
    assert (store.commits, store.watchers) == (2, {"pods": 1})
    *_, took, count = store.commit_seconds.family().samples
    assert (took.suffix, took.value > 0, count.suffix, count.value) == ("_sum", True, "_count", 2)
    everywhere.close()
    assert store.watchers == {}
