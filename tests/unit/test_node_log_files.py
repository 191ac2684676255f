"""Container logs: joining the CRI's records into lines, reading over rotated files, following."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grandstand.errors import PlatformError
from grandstand.node.log_files import parse_record, read, remove_logs, rotate
from grandstand.node.log_files.records import Joiner
from grandstand.node.log_files.tape import BLOCK_BYTES, Tape, rotated

T1, T2, T3 = (f"2026-11-22T10:25:{second}.123456789+00:00" for second in (18, 19, 20))
OUT = f"{T1} stdout F one\n{T2} stderr F two\n{T3} stdout F three\n"
SECOND_2 = 1795343119.0


def record(content: str, time: str = T1, stream: str = "stdout", tag: str = "F") -> bytes:
    return f"{time} {stream} {tag} {content}\n".encode()


async def text_of(path, **options) -> bytes:
    return b"".join([piece async for piece in read(path, **options)])


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "0.log"
    path.write_text(OUT)
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, b"one\ntwo\nthree\n"),
        ({"tail": 0}, b""),
        ({"tail": 1}, b"three\n"),
        ({"tail": 2}, b"two\nthree\n"),
        ({"tail": 99}, b"one\ntwo\nthree\n"),
        ({"since": SECOND_2}, b"two\nthree\n"),
        ({"since": SECOND_2, "tail": 1}, b"three\n"),
        ({"since": SECOND_2 + 60}, b""),
        ({"limit_bytes": 6}, b"one\ntw"),
        ({"limit_bytes": 0}, b""),
        ({"limit_bytes": 999}, b"one\ntwo\nthree\n"),
        (
            {"timestamps": True, "tail": 1},
            b"2026-11-22T10:25:20.123456789Z three\n",
        ),
    ],
    ids=str,
)
async def test_read(log, options, expected):
    assert await text_of(log, **options) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([record("a", tag="P"), record("b")], b"ab\n"),
        ([record("a", tag="P"), record("x", stream="stderr"), record("b")], b"x\nab\n"),
        ([record("a", tag="P")], b"a"),
        ([record("")], b"\n"),
        ([record("with  spaces ")], b"with  spaces \n"),
        ([b"torn\n", record("a"), b"2026 stdout X y\n"], b"a\n"),
    ],
    ids=["parts", "two streams", "prompt", "empty", "spaces", "torn"],
)
async def test_parts_are_joined(tmp_path, lines, expected):
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(lines))
    assert await text_of(path) == expected


def test_a_shown_prompt_gets_one_timestamp():
    joiner = Joiner(timestamps=True)
    assert joiner.add(record("a", tag="P").rstrip(b"\n")) == b""
    assert joiner.flush() == T1.replace("+00:00", "Z").encode() + b" a"
    assert joiner.add(record("b", time=T2).rstrip(b"\n")) == b"b\n"
    assert joiner.add(record("c", time=T3).rstrip(b"\n")) == T3.replace("+00:00", "Z").encode() + b" c\n"


@pytest.mark.parametrize("line", [b"", b"x", b"t stdin F x", b"t stdout F", b"t stdout Q x"])
def test_what_is_no_record(line):
    assert parse_record(line) is None


async def test_no_file_is_no_log(tmp_path):
    assert await text_of(tmp_path / "0.log") == b""
    assert await text_of(tmp_path / "none" / "0.log", tail=3) == b""
    with pytest.raises(PlatformError, match="cannot be watched"):
        await text_of(tmp_path / "none" / "0.log", follow=True)


async def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(record("secret"))
    (tmp_path / "0.log").symlink_to(tmp_path / "secret")
    assert await text_of(tmp_path / "0.log") == b""
    assert await text_of(tmp_path / "0.log", tail=1) == b""


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.integers(0, 3000), max_size=120),
    cuts=st.sets(st.integers(0, 119), max_size=3),
    tail=st.integers(0, 130),
)
def test_tail_is_the_end_of_the_whole(tmp_path_factory, lines, cuts, tail):
    folder = tmp_path_factory.mktemp("log")
    path = folder / "0.log"
    texts = [f"{number}-" + "x" * length for number, length in enumerate(lines)]
    number = 0
    for index, text in enumerate(texts):
        with path.open("ab") as file:
            file.write(record("head ", tag="P") + record(text) if index % 7 == 0 else record(text))
        if index in cuts:
            number += 1
            path.rename(folder / f"0.log.{number:06}")
    shown = [f"head {text}" if index % 7 == 0 else text for index, text in enumerate(texts)]
    assert asyncio.run(text_of(path)).decode().splitlines() == shown
    ends = asyncio.run(text_of(path, tail=tail)).decode().splitlines()
    assert ends == (shown[-tail:] if tail else [])


def test_tape_reads_what_was_written_to_the_old_file_last(log):
    with contextlib.closing(Tape(log)) as tape, log.open("ab") as writer:
        assert tape.read() == OUT.encode()
        log.rename(log.with_name("0.log.000001"))
        assert tape.read() == b""
        writer.write(b"late\n")
        writer.flush()
        log.write_bytes(b"new\n")
        assert tape.read() == b"late\n"
        assert tape.read() == b"new\n"
        assert tape.read() == b""


def test_tape_goes_on_with_the_oldest_when_its_file_was_deleted(log):
    with contextlib.closing(Tape(log)) as tape:
        tape.read()
        log.unlink()
        log.with_name("0.log.000007").write_bytes(b"seven\n")
        log.write_bytes(b"new\n")
        assert [tape.read(), tape.read(), tape.read()] == [b"seven\n", b"new\n", b""]


def test_rotation_keeps_the_newest_files(log):
    def reopen() -> bool:
        log.write_bytes(b"")
        return True

    for turn in range(8):
        log.write_bytes(b"x" * 10 + str(turn).encode())
        assert rotate(log, 10, reopen, most_files=3)
    assert [path.read_bytes()[-1:] for path in rotated(log)] == [b"6", b"7"]
    assert [path.name for path in rotated(log)] == ["0.log.000007", "0.log.000008"]
    assert rotate(log, 10, reopen) is False


def test_a_flood_is_forgotten_by_bytes_not_only_by_files(tmp_path):
    log = tmp_path / "0.log"
    for _ in range(3):
        log.write_bytes(b"x" * 25)
        assert rotate(log, 10, lambda: True, most_files=5)
    assert [path.stat().st_size for path in rotated(log)] == [25, 25, 25]
    log.write_bytes(b"x" * 1000)
    assert rotate(log, 10, lambda: True, most_files=5)
    assert rotated(log) == []
    remove_logs(log)
    assert list(log.parent.iterdir()) == []


def test_a_log_without_a_writer_stays_where_it_is(log):
    assert rotate(log, 1, lambda: False) is False
    assert log.read_text() == OUT


def test_a_writer_that_was_not_told_is_told_again(tmp_path):
    told = []
    rotate(tmp_path / "0.log", 1, lambda: not told.append(1))
    assert told == [1]


async def test_follow_shows_what_comes_and_ends_with_the_container(log):
    exited = asyncio.get_running_loop().create_future()
    reader = read(log, tail=1, follow=True, exited=exited)
    async with contextlib.aclosing(reader), asyncio.timeout(10):
        assert await anext(reader) == b"three\n"
        with log.open("ab") as writer:
            writer.write(record("four"))
            writer.flush()
            assert await next_text(reader) == b"four\n"
            writer.write(record("name? ", tag="P"))
            writer.flush()
            assert await next_text(reader) == b"name? "
            writer.write(record("last"))
        exited.set_result(None)
        assert [piece async for piece in reader if piece] == [b"last\n"]


async def next_text(reader) -> bytes:
    while not (piece := await anext(reader)):
        pass
    return piece


async def test_follow_waits_for_the_file_and_survives_rotation(tmp_path):
    path = tmp_path / "0.log"
    exited = asyncio.get_running_loop().create_future()
    reader = read(path, follow=True, exited=exited)
    async with contextlib.aclosing(reader), asyncio.timeout(10):
        coming = asyncio.ensure_future(next_text(reader))
        await asyncio.sleep(0)
        path.write_bytes(record("first"))
        assert await coming == b"first\n"
        with path.open("ab") as old:
            path.rename(tmp_path / "0.log.000001")
            old.write(record("after the renaming"))
        (tmp_path / "0.log.tmp").write_bytes(record("second"))
        (tmp_path / "0.log.tmp").rename(path)
        exited.set_result(None)
        assert b"".join([piece async for piece in reader]) == b"after the renaming\nsecond\n"


async def test_a_coroutine_of_the_end_is_ended_with_the_reading(log):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never():
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    before = len(list(Path("/proc/self/fd").iterdir()))
    async with asyncio.timeout(10):
        pieces = asyncio.ensure_future(text_of(log, follow=True, exited=never()))
        await begun.wait()
        pieces.cancel()
        await ended.wait()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_a_long_log_is_read_whole(tmp_path):
    path = tmp_path / "0.log"
    count = 3 * BLOCK_BYTES // 50
    path.write_bytes(b"".join(record(f"line {number}") for number in range(count)))
    assert (await text_of(path)).decode().splitlines() == [f"line {number}" for number in range(count)]
