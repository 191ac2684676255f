"""The logs of functions: kept beyond their sandboxes, read in the order of their times."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grandstand.errors import NotFound
from grandstand.functions.lambda_api.ports import LogQuery
from grandstand.functions.log_store import MOST_STREAMS, LogStore, events_in

GROUP = "/aws/lambda/hello"


def written(tmp_path: Path, first: bytes, second: bytes = b"") -> Path:
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir(exist_ok=True)
    for half, content in (("a", first), ("b", second)):
        (sandbox / f"log-{half}").unlink(missing_ok=True)
        (sandbox / f"log-{half}").write_bytes(content)
    return sandbox


def line(second: int, text: str, tag: str = "F") -> bytes:
    return f"2026-11-27T10:00:{second:02}.123456789Z stdout {tag} {text}\n".encode()


def test_pieces_of_a_line_are_one_event() -> None:
    content = line(1, "one") + line(2, "lo", "P") + line(2, "ng") + b"no record\n"
    assert [event.message for event in events_in(content, "s")] == ["one\n", "long\n"]


def test_times_are_in_milliseconds() -> None:
    (event,) = events_in(line(1, "x"), "s")
    assert event.timestamp == 1_795_773_601_123


async def test_a_log_outlives_its_sandbox_and_its_halves_are_read_in_order(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs")
    sandbox = written(tmp_path, line(3, "later"), line(1, "first") + line(2, "second"))
    store.adopt(GROUP, "2026/11/27/[$LATEST]x", sandbox)
    with (sandbox / "log-a").open("ab") as file:
        file.write(line(4, "last"))
    shutil.rmtree(sandbox)
    assert [event.message for event in await store.events(GROUP)] == ["first\n", "second\n", "later\n", "last\n"]
    (stream,) = await store.streams(GROUP)
    assert (stream.name, stream.first_event, stream.last_event) == (
        "2026/11/27/[$LATEST]x",
        1_795_773_601_123,
        1_795_773_604_123,
    )
    assert await store.groups() == [GROUP]


async def test_a_question_bounds_times_and_streams(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs")
    store.adopt(GROUP, "one", written(tmp_path, line(1, "a") + line(2, "b")))
    store.adopt(GROUP, "two", written(tmp_path, line(3, "c")))
    start, end = 1_795_773_602_000, 1_795_773_603_123
    assert [event.message for event in await store.events(GROUP, LogQuery(start=start, end=end))] == ["b\n"]
    assert [event.message for event in await store.events(GROUP, LogQuery(streams=["two"]))] == ["c\n"]


async def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no log group"):
        await LogStore(tmp_path / "logs").events(GROUP)


async def test_the_oldest_streams_go(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs")
    for number in range(MOST_STREAMS + 3):
        store.adopt(GROUP, f"{number:04}", written(tmp_path, line(1, "x")))
    assert len(await store.streams(GROUP)) == MOST_STREAMS
