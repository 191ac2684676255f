"""The system calls about mounts, namespaces and paths that Python 3.11 does not offer. All raise OSError."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
NEW_UTS, NEW_IPC, NEW_NET = 0x04000000, 0x08000000, 0x40000000
_OPENAT2, _PIDFD_GETFD = 437, 438  # the same on every architecture
_NO_MAGIC_LINKS, _NO_LINKS, _BENEATH, _IN_ROOT = 0x02, 0x04, 0x08, 0x10

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)
_libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)
_libc.sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_libc.syscall.restype = ctypes.c_long


def mount(source: str | Path, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system; see mount(2)."""
    arguments = os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode() or None
    _check(_libc.mount(*arguments), target)


def umount2(target: Path, flags: int) -> None:
    _check(_libc.umount2(os.fsencode(target), flags), target)


def unshare(flags: int) -> None:
    """Put the calling thread, and no other, into new namespaces."""
    _check(_libc.unshare(flags), "new namespaces")


def join(descriptor: int, kind: int) -> None:
    """Put the calling thread, and no other, into the namespace of this kind that a descriptor refers to."""
    _check(_libc.setns(descriptor, kind), "a namespace")


def copy_descriptor(process: int, number: int) -> int:
    """A descriptor of our own for what another process (a pidfd) has open under a number; see pidfd_getfd(2)."""
    descriptor = int(_libc.syscall(ctypes.c_long(_PIDFD_GETFD), process, number, 0))
    _check(min(descriptor, 0), f"descriptor {number}")
    return descriptor


def set_hostname(name: str) -> None:
    """Set the host name of the calling thread's UTS namespace."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), name)


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open a relative path; links are followed, but never out of the directory (EXDEV: one led out)."""
    return _openat2(directory, path, flags, _BENEATH | _NO_MAGIC_LINKS)


def open_in_root(directory: int, path: str, flags: int, *, follow_links: bool = True) -> int:
    """Open a path as if the directory were the root, as after chroot(2): no link, however made, leads out of it."""
    return _openat2(directory, path, flags, _IN_ROOT | _NO_MAGIC_LINKS | (0 if follow_links else _NO_LINKS))


def _openat2(directory: int, path: str, flags: int, resolve: int) -> int:
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)
    size = ctypes.c_size_t(len(how))
    descriptor = int(_libc.syscall(ctypes.c_long(_OPENAT2), directory, os.fsencode(path), how, size))
    _check(min(descriptor, 0), path)
    return descriptor


def _check(result: int, what: str | Path) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(what))
