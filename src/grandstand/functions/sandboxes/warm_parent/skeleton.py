"""Build the read-only root that all sandboxes of a warm parent share, and enter it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping

from . import kernel

_PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_EMPTY = ("dev", "etc", "opt", "proc", "tmp", "usr", "var/task", "var/runtime")
_DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
_ETC = {
    "passwd": "root:x:0:0::/:/bin/false\nsupervisor:x:65533:65533::/:/bin/false\nnobody:x:65534:65534::/tmp:/bin/sh\n",
    "group": "root:x:0:\nsupervisor:x:65533:\nnogroup:x:65534:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
_HOST_FILES = ("ld.so.cache", "localtime", "services", "protocols")
_HOST_FOLDERS = ("ssl/certs", "ca-certificates", "alternatives")


def enter(directory: str, runtime: str, etc: Mapping[str, str]) -> None:
    """Leave the host's mounts for a root built at `directory`; the folder `runtime` is copied into /var/runtime."""
    kernel.unshare(kernel.NEW_MOUNT)
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", directory, "tmpfs", kernel.MS_NOSUID, "mode=755,size=16m")
    for name in _EMPTY:
        os.makedirs(f"{directory}/{name}")
    kernel.bind_read_only("/usr", f"{directory}/usr")
    for name in _PROGRAMS:
        _show_programs(f"/{name}", f"{directory}/{name}")
    _write_etc(f"{directory}/etc", _ETC | dict(etc))
    _make_devices(f"{directory}/dev")
    shutil.copytree(runtime, f"{directory}/var/runtime/{os.path.basename(runtime)}")
    # A parent needs a proc of the host's processes only to read its own limits; instances mount theirs over it.
    kernel.mount("proc", f"{directory}/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.pivot_root(directory)
    kernel.mount("", "/", "", kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID)


def _show_programs(source: str, target: str) -> None:
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        os.mkdir(target)
        kernel.bind_read_only(source, target)


def _write_etc(target: str, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        with open(f"{target}/{name}", "w") as file:
            file.write(text)
    for name in _HOST_FILES:
        if os.path.isfile(f"/etc/{name}"):
            shutil.copyfile(f"/etc/{name}", f"{target}/{name}")
    for name in _HOST_FOLDERS:
        if os.path.isdir(f"/etc/{name}"):
            os.makedirs(f"{target}/{name}")
            kernel.bind_read_only(f"/etc/{name}", f"{target}/{name}")


def _make_devices(target: str) -> None:
    for name, minor in _DEVICES.items():
        os.mknod(f"{target}/{name}", stat.S_IFCHR | 0o666, os.makedev(1, minor))
        os.chmod(f"{target}/{name}", 0o666)
    for name, link in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        os.symlink(f"/proc/self/fd{link}", f"{target}/{name}")
