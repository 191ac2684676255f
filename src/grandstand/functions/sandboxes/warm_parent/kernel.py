"""The system calls that Python's standard library lacks, as far as a warm parent needs them. All raise OSError."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
NEW_MOUNT, NEW_UTS, NEW_IPC, NEW_PID, NEW_NET = 0x20000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
MNT_DETACH = 2
# The same on every architecture.
_MOVE_MOUNT, _CLOSE_RANGE = 429, 436
_AT_FDCWD = -100
_EMPTY_PATH = 4
_DUMPABLE, _KEEP_CAPABILITIES, _SECCOMP, _DROP_BOUNDING = 4, 8, 22, 24
_NO_NEW_PRIVILEGES, _AMBIENT, _CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION = 0x20080522
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_libc.syscall.restype = ctypes.c_long


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    encoded = source.encode(), target.encode(), kind.encode()
    _check(_libc.mount(*encoded, flags, options.encode() or None), target)


def bind_read_only(source: str, target: str) -> None:
    mount(source, target, "", MS_BIND)
    mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), MNT_DETACH), target)


def pivot_root(new: str) -> None:
    """Make a mount the root; what was the root is gone afterwards."""
    os.chdir(new)
    _check(_libc.pivot_root(b".", b"."), new)
    unmount(".")
    os.chdir("/")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "new namespaces")


def join(descriptor: int, kind: int) -> None:
    _check(_libc.setns(descriptor, kind), "a namespace")


def attach(tree: int, target: str) -> None:
    """Mount a detached tree (of `open_tree`) in the namespace one is in."""
    arguments = tree, b"", _AT_FDCWD, target.encode(), _EMPTY_PATH
    _check(_libc.syscall(ctypes.c_long(_MOVE_MOUNT), *arguments), target)


def set_hostname(name: str) -> None:
    _check(_libc.sethostname(name.encode(), len(name)), name)


def close_from(first: int) -> None:
    last = ctypes.c_uint(0xFFFFFFFF)
    _check(_libc.syscall(ctypes.c_long(_CLOSE_RANGE), ctypes.c_uint(first), last, 0), "descriptors")


def raise_loopback() -> None:
    """Bring `lo` of the network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        answer = fcntl.ioctl(asking, _GET_FLAGS, struct.pack("16sh14x", b"lo", 0))
        flags = struct.unpack("16sh14x", answer)[1]
        fcntl.ioctl(asking, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def forbid_new_privileges() -> None:
    _check(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")


def set_inspectable(*, inspectable: bool) -> None:
    """Whether processes of the same user may trace this one, and read its memory and /proc/self."""
    _check(_libc.prctl(_DUMPABLE, int(inspectable), 0, 0, 0), "dumpable")


def empty_bounding_set() -> None:
    """No program that is executed from here on can gain a capability."""
    _check(_libc.prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0), "ambient capabilities")
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    for capability in range(last + 1):
        _check(_libc.prctl(_DROP_BOUNDING, capability, 0, 0, 0), "bounding set")


def keep_capabilities() -> None:
    """Over the next change of user, until `set_capabilities`."""
    _check(_libc.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0), "keep capabilities")


def set_capabilities(*capabilities: int) -> None:
    """Effective and permitted are these (all below 32); nothing is inheritable."""
    mask = sum(1 << capability for capability in capabilities)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _check(_libc.capset(header, struct.pack("=6I", mask, mask, 0, 0, 0, 0)), "capabilities")


def install_filter(program: bytes) -> None:
    """Install a seccomp filter; who has no CAP_SYS_ADMIN must have forbidden new privileges before."""
    what = _Program(len(program) // 8, program)
    _check(_libc.prctl(_SECCOMP, 2, ctypes.addressof(what), 0, 0), "seccomp")
