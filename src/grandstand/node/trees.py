"""Remove and measure directory trees that containers have made, however deep: shutil and os.walk recurse.

A container needs two seconds to nest 30,000 directories. That is deeper than Python's stack, longer than any path, and
more descriptors than a process may open. So nothing here holds more than a few descriptors, or names a file by a path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(directory: Path) -> None:
    """Delete a directory and all below it; nothing happens where there is none. No link is followed.

    Directories are moved up to the top before they are emptied, so that the tree is never deep. Raises OSError.
    """
    try:
        top = os.open(directory, _DIRECTORY)
    except FileNotFoundError:
        return
    try:
        names = [name for name in _names(top) if not _unlinked(name, top)]
        taken = {*names}
        count = 0
        while names:
            folder = os.open(names[-1], _DIRECTORY, dir_fd=top)
            try:
                for name in _names(folder):
                    if _unlinked(name, folder):
                        continue
                    while (moved := f".removed-{count}") in taken:
                        count += 1
                    count += 1
                    names.insert(len(names) - 1, moved)
                    os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=top)
            finally:
                os.close(folder)
            os.rmdir(names.pop(), dir_fd=top)
    finally:
        os.close(top)
    directory.rmdir()


def _names(folder: int) -> list[str]:
    return os.listdir(folder)


def _unlinked(name: str, folder: int) -> bool:
    """Delete what is no directory; whether it was none."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    os.unlink(name, dir_fd=folder)
    return True


def used_bytes(directory: Path) -> int:
    """What a tree takes on disk; what changes meanwhile may or may not count."""
    total = 0

    def count(status: os.stat_result) -> None:
        nonlocal total
        total += status.st_blocks * 512

    _visit(directory, count)
    return total


def _visit(directory: Path, look: Callable[[os.stat_result], None]) -> None:
    """Look at everything below a directory: down by each directory's name, and up again by `..`.

    It ends where somebody has moved a directory meanwhile, so that `..` would lead elsewhere, perhaps out of the tree.
    """
    folder = os.open(directory, _DIRECTORY)
    try:
        way = [(_identity(folder), _looked_at(folder, look))]
        while True:
            _, pending = way[-1]
            if pending:
                with suppress(OSError):  # it may be gone by now
                    below = os.open(pending.pop(), _DIRECTORY, dir_fd=folder)
                    os.close(folder)
                    folder = below
                    way.append((_identity(folder), _looked_at(folder, look)))
                continue
            way.pop()
            if not way:
                return
            above = os.open("..", _DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = above
            if _identity(folder) != way[-1][0]:
                return
    finally:
        os.close(folder)


def _looked_at(folder: int, look: Callable[[os.stat_result], None]) -> list[str]:
    """Look at what a directory holds; the names of the directories in it."""
    directories = []
    for name in _names(folder):
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        look(status)
        if stat.S_ISDIR(status.st_mode):
            directories.append(name)
    return directories


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
