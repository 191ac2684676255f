"""What queues promise, on everything that keeps them. Time is virtual."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from concurrent.futures import Executor, Future
from contextlib import closing

import pytest

from grandstand.clock import VirtualClock
from grandstand.errors import NotFound, PlatformError
from grandstand.functions.queues.fake import FakeQueues
from grandstand.functions.queues.ports import Counts, DeadLetters, Outgoing, QueueSettings
from grandstand.functions.queues.queues import DurableQueues

SETTINGS = QueueSettings()


class Here(Executor):
    """Does work at once: virtual time waits for nobody's thread."""

    def submit(self, work, /, *arguments, **named):
        future = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture(params=["fake", "durable"])
async def queues(request, clock, tmp_path):
    """With an empty queue that is called a."""
    if request.param == "fake":
        queues = FakeQueues(clock)
        await queues.create("a", SETTINGS)
        yield queues
        return
    queues = DurableQueues(tmp_path / "queues.db", clock, Here())
    await queues.open()
    await queues.create("a", SETTINGS)
    yield queues
    await queues.close()


async def sent(queues, *bodies, name="a", **fields):
    return await queues.send(name, [Outgoing(body, **fields) for body in bodies])


async def bodies(queues, name="a", **arguments):
    return [message.body for message in await queues.receive(name, 10, **arguments)]


async def finished(task, clock):
    """Let time pass, second by second, until a task is done: its result, and how long it took."""
    start = clock.now()
    while not task.done():
        await clock.advance(1)
    return await task, clock.now() - start


async def test_a_queue_that_is_there_is_not_made_again(queues, clock):
    made = await queues.create("b", QueueSettings(delay_seconds=7), {"team": "x"})
    assert (made.name, made.settings.delay_seconds, made.tags) == ("b", 7, {"team": "x"})
    assert made.created == made.changed == clock.now()
    assert await queues.create("b", SETTINGS, {"team": "y"}) == made == await queues.get("b")


async def test_settings_and_tags_are_replaced(queues, clock):
    created = (await queues.get("a")).created
    await clock.advance(5)
    changed = await queues.change("a", QueueSettings(visibility_seconds=1))
    assert (changed.settings, changed.created, changed.changed) == (
        QueueSettings(visibility_seconds=1),
        created,
        created + 5,
    )
    await queues.tag("a", {"one": "1"})
    assert (await queues.tag("a", {"two": "2"})).tags == {"two": "2"} == (await queues.get("a")).tags


async def test_names_in_their_order(queues):
    for name in ("c", "ab", "events/f"):
        await queues.create(name, SETTINGS)
    assert list(await queues.names()) == ["a", "ab", "c", "events/f"]
    assert list(await queues.names("a")) == ["a", "ab"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("change", (SETTINGS,)),
        ("tag", ({},)),
        ("delete", ()),
        ("get", ()),
        ("send", ([Outgoing("x")],)),
        ("receive", ()),
        ("settle", (["r"],)),
        ("postpone", (["r"], 1)),
        ("purge", ()),
        ("counts", ()),
    ],
)
async def test_queues_that_are_not_there(queues, operation, arguments):
    with pytest.raises(NotFound):
        await getattr(queues, operation)("gone", *arguments)


async def test_a_deleted_queue_takes_its_messages_along(queues):
    await sent(queues, "x")
    await queues.delete("a")
    await queues.create("a", SETTINGS)
    assert await bodies(queues) == []


async def test_messages_come_as_they_were_sent(queues, clock):
    ids = await sent(queues, "x", "y", attributes={"SenderId": "me", "deep": {"n": [1, None]}})
    await clock.advance(2)
    first, second = await queues.receive("a", 10)
    assert ([first.id, second.id], [first.body, second.body]) == (list(ids), ["x", "y"])
    assert first.attributes == {"SenderId": "me", "deep": {"n": [1, None]}}
    assert (first.receives, first.dead_letter_source) == (1, "")
    assert first.first_received_ms - first.sent_ms == 2000
    assert first.receipt != second.receipt


async def test_no_more_than_asked_for(queues):
    await sent(queues, "x", "y", "z")
    assert [message.body for message in await queues.receive("a")] == ["x"]
    assert [message.body for message in await queues.receive("a", 1)] == ["y"]
    assert await bodies(queues) == ["z"]


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 30), (5, 5), (0, 0)], ids=["as the queue says", "as asked", "not at all"]
)
async def test_received_messages_are_hidden_for_a_while(queues, clock, asked, seconds):
    await sent(queues, "x")
    (first,) = await queues.receive("a", visibility_seconds=asked)
    if seconds:
        await clock.advance(seconds - 1)
        assert await bodies(queues) == []
        await clock.advance(1)
    (again,) = await queues.receive("a")
    assert (again.id, again.receives, again.first_received_ms) == (first.id, 2, first.first_received_ms)
    assert list(await queues.settle("a", [first.receipt])) == [False]
    assert list(await queues.settle("a", [again.receipt])) == [True]


async def test_a_receipt_is_good_until_the_next_receive(queues, clock):
    await sent(queues, "x")
    (message,) = await queues.receive("a")
    await clock.advance(31)
    assert list(await queues.settle("a", [message.receipt, message.receipt, "none"])) == [True, False, False]
    assert await queues.counts("a") == Counts(0, 0, 0)


async def test_postponing_hides_for_longer_or_shows_again(queues, clock):
    await sent(queues, "x", "y")
    first, second = await queues.receive("a", 10)
    assert list(await queues.postpone("a", [first.receipt, "none"], 60)) == [True, False]
    await queues.postpone("a", [second.receipt], 0)
    assert await bodies(queues) == ["y"]
    await clock.advance(59)
    assert await bodies(queues) == ["y"]
    await clock.advance(1)
    assert await bodies(queues) == ["x"]


