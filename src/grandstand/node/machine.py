"""What this machine is: size, names, versions, and whether it runs short of something."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from .parts import Capacity

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LEAST_MEMORY_BYTES = 100 * 1024 * 1024
LEAST_DISK_SHARE = 0.10
MOST_PID_SHARE = 0.90
"""The kubelet's default thresholds for memory.available and nodefs.available."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """What the machine is short of."""

    memory: bool
    disk: bool
    pids: bool


def capacity() -> Capacity:
    return Capacity((os.cpu_count() or 1) * 1000, _memory()["MemTotal"])


def disk_bytes(data: Path) -> int:
    """The size of the file system that holds the data directory."""
    return shutil.disk_usage(data).total


def pressure(data: Path) -> Pressure:
    disk = shutil.disk_usage(data)
    processes = sum(entry.name.isdigit() for entry in Path("/proc").iterdir())
    most = int(Path("/proc/sys/kernel/pid_max").read_text())
    return Pressure(
        memory=_memory()["MemAvailable"] < LEAST_MEMORY_BYTES,
        disk=disk.free < LEAST_DISK_SHARE * disk.total,
        pids=processes > MOST_PID_SHARE * most,
    )


def node_info(runtime_version: str) -> dict[str, str]:
    """`status.nodeInfo` of a Node."""
    machine_id = Path("/etc/machine-id")
    return {
        "architecture": architecture(),
        "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "containerRuntimeVersion": runtime_version,
        "kernelVersion": platform.release(),
        "kubeProxyVersion": "",
        "kubeletVersion": "v1.37.0+grandstand",
        "machineID": machine_id.read_text().strip() if machine_id.exists() else "",
        "operatingSystem": "linux",
        "osImage": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
        "systemUUID": machine_id.read_text().strip() if machine_id.exists() else "",
    }


def architecture() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def host_name() -> str:
    return platform.node()


def _memory() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    rows = (line.replace(":", "").split() for line in lines)
    return {row[0]: int(row[1]) * 1024 for row in rows if len(row) > 2}
