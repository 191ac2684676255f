"""Mount a part of a volume that its containers may have filled with links: never follow one out of the volume."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath

from grandstand.node.mounts import bind_open_file, mounts_below, unmount
from grandstand.node.syscalls import open_beneath

DIRECTORY_MODE = 0o755


class BadSubPath(ValueError):
    """A `subPath` that leads out of its volume or cannot be made."""


def mount_sub_path(volume: Path, sub_path: str, target: Path, *, gid: int | None = None) -> None:
    """Mount `sub_path` of a volume at `target` (made here), as it is now: later links change nothing.

    A path that does not exist becomes a directory.
    """
    check_sub_path(sub_path)
    root = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = _open_or_make(root, sub_path, gid)
    except OSError as error:
        reason = "a link in it leads out of the volume" if error.errno == errno.EXDEV else error.strerror
        raise BadSubPath(f"failed to prepare subPath {sub_path!r}: {reason}") from error
    finally:
        os.close(root)
    try:
        _make_target(target, is_directory=os.path.isdir(f"/proc/self/fd/{source}"))  # noqa: PTH112
        bind_open_file(source, target)
    finally:
        os.close(source)


def check_sub_path(sub_path: str) -> None:
    if sub_path.startswith("/") or ".." in PurePosixPath(sub_path).parts:
        raise BadSubPath(f"subPath {sub_path!r} must be relative, without ..")


def _open_or_make(root: int, sub_path: str, gid: int | None) -> int:
    try:
        return open_beneath(root, sub_path, os.O_PATH)
    except FileNotFoundError:
        _make_directories(root, sub_path, gid)
        return open_beneath(root, sub_path, os.O_PATH)


def _make_directories(root: int, sub_path: str, gid: int | None) -> None:
    """Make what is missing, one part after the other, each opened without leaving the volume."""
    parts = PurePosixPath(sub_path).parts
    for depth in range(1, len(parts) + 1):
        parent = open_beneath(root, str(PurePosixPath(*parts[: depth - 1])), os.O_PATH | os.O_DIRECTORY)
        try:
            os.mkdir(parts[depth - 1], DIRECTORY_MODE, dir_fd=parent)
            if gid is not None:
                os.chown(parts[depth - 1], -1, gid, dir_fd=parent, follow_symlinks=False)
        except FileExistsError:
            continue
        finally:
            os.close(parent)


def _make_target(target: Path, *, is_directory: bool) -> None:
    for mount in mounts_below(target):
        unmount(mount)
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_directory:
        target.unlink(missing_ok=True) if target.is_file() else None
        target.mkdir(exist_ok=True)
    else:
        target.rmdir() if target.is_dir() else None
        target.touch()
