"""Translate a container into the configuration of the OCI runtime. Pure: what the machine has is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from grandstand.node.cgroups import Limits

from .seccomp import seccomp_profile
from .spec import ContainerSpec, Mount

OCI_VERSION = "1.0.2"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the container's, or the host's for hostIPC
SOFT_OPEN_FILES, HARD_OPEN_FILES = 1024, 524_288

# Files of /proc and /sys that are the host's, not the container's: unreadable, or at least unwritable.
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True)
class Device:
    """A device node of the host, for privileged containers."""

    path: str
    kind: str  # "c" or "b"
    major: int
    minor: int
    mode: int


@dataclass(frozen=True, slots=True)
class Host:
    """What of the machine shows in a container's configuration."""

    machine: str
    kernel: tuple[int, int]
    open_files: int
    capabilities: tuple[str, ...]  # what the engine has itself, and so can give
    cgroup_v2: bool
    swap_accounting: bool
    least_oom_score_adj: int = -1000
    """An engine without CAP_SYS_RESOURCE, as in a container of its own, can give nobody less than it has itself."""
    devices: tuple[Device, ...] = ()


def bundle(spec: ContainerSpec, host: Host) -> dict[str, Any]:
    """The `config.json` of a container."""
    config = {
        "ociVersion": OCI_VERSION,
        "process": _process(spec, host),
        "root": {"path": str(spec.rootfs), "readonly": spec.security.read_only_root},
        "mounts": _mounts(spec),
        "annotations": {
            "dev.grandstand.pod": f"{spec.namespace}/{spec.pod_name}",
            "dev.grandstand.pod-uid": spec.pod_uid,
            "dev.grandstand.container": spec.name,
        },
        "linux": _linux(spec, host),
    }
    if spec.namespaces.uts is not None:
        config["hostname"] = spec.hostname
    return config


def _process(spec: ContainerSpec, host: Host) -> dict[str, Any]:
    names = list(_capabilities(spec, host))
    hard = min(HARD_OPEN_FILES, host.open_files)
    return {
        "terminal": spec.tty,
        "user": {
            "uid": spec.user.uid,
            "gid": spec.user.gid,
            "umask": 0o022,
            # The own group as well (CVE-2023-25173): else a file that its group may not read is open to its members.
            "additionalGids": sorted({spec.user.gid, *spec.user.additional_gids}),
        },
        "args": list(spec.args),
        "env": list(spec.env),
        "cwd": spec.working_dir,
        # Neither inheritable nor ambient (CVE-2022-24769): a program that is not root gets none of them by itself.
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), names),
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": min(SOFT_OPEN_FILES, hard), "hard": hard}],
        "noNewPrivileges": spec.security.no_new_privileges and not spec.security.privileged,
        "oomScoreAdj": max(spec.oom_score_adj, host.least_oom_score_adj),
    }


def _capabilities(spec: ContainerSpec, host: Host) -> tuple[str, ...]:
    if spec.security.privileged:
        return host.capabilities
    return spec.security.capabilities


def _linux(spec: ContainerSpec, host: Host) -> dict[str, Any]:
    privileged = spec.security.privileged
    config: dict[str, Any] = {
        "cgroupsPath": f"/{spec.cgroup}",
        "namespaces": _namespaces(spec),
        "resources": _resources(spec.limits, host, privileged=privileged),
        "maskedPaths": [] if privileged else list(MASKED_PATHS),
        "readonlyPaths": [] if privileged else list(READ_ONLY_PATHS),
    }
    if spec.security.sysctls:
        config["sysctl"] = dict(spec.security.sysctls)
    if propagation := _root_propagation(spec.mounts):
        config["rootfsPropagation"] = propagation
    if spec.security.seccomp and not privileged:
        config["seccomp"] = seccomp_profile(_capabilities(spec, host), host.machine, host.kernel)
    if privileged:
        config["devices"] = [
            {"path": d.path, "type": d.kind, "major": d.major, "minor": d.minor, "fileMode": d.mode}
            for d in host.devices
        ]
    return config


