"""Look at this machine for what shows in a container's configuration."""

from __future__ import annotations

import os
import re
import resource
import stat
from functools import cache
from pathlib import Path

from .bundle import Device, Host
from .capabilities import ALL_CAPABILITIES


def read_host(*, cgroup_v2: bool, swap_accounting: bool) -> Host:
    """The facts of this machine; `devices` are left out, as only privileged containers get them."""
    system = os.uname()
    version = re.match(r"(\d+)\.(\d+)", system.release)
    _, open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    capabilities = _own_capabilities(Path("/proc/self/status").read_text())
    may_lower = "CAP_SYS_RESOURCE" in capabilities
    return Host(
        machine=system.machine,
        kernel=(int(version[1]), int(version[2])) if version else (0, 0),
        open_files=open_files if open_files != resource.RLIM_INFINITY else 1 << 30,
        capabilities=capabilities,
        cgroup_v2=cgroup_v2,
        swap_accounting=swap_accounting,
        least_oom_score_adj=-1000 if may_lower else int(Path("/proc/self/oom_score_adj").read_text()),
    )


def _own_capabilities(status: str) -> tuple[str, ...]:
    """The bounding set of this process: an engine that runs in a container itself may have fewer than root has."""
    mask = int(re.findall(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)[0], 16)
    return tuple(name for number, name in enumerate(ALL_CAPABILITIES) if mask >> number & 1)


def read_devices(directory: Path = Path("/dev")) -> tuple[Device, ...]:
    """The device nodes below /dev, without those that every container gets, and without terminals of others."""
    made_anyway = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
    skipped = {"pts", "shm", "mqueue", "fd", ".udev", "lxc", ".lxc"}
    found = []
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name not in skipped]
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else None
            if kind and not (path.parent == directory and name in made_anyway):
                numbers = os.major(status.st_rdev), os.minor(status.st_rdev)
                found.append(
                    Device(f"/dev/{path.relative_to(directory)}", kind, *numbers, stat.S_IMODE(status.st_mode))
                )
    return tuple(found)


@cache
def boot_id() -> str:
    """Changes with every start of the machine: a pid of another boot means nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
