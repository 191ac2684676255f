"""Wait for changes in a directory, as an event of the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
from pathlib import Path
from types import TracebackType

from grandstand.errors import PlatformError

# From inotify(7).
IN_MODIFY = 0x002
IN_MOVED_TO = 0x080
IN_CREATE = 0x100

_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """Tells that something in a directory was written, made or renamed; not what: look again, from what is.

    Changes that happen before `changed` is awaited are not lost.
    """

    def __init__(self, directory: Path) -> None:
        """Raises PlatformError when there is no such directory, or the user has too many watches."""
        self._descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), directory)
        try:
            mask = IN_MODIFY | IN_CREATE | IN_MOVED_TO
            _checked(_libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask), directory)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._event = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._descriptor, self._drain)

    async def changed(self) -> None:
        """Return when something has changed since the last return."""
        await self._event.wait()
        self._event.clear()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def __enter__(self) -> DirectoryWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, 65536):
                self._event.set()


def _checked(result: int, directory: Path) -> int:
    if result >= 0:
        return result
    number = ctypes.get_errno()
    hint = {
        errno.EMFILE: "too many are watched at once: raise the sysctl fs.inotify.max_user_instances",
        errno.ENOSPC: "too many are watched at once: raise the sysctl fs.inotify.max_user_watches",
    }.get(number, os.strerror(number))
    raise PlatformError(f"the directory {directory} cannot be watched: {hint}")
