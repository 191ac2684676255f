"""Listen where HAProxy's workers look for sockets."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def short_path(directory: Path, name: str) -> Iterator[str]:
    """A way to a socket for as long as the context lasts.

    Through a descriptor, because the path of a data directory may be longer than a socket's may be.
    """
    opened = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{name}"
    finally:
        os.close(opened)


async def taken(directory: Path, name: str, listen: Callable[[str], Awaitable[T]]) -> T:
    """What `listen` makes of the socket's path, taken also from an engine that was killed; all of HAProxy may connect.

    The directories above are ours alone; HAProxy's workers have this one as their root.
    """
    with short_path(directory, name) as path:
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 (nothing that blocks)
        made = await listen(path)
        os.chmod(path, 0o666)  # noqa: PTH101, S103
        return made
