"""Mounts, and opening a path without leaving a directory: what Python 3.11 does not offer."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

from grandstand.node.mounts import MS_BIND, MS_NODEV, MS_NOSUID, MS_REC, mount

_OPENAT2 = 437  # the same on x86-64 and arm64
_RESOLVE_NO_MAGICLINKS, _RESOLVE_BENEATH = 2, 8

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def mount_tmpfs(target: Path, size_bytes: int | None, mode: int) -> None:
    size = "" if size_bytes is None else f",size={size_bytes}"
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:o}{size}")


def bind_open_file(descriptor: int, target: Path) -> None:
    """Mount what a descriptor stands for, whatever its path means by now."""
    mount(f"/proc/self/fd/{descriptor}", target, "", MS_BIND | MS_REC)


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open a relative path; links are followed, but never out of the directory. Raises OSError (EXDEV: it led out)."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    arguments = (ctypes.c_long(_OPENAT2), directory, os.fsencode(path), ctypes.byref(how), ctypes.c_size_t(24))
    descriptor = int(_libc.syscall(*arguments))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return descriptor


def mounts_below(directory: Path) -> list[Path]:
    """The mount points at or below a directory, the newest first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        point = Path(os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes((int(m[1], 8),)), line.split(b" ")[4])))
        if point.is_relative_to(directory):
            found.append(point)
    return found[::-1]
