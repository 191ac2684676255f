"""Read and write descriptors on the event loop with nothing in between: who does not read, holds up who writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence

CHUNK_BYTES = 32 * 1024
"""At most so much is read at once, and held in memory until it has been sent."""

Read = Callable[[int], bytes]


class Outlets:
    """Several descriptors, read as one sequence of pieces; each piece carries the number of where it came from."""

    def __init__(self, descriptors: Sequence[tuple[int, int]]) -> None:
        """`descriptors` are pairs of number and descriptor. They are closed by this object."""
        self._open = list(descriptors)
        for _, descriptor in self._open:
            os.set_blocking(descriptor, False)

    async def read(self) -> tuple[int, bytes] | None:
        """The next piece, or None when all have ended."""
        while self._open:
            for entry in tuple(self._open):
                # The next one first the next time: neither may hold up the other.
                self._open.append(self._open.pop(0))
                if (data := _read(entry[1])) is None:
                    continue
                if data:
                    return entry[0], data
                self._open.remove(entry)
                os.close(entry[1])
            if self._open:
                await any_readable([descriptor for _, descriptor in self._open])
        return None

    def close(self) -> None:
        for _, descriptor in self._open:
            os.close(descriptor)
        self._open = []


class Inlet:
    """A descriptor to write to. What nobody reads any more is forgotten, as a shell's pipe would."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_blocking(descriptor, False)

    async def write(self, data: bytes) -> None:
        """Return when all of it has been taken."""
        left = memoryview(data)
        while left and self._descriptor is not None:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                await writable(self._descriptor)
            except OSError:
                self.close()

    def close(self) -> None:
        """Doing it twice does no harm."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _read(descriptor: int) -> bytes | None:
    """What there is, nothing at the end, None where there is nothing yet. A terminal ends with an error."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""


async def any_readable(descriptors: Sequence[int]) -> None:
    """Return when one of them has something to read, or is at its end."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    for descriptor in descriptors:
        loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)


async def writable(descriptor: int) -> None:
    """Return when a descriptor takes something, or has failed."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_writer(descriptor, event.set)
    try:
        await event.wait()
    finally:
        with contextlib.suppress(ValueError):
            loop.remove_writer(descriptor)
