"""Open a path inside a directory as if that were the root: no link, however made, leads out of it."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

# The same number on every architecture; see openat2(2).
SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10

_libc = ctypes.CDLL(None, use_errno=True)


def open_inside(root: Path, path: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of `path` below `root`, which the kernel resolves as after chroot(2). Raises OSError."""
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        descriptor = int(_libc.syscall(SYS_OPENAT2, directory, os.fsencode(path), how, ctypes.c_size_t(len(how))))
        if descriptor < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(root / path))
        return descriptor
    finally:
        os.close(directory)
