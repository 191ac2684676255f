"""The few system calls about namespaces and mounts that Python 3.11 does not offer."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

NEW_UTS, NEW_IPC, NEW_NET = 0x04000000, 0x08000000, 0x40000000
BIND, PRIVATE = 0x1000, 1 << 18
DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)
_libc.sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)


def unshare(flags: int) -> None:
    """Put the calling thread, and no other, into new namespaces."""
    _check(_libc.unshare(flags), "unshare namespaces")


def set_hostname(name: str) -> None:
    """Set the host name of the calling thread's UTS namespace."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), f"set the host name {name}")


def bind_mount(source: Path | str, target: Path) -> None:
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), None, BIND, None), f"mount {source} at {target}")


def make_private(target: Path) -> None:
    """Keep mounts below `target` from appearing in other mount namespaces."""
    _check(_libc.mount(None, os.fsencode(target), None, PRIVATE, None), f"make the mount {target} private")


def unmount(target: Path) -> None:
    """Detach a mount, and all below it; what still uses it keeps it alive until it ends."""
    _check(_libc.umount2(os.fsencode(target), DETACH), f"unmount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {what}: {os.strerror(number)}")
