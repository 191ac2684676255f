"""Read a container's log as its program wrote it: the whole, the last lines, or as it grows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

from grandstand.node.inotify import DirectoryWatch

from .records import Joiner
from .tape import Tape


async def read(
    path: Path,
    *,
    tail: int | None = None,
    since: float | None = None,
    limit_bytes: int | None = None,
    timestamps: bool = False,
    follow: bool = False,
    exited: Awaitable[Any] | None = None,
) -> AsyncGenerator[bytes, None]:
    """The log at `path` and what was rotated out of it, in pieces of any size.

    `tail` lines from the end, `since` seconds of the epoch, `limit_bytes` of output at most. `follow` goes on until
    `exited` is done (a future is left alone, a coroutine ended with the reading), or for ever. No file: no bytes.
    Close the generator when you stop early (`contextlib.aclosing`).
    """
    joiner = Joiner(since=since, timestamps=timestamps)
    left = limit_bytes
    pieces = _follow(path, tail, joiner, exited) if follow else _once(path, tail, joiner)
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if left is not None:
                piece = piece[:left]
                left -= len(piece)
            if piece:
                yield piece
            if left == 0:
                return


async def _once(path: Path, tail: int | None, joiner: Joiner) -> AsyncGenerator[bytes, None]:
    with contextlib.closing(Tape(path, tail)) as tape:
        async for piece in _to_end(tape, joiner, Remainder()):
            yield piece
    yield joiner.flush()


async def _follow(
    path: Path, tail: int | None, joiner: Joiner, exited: Awaitable[Any] | None
) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    end: asyncio.Future[Any] = loop.create_future() if exited is None else asyncio.ensure_future(exited)
    remainder = Remainder()
    try:
        # Watched before the first reading: what comes in between is an event already.
        with DirectoryWatch(path.parent) as watch, contextlib.closing(Tape(path, tail)) as tape:
            while True:
                # Asked before reading: all that was written before the end is then read.
                over = end.done()
                async for piece in _to_end(tape, joiner, remainder):
                    yield piece
                yield joiner.flush()
                if over:
                    return
                await _either(watch, end)
    finally:
        if end is not exited:
            end.cancel()


async def _either(watch: DirectoryWatch, end: asyncio.Future[Any]) -> None:
    changed = asyncio.ensure_future(watch.changed())
    try:
        await asyncio.wait({changed, end}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        changed.cancel()


class Remainder:
    """The bytes after the last newline so far."""

    def __init__(self) -> None:
        self.bytes = b""

    def lines(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`, without their newlines."""
        *lines, self.bytes = (self.bytes + data).split(b"\n")
        return lines


async def _to_end(tape: Tape, joiner: Joiner, remainder: Remainder) -> AsyncIterator[bytes]:
    while data := tape.read():
        yield b"".join(joiner.add(line) for line in remainder.lines(data))
        # A long log must not keep everybody else from the event loop.
        await asyncio.sleep(0)
