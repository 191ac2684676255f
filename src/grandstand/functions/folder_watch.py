"""See that something below a folder was saved, as the kernel tells it (inotify); what it was, the files say.

It watches once it is made: what is read afterwards is old only if `saved` comes true again. Why no library does it:
docs/decisions/0015.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from grandstand.errors import BadRequest, PeerError

_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x100, 0x200, 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED, _IS_FOLDER = 0x2000, 0x4000, 0x8000, 0x40000000
_ONLY_FOLDERS = 0x01000000
_WATCHED = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
) | _ONLY_FOLDERS
_GONE = _DELETE_SELF | _MOVE_SELF | _UNMOUNT
_EVENT = struct.Struct("=iIII")
_READ_BYTES = 65_536
_LIBC = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """`left_out` are names of files and folders that do not matter. Symbolic links to folders are followed, as packing
    does; a file that a link leads out of the folder to is not watched.

    Raises PeerError when the kernel allows no more watches.
    """

    def __init__(self, folder: Path, left_out: frozenset[str]) -> None:
        self._folder = folder
        self._left_out = left_out
        self._places: dict[int, Path] = {}
        self._number = int(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._number < 0:
            raise _refused(folder)
        try:
            self._root = self._add(folder)
            self._add_below(folder)
        except BaseException:
            os.close(self._number)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._number)

    def fileno(self) -> int:
        """Readable when there may be something."""
        return self._number

    def saved(self) -> bool:
        """Whether something was saved since the last call. Raises BadRequest when the folder is gone."""
        found = False
        while data := self._read():
            for place, mask, name in events_of(data):
                found = self._take(place, mask, name) or found
        return found

    def _read(self) -> bytes:
        try:
            return os.read(self._number, _READ_BYTES)
        except BlockingIOError:
            return b""

    def _take(self, place: int, mask: int, name: str) -> bool:
        if mask & _OVERFLOW:
            self._add_below(self._folder)  # new folders may be among what was lost
            return True
        if mask & _GONE and place == self._root:
            raise BadRequest(f"{self._folder} is gone: there is nothing to watch any more")
        if mask & _IGNORED:
            self._places.pop(place, None)
            return False
        if not name or name in self._left_out:
            return False
        if mask & _IS_FOLDER and mask & (_CREATE | _MOVED_TO) and place in self._places:
            folder = self._places[place] / name
            self._add(folder)
            self._add_below(folder)
        return True

    def _add_below(self, folder: Path) -> None:
        """A folder that is made meanwhile is told of by its parent, which is watched before it is looked at."""
        waiting = [folder]
        seen = set()
        while waiting:
            for below in _folders_in(waiting.pop()):
                if below.name not in self._left_out and (number := self._add(below)) not in seen:
                    seen.add(number)
                    waiting.append(below)

    def _add(self, folder: Path) -> int:
        number = _LIBC.inotify_add_watch(self._number, os.fsencode(folder), _WATCHED)
        if number >= 0:
            self._places[number] = folder
        elif ctypes.get_errno() not in (errno.ENOENT, errno.ENOTDIR) or folder == self._folder:
            raise _refused(folder)
        return int(number)


def events_of(data: bytes) -> Iterator[tuple[int, int, str]]:
    """What the kernel writes, as (watch, mask, name)."""
    at = 0
    while at < len(data):
        place, mask, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size
        yield place, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))
        at += length


def _folders_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []  # gone again


def _refused(folder: Path) -> PeerError:
    number = ctypes.get_errno()
    advice = ""
    if number in (errno.ENOSPC, errno.EMFILE):
        advice = ": raise fs.inotify.max_user_watches or max_user_instances with sysctl, or move packages out of it"
    return PeerError(f"{folder} cannot be watched ({os.strerror(number)}){advice}")
