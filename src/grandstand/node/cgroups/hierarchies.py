"""The two ways in which the kernel shows cgroups as files: v1, one tree per controller, and v2, one tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from grandstand.errors import NoCgroups

from .limits import QUOTA_PERIOD_MICROSECONDS, Limits, quota_microseconds, weight_of_shares
from .statistics import Stats, field, keyed, working_set

UNLIMITED_V1, UNLIMITED_V2 = "-1", "max"


class Hierarchies(Protocol):
    """What differs between v1 and v2. A cgroup is a path relative to each tree's root."""

    version: int

    @property
    def swap_accounting(self) -> bool:
        """Whether swap can be limited."""

    def trees(self) -> Iterator[Path]:
        """The roots of all trees in which a cgroup may have a directory."""

    def create(self, cgroup: str, limits: Limits) -> None:
        """Make a cgroup, or set the limits of one that is there."""

    def doors(self, cgroup: str) -> list[Path]:
        """The files that processes write themselves to; see `Cgroups.doors`."""

    def set_cpu_limit(self, cgroup: str, cpu_millicores: int | None) -> None:
        """Raises FileNotFoundError when there is no such cgroup."""

    def stats(self, cgroup: str) -> Stats:
        """Raises FileNotFoundError when there is no such cgroup."""

    def spent(self, cgroup: str) -> tuple[int, int]:
        """CPU in nanoseconds since the cgroup was made, and its working set in bytes. Raises FileNotFoundError."""

    def oom_kills(self, cgroup: str) -> int:
        """How many processes of this cgroup, and those below it, the kernel has killed for memory."""

    def set_frozen(self, cgroup: str, *, frozen: bool) -> None:
        """Ask the kernel; it takes a moment."""

    def is_frozen(self, cgroup: str) -> bool:
        """Whether every process stands still. False when there is no such cgroup."""


class VersionOne:
    """One tree per controller; the engine's limits are in cpu, memory and pids, its spares in freezer."""

    version = 1
    NEEDED = ("cpu", "cpuacct", "memory", "pids", "freezer")

    def __init__(self, root: Path) -> None:
        self._root = root
        if missing := [name for name in self.NEEDED if not (root / name).is_dir()]:
            raise NoCgroups(
                f"This machine has no cgroup controller {', '.join(missing)} below {root}: "
                "start it with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or mount the controller"
            )

    @property
    def swap_accounting(self) -> bool:
        return (self._root / "memory/memory.memsw.limit_in_bytes").exists()

    def trees(self) -> Iterator[Path]:
        # `cpu` may be a link to `cpu,cpuacct`.
        return (path for path in self._root.iterdir() if path.is_dir() and not path.is_symlink())

    def create(self, cgroup: str, limits: Limits) -> None:
        for controller in self.NEEDED:
            (self._root / controller / cgroup).mkdir(parents=True, exist_ok=True)
        cpu, memory = self._root / "cpu" / cgroup, self._root / "memory" / cgroup
        (cpu / "cpu.shares").write_text(str(limits.cpu_shares))
        self.set_cpu_limit(cgroup, limits.cpu_millicores)
        self._limit_memory(memory, limits.memory_bytes)
        pids = UNLIMITED_V2 if limits.pids is None else str(limits.pids)
        (self._root / "pids" / cgroup / "pids.max").write_text(pids)

    def doors(self, cgroup: str) -> list[Path]:
        directories = {(self._root / controller).resolve() / cgroup for controller in self.NEEDED}
        return [directory / "cgroup.procs" for directory in sorted(directories)]

    def set_cpu_limit(self, cgroup: str, cpu_millicores: int | None) -> None:
        cpu = self._root / "cpu" / cgroup
        quota = UNLIMITED_V1 if cpu_millicores is None else str(quota_microseconds(cpu_millicores))
        (cpu / "cpu.cfs_period_us").write_text(str(QUOTA_PERIOD_MICROSECONDS))
        (cpu / "cpu.cfs_quota_us").write_text(quota)

    def _limit_memory(self, memory: Path, limit_bytes: int | None) -> None:
        """Memory, and memory with swap. The kernel refuses any state in between in which the second is the smaller."""
        value = UNLIMITED_V1 if limit_bytes is None else str(limit_bytes)
        files = [memory / "memory.limit_in_bytes", memory / "memory.memsw.limit_in_bytes"]
        if not files[1].exists():
            files.pop()
        elif limit_bytes is None or limit_bytes > int(files[1].read_text()):
            files.reverse()
        for file in files:
            file.write_text(value)

    def spent(self, cgroup: str) -> tuple[int, int]:
        return self._cpu_ns(cgroup), self._memory(cgroup)[1]

    def _cpu_ns(self, cgroup: str) -> int:
        return int((self._root / "cpuacct" / cgroup / "cpuacct.usage").read_text())

    def _memory(self, cgroup: str) -> tuple[int, int]:
        """Usage and working set in bytes, of one moment."""
        memory = self._root / "memory" / cgroup
        usage = int((memory / "memory.usage_in_bytes").read_text())
        return usage, working_set(usage, field((memory / "memory.stat").read_text(), "total_inactive_file"))

    def stats(self, cgroup: str) -> Stats:
        usage, in_use = self._memory(cgroup)
        return Stats(
            cpu_usage_ns=self._cpu_ns(cgroup),
            memory_usage_bytes=usage,
            memory_working_set_bytes=in_use,
            pids=int((self._root / "pids" / cgroup / "pids.current").read_text()),
            oom_kills=self.oom_kills(cgroup),
        )

    def oom_kills(self, cgroup: str) -> int:
        # v1 counts a kill only in the cgroup of the killed process, not in those above it.
        files = (self._root / "memory" / cgroup).rglob("memory.oom_control")
        return sum(keyed(text).get("oom_kill", 0) for text in _texts(files))

    def set_frozen(self, cgroup: str, *, frozen: bool) -> None:
        (self._root / "freezer" / cgroup / "freezer.state").write_text("FROZEN" if frozen else "THAWED")

    def is_frozen(self, cgroup: str) -> bool:
        return "FROZEN\n" in _texts([self._root / "freezer" / cgroup / "freezer.state"])


