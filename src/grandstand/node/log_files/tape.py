"""A container's log as one stream of bytes, over the files that rotation makes of it."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from .records import is_line_end

BLOCK_BYTES = 64 * 1024
_ROTATED = re.compile(r"\.(\d{6})")


def rotated(path: Path) -> list[Path]:
    """The older files of a log, the oldest first: `0.log.000001`, `0.log.000002`, …"""
    if not path.parent.is_dir():
        return []
    names = (entry.name for entry in path.parent.iterdir() if entry.name.startswith(path.name))
    return [path.with_name(name) for name in sorted(names) if _ROTATED.fullmatch(name.removeprefix(path.name))]


def open_log(path: Path) -> int | None:
    """A descriptor, or None where there is no file. A link is not followed, wherever it leads."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


class Tape:
    """Reads on from file to file; at the end it reads nothing, until there is more."""

    def __init__(self, path: Path, tail: int | None = None) -> None:
        """`tail`: begin so many lines before the end."""
        self._path = path
        self._descriptor: int | None = None
        self._next: int | None = None
        if tail is not None:
            self._seek_tail(tail)

    def read(self) -> bytes:
        """The next bytes; none at the end."""
        while True:
            if self._descriptor is not None and (data := os.read(self._descriptor, BLOCK_BYTES)):
                return data
            if self._next is not None:
                self._switch()
            elif (following := self._following()) is not None:
                # What is open now may have grown between its end and the making of the next: read it once more first.
                self._next = following
            else:
                return b""

    def close(self) -> None:
        for descriptor in (self._descriptor, self._next):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._next = None

    def _switch(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._next = self._next, None

    def _following(self) -> int | None:
        """The file after the one that is open; the oldest when that was deleted meanwhile."""
        current = None if self._descriptor is None else os.fstat(self._descriptor).st_ino
        # The live file first: one that is rotated meanwhile is then seen twice, which can be told, and not missed.
        live = open_log(self._path)
        opened = [fd for path in rotated(self._path) if (fd := open_log(path)) is not None]
        if live is not None:
            opened.append(live)
        inodes = [os.fstat(fd).st_ino for fd in opened]
        if inodes[-1:] and inodes[-1] in inodes[:-1]:
            os.close(opened.pop())
            inodes.pop()
        index = inodes.index(current) + 1 if current in inodes else 0
        chosen = opened[index] if index < len(opened) else None
        for descriptor in opened:
            if descriptor != chosen:
                os.close(descriptor)
        return chosen

    def _seek_tail(self, lines: int) -> None:
        """Open the file in which the last lines begin, at their first byte."""
        for path in (self._path, *reversed(rotated(self._path))):
            descriptor = open_log(path)
            if descriptor is None:
                continue
            self.close()
            self._descriptor = descriptor
            offset, lines = tail_offset(descriptor, lines)
            os.lseek(descriptor, offset, os.SEEK_SET)
            if lines < 0:
                return


def tail_offset(descriptor: int, lines: int) -> tuple[int, int]:
    """Where the last lines of a file begin, and how many are still missing; -1: none, they all lie in this file.

    Reads backwards, and stops at the end of the line before the first wanted one.
    """
    position, rest = os.fstat(descriptor).st_size, b""
    while position > 0:
        size = min(BLOCK_BYTES, position)
        position -= size
        block = os.pread(descriptor, size, position) + rest
        first_newline = block.find(b"\n") + 1 if position else 0
        records = block[first_newline:].splitlines(keepends=True)
        end = position + len(block)
        for record in reversed(records):
            if is_line_end(record):
                if lines == 0:
                    return end, -1
                lines -= 1
            end -= len(record)
        rest = block[:first_newline]
    return 0, lines
