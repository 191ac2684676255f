"""Mount, unmount, and look at what is mounted in the calling thread's mount namespace."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from .syscalls import MNT_DETACH, MS_BIND, MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_REC, UMOUNT_NOFOLLOW, mount, umount2

_MOUNTS = Path("/proc/thread-self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


def mount_tmpfs(target: Path, size_bytes: int | None, mode: int) -> None:
    size = "" if size_bytes is None else f",size={size_bytes}"
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:o}{size}")


def bind(source: Path | str, target: Path) -> None:
    """Show a file or directory, without the mounts below it, at another path too."""
    mount(source, target, flags=MS_BIND)


def bind_open_file(descriptor: int, target: Path) -> None:
    """Mount what a descriptor stands for, whatever its path means by now."""
    mount(f"/proc/self/fd/{descriptor}", target, flags=MS_BIND | MS_REC)


def make_private(target: Path) -> None:
    """Keep mounts below `target` from appearing in other mount namespaces."""
    mount("", target, flags=MS_PRIVATE)


def unmount(target: Path) -> bool:
    """Detach whatever is mounted at a path; returns whether something was. Raises OSError.

    What still uses it keeps it alive until it ends.
    """
    try:
        umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return False
        raise
    return True


def is_mount(path: Path) -> bool:
    """Whether something is mounted at `path`; `os.path.ismount` does not see a directory bound to itself."""
    wanted = path.resolve()
    return any(point == wanted for point in _mount_points())


def mounts_below(directory: Path) -> list[Path]:
    """The mount points at or below a directory, the newest first."""
    return [point for point in _mount_points() if point.is_relative_to(directory)][::-1]


def _mount_points() -> Iterator[Path]:
    for line in _MOUNTS.read_bytes().splitlines():
        yield Path(os.fsdecode(_ESCAPE.sub(lambda code: bytes((int(code[1], 8),)), line.split(b" ", 5)[4])))