def _namespaces(spec: ContainerSpec) -> list[dict[str, str]]:
    shared = {"network": spec.namespaces.network, "ipc": spec.namespaces.ipc, "uts": spec.namespaces.uts}
    own = ("mount", "cgroup") if spec.namespaces.host_pid else ("mount", "cgroup", "pid")
    return [
        *({"type": kind} for kind in own),
        *({"type": kind, "path": str(path)} for kind, path in shared.items() if path is not None),
    ]


def _resources(limits: Limits, host: Host, *, privileged: bool) -> dict[str, Any]:
    resources: dict[str, Any] = {
        # The runtime adds /dev/null and its like again.
        "devices": [{"allow": privileged, "access": "rwm"}],
        # Without the quota, which is set just before the program starts: under 100m the runtime's own work, done
        # inside the cgroup, would take 46 ms longer.
        "cpu": {"shares": limits.cpu_shares},
    }
    if limits.pids is not None:
        resources["pids"] = {"limit": limits.pids}
    if limits.memory_bytes is not None:
        # Swap would turn a limit into slowness; `swap` counts memory and swap together.
        swap = {"swap": limits.memory_bytes} if host.swap_accounting else {}
        resources["memory"] = {"limit": limits.memory_bytes, **swap}
    if host.cgroup_v2:
        # A server whose worker was killed for memory is half dead: end the container, as the kubelet does.
        resources["unified"] = {"memory.oom.group": "1"}
    return resources


def _root_propagation(mounts: Iterable[Mount]) -> str | None:
    wanted = {mount.propagation for mount in mounts}
    return "rshared" if "rshared" in wanted else "rslave" if "rslave" in wanted else None


def _mounts(spec: ContainerSpec) -> list[dict[str, Any]]:
    """The usual mounts, but for those that the caller replaces; then the caller's, outer before inner."""
    mine = {_normal(mount.target) for mount in spec.mounts}
    usual = [mount for mount in _usual_mounts(spec) if mount["destination"] not in mine]
    return [*usual, *(_mount(mount) for mount in sorted(spec.mounts, key=lambda m: len(_parts(m.target))))]


def _usual_mounts(spec: ContainerSpec) -> list[dict[str, Any]]:
    access = "rw" if spec.security.privileged else "ro"
    return [
        _special("proc", "/proc", "nosuid", "noexec", "nodev"),
        _special("tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _special("devpts", "/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _special("mqueue", "/dev/mqueue", "nosuid", "noexec", "nodev"),
        _shared_memory(spec),
        _special("sysfs", "/sys", "nosuid", "noexec", "nodev", access),
        _special("cgroup", "/sys/fs/cgroup", "nosuid", "noexec", "nodev", "relatime", access),
    ]


def _shared_memory(spec: ContainerSpec) -> dict[str, Any]:
    if spec.namespaces.ipc is None:
        options = ["rbind", "rprivate", "rw"]
        return {"destination": SHARED_MEMORY, "type": "bind", "source": SHARED_MEMORY, "options": options}
    return _special("tmpfs", SHARED_MEMORY, "nosuid", "noexec", "nodev", "mode=1777", "size=65536k")


def _special(kind: str, target: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": kind, "options": list(options)}


def _mount(mount: Mount) -> dict[str, Any]:
    access = "ro" if mount.read_only else "rw"
    if mount.kind == "tmpfs":
        options = ["nosuid", "nodev", access, *mount.options]
        return {"destination": _normal(mount.target), "type": "tmpfs", "source": "tmpfs", "options": options}
    options = ["rbind", mount.propagation, access, *mount.options]
    return {"destination": _normal(mount.target), "type": "bind", "source": str(mount.source), "options": options}


def _normal(target: str) -> str:
    return str(PurePosixPath("/", *_parts(target)))


def _parts(target: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(target).parts if part != "/" and part != "//")