async def test_delays(queues, clock):
    await queues.change("a", QueueSettings(delay_seconds=10))
    await sent(queues, "slow")
    await sent(queues, "now", delay_seconds=0)
    assert await queues.counts("a") == Counts(1, 0, 1)
    assert await bodies(queues) == ["now"]
    assert await queues.counts("a") == Counts(0, 1, 1)
    await clock.advance(10)
    assert await bodies(queues) == ["slow"]


async def test_old_messages_are_dropped(queues, clock):
    await queues.change("a", QueueSettings(retention_seconds=60))
    await sent(queues, "old")
    await clock.advance(30)
    await sent(queues, "new")
    await clock.advance(31)
    assert await queues.counts("a") == Counts(1, 0, 0)
    assert await bodies(queues) == ["new"]


async def test_purging_drops_what_is_in_flight_too(queues):
    await sent(queues, "x", "y")
    (message,) = await queues.receive("a")
    await queues.purge("a")
    assert list(await queues.settle("a", [message.receipt])) == [False]
    assert await queues.counts("a") == Counts(0, 0, 0)


async def test_waiting_for_a_message_that_is_sent(queues, clock):
    task = asyncio.create_task(bodies(queues, wait_seconds=20))
    await clock.advance(3)
    await sent(queues, "x")
    assert await asyncio.wait_for(task, 5) == ["x"]


async def test_waiting_ends(queues, clock):
    await queues.change("a", QueueSettings(wait_seconds=4))
    found, seconds = await finished(asyncio.create_task(bodies(queues)), clock)
    assert (found, 4 <= seconds <= 6) == ([], True)
    assert await bodies(queues, wait_seconds=0) == []


async def test_waiting_for_a_message_that_can_be_seen_again(queues, clock):
    await sent(queues, "x")
    await queues.receive("a", visibility_seconds=5)
    found, seconds = await finished(asyncio.create_task(bodies(queues, wait_seconds=20)), clock)
    assert (found, 5 <= seconds <= 7) == (["x"], True)


async def test_waiting_on_a_queue_that_is_deleted(queues, clock):
    task = asyncio.create_task(bodies(queues, wait_seconds=20))
    await clock.advance(1)
    await queues.delete("a")
    with pytest.raises(NotFound):
        await finished(task, clock)


async def test_what_nobody_can_handle_goes_to_another_queue(queues, clock):
    await queues.create("dead", SETTINGS)
    await queues.change("a", QueueSettings(visibility_seconds=1, dead_letters=DeadLetters("dead", 2)))
    (identifier,) = await sent(queues, "x", attributes={"n": 1})
    for _ in range(2):
        assert await bodies(queues) == ["x"]
        await clock.advance(1)
    assert await bodies(queues) == []
    (message,) = await queues.receive("dead", wait_seconds=0)
    assert (message.id, message.body, message.attributes, message.dead_letter_source) == (
        identifier,
        "x",
        {"n": 1},
        "a",
    )
    assert await queues.counts("a") == Counts(0, 0, 0)


async def test_what_is_shown_again_cannot_be_postponed(queues, clock):
    await sent(queues, "x")
    (first,) = await queues.receive("a", visibility_seconds=5)
    await clock.advance(5)
    assert list(await queues.postpone("a", [first.receipt], 60)) == [False]
    assert await bodies(queues) == ["x"]
    assert list(await queues.settle("a", [first.receipt])) == [False]


async def test_hidden_messages_grow_old_too(queues, clock):
    await queues.change("a", QueueSettings(retention_seconds=60))
    await sent(queues, "x")
    await queues.receive("a", visibility_seconds=600)
    await clock.advance(61)
    assert await queues.counts("a") == Counts(0, 0, 0)


async def test_more_dead_letters_than_a_receive_takes_are_all_moved(queues, clock):
    await queues.create("dead", SETTINGS)
    await queues.change("a", QueueSettings(dead_letters=DeadLetters("dead", 1)))
    await sent(queues, *map(str, range(25)))
    for _ in range(3):
        await queues.receive("a", 10, visibility_seconds=5)
    await clock.advance(5)
    await sent(queues, "new")
    assert await bodies(queues) == ["new"]
    assert (await queues.counts("dead")).visible == 25


async def test_what_was_sent_is_there_after_the_process_is(tmp_path, clock):
    path = tmp_path / "queues.db"
    for expected in ([], ["x"]):
        queues = DurableQueues(path, clock)
        await queues.open()
        await queues.create("a", SETTINGS)
        assert await bodies(queues, visibility_seconds=0) == expected
        await sent(queues, "x")
        await queues.close()


async def test_what_cannot_be_written_harms_nobody_else(tmp_path, clock):
    queues = DurableQueues(tmp_path / "queues.db", clock)
    await queues.open()
    await queues.create("a", SETTINGS)
    answers = await asyncio.gather(sent(queues, "good"), sent(queues, "\ud800"), return_exceptions=True)
    assert isinstance(answers[1], UnicodeEncodeError)
    assert await bodies(queues) == ["good"]
    await queues.close()


async def test_the_file_is_private_and_has_one_owner_and_one_kind(tmp_path, clock):
    path = tmp_path / "queues.db"
    queues = DurableQueues(path, clock)
    await queues.open()
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {
        "queues.db": 0o600,
        "queues.db-wal": 0o600,
    }
    with pytest.raises(PlatformError, match="Another engine runs"):
        await DurableQueues(path, clock).open()
    await queues.close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA application_id = 7")
    with pytest.raises(PlatformError, match="another program"):
        await DurableQueues(path, clock).open()