class VersionTwo:
    """One tree; a controller works in a cgroup when every cgroup above hands it on."""

    version = 2
    NEEDED = ("cpu", "memory", "pids")

    def __init__(self, root: Path) -> None:
        self._root = root
        present = (root / "cgroup.controllers").read_text().split()
        if missing := [name for name in self.NEEDED if name not in present]:
            raise NoCgroups(
                f"This machine's cgroup v2 does not offer {', '.join(missing)}: its parent must hand the "
                "controllers on (cgroup.subtree_control), or the kernel be started with them (cgroup_enable=memory)"
            )

    @property
    def swap_accounting(self) -> bool:
        return any(self._root.glob("*/memory.swap.max"))

    def trees(self) -> Iterator[Path]:
        return iter([self._root])

    def create(self, cgroup: str, limits: Limits) -> None:
        directory = self._root / cgroup
        directory.mkdir(parents=True, exist_ok=True)
        enable = " ".join(f"+{name}" for name in self.NEEDED)
        for part in (*reversed(Path(cgroup).parents), Path(cgroup)):
            (self._root / part / "cgroup.subtree_control").write_text(enable)
        (directory / "cpu.weight").write_text(str(weight_of_shares(limits.cpu_shares)))
        self.set_cpu_limit(cgroup, limits.cpu_millicores)
        (directory / "memory.max").write_text(_maximum(limits.memory_bytes))
        if limits.memory_bytes is not None and (directory / "memory.swap.max").exists():
            (directory / "memory.swap.max").write_text("0")
        (directory / "pids.max").write_text(_maximum(limits.pids))

    def doors(self, cgroup: str) -> list[Path]:
        # A cgroup that hands controllers on holds no processes itself.
        leaf = self._root / cgroup / "processes"
        leaf.mkdir(exist_ok=True)
        return [leaf / "cgroup.procs"]

    def set_cpu_limit(self, cgroup: str, cpu_millicores: int | None) -> None:
        quota = UNLIMITED_V2 if cpu_millicores is None else quota_microseconds(cpu_millicores)
        (self._root / cgroup / "cpu.max").write_text(f"{quota} {QUOTA_PERIOD_MICROSECONDS}")

    def spent(self, cgroup: str) -> tuple[int, int]:
        return self._cpu_ns(cgroup), self._memory(cgroup)[1]

    def _cpu_ns(self, cgroup: str) -> int:
        return field((self._root / cgroup / "cpu.stat").read_text(), "usage_usec") * 1000

    def _memory(self, cgroup: str) -> tuple[int, int]:
        """Usage and working set in bytes, of one moment."""
        usage = int((self._root / cgroup / "memory.current").read_text())
        return usage, working_set(usage, field((self._root / cgroup / "memory.stat").read_text(), "inactive_file"))

    def stats(self, cgroup: str) -> Stats:
        directory = self._root / cgroup
        usage, in_use = self._memory(cgroup)
        return Stats(
            cpu_usage_ns=self._cpu_ns(cgroup),
            memory_usage_bytes=usage,
            memory_working_set_bytes=in_use,
            pids=int((directory / "pids.current").read_text()),
            oom_kills=self.oom_kills(cgroup),
        )

    def oom_kills(self, cgroup: str) -> int:
        return sum(keyed(text).get("oom_kill", 0) for text in _texts([self._root / cgroup / "memory.events"]))

    def set_frozen(self, cgroup: str, *, frozen: bool) -> None:
        (self._root / cgroup / "cgroup.freeze").write_text("1" if frozen else "0")

    def is_frozen(self, cgroup: str) -> bool:
        return any(keyed(text).get("frozen") == 1 for text in _texts([self._root / cgroup / "cgroup.events"]))


def _maximum(value: int | None) -> str:
    return UNLIMITED_V2 if value is None else str(value)


def _texts(files: Iterable[Path]) -> list[str]:
    """The files' contents; a cgroup that is removed meanwhile is left out."""
    found = []
    for file in files:
        try:
            found.append(file.read_text())
        except (FileNotFoundError, OSError):
            continue
    return found
