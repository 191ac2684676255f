"""Limit, measure, freeze and remove the cgroups of Pods and containers, on cgroup v1 and v2."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from grandstand.clock import Clock, SystemClock
from grandstand.errors import PlatformError
from grandstand.node.processes import ProcessKey, ended, process_key, send_signal

from .hierarchies import Hierarchies, VersionOne, VersionTwo
from .limits import Limits
from .statistics import Stats

__all__ = ["Cgroups", "Limits", "Stats"]

ROOT = Path("/sys/fs/cgroup")
FIRST_PAUSE_SECONDS = 0.0005
LONGEST_PAUSE_SECONDS = 0.05
# A killed process that sits in uninterruptible sleep is not worth waiting for any longer.
LONGEST_DEATH_SECONDS = 2
# In all about two seconds of pauses: a freezer that takes longer holds a process in uninterruptible sleep.
ATTEMPTS = 48


class Cgroups:
    """The cgroups of this machine. A cgroup is named by its path relative to the root, e.g. `gs-ab12cd/pod42`."""

    def __init__(self, hierarchies: Hierarchies, clock: Clock) -> None:
        self._hierarchies = hierarchies
        self._clock = clock

    @classmethod
    def detect(cls, root: Path = ROOT, *, clock: Clock | None = None) -> Cgroups:
        """v2 where it is mounted at the root, else v1 (a hybrid's limits are in v1). Raises NoCgroups."""
        unified = (root / "cgroup.controllers").exists()
        return cls(VersionTwo(root) if unified else VersionOne(root), clock or SystemClock())

    @property
    def version(self) -> int:
        return self._hierarchies.version

    @property
    def swap_accounting(self) -> bool:
        return self._hierarchies.swap_accounting

    def create_pod(self, cgroup: str, limits: Limits) -> None:
        """Make the cgroup in which a Pod's containers get theirs, or set the limits of one that is there."""
        self._hierarchies.create(_checked(cgroup), limits)

    def set_cpu_limit(self, cgroup: str, cpu_millicores: int | None) -> None:
        """Bound the CPU time of a cgroup that is there; None: no bound."""
        self._hierarchies.set_cpu_limit(_checked(cgroup), cpu_millicores)

    def hasten(self, cgroup: str) -> None:
        """Let who was killed in a cgroup die at its machine's speed: lift its CPU bound, and that of the one around it.

        Dying takes CPU. 3,000 processes of a fork bomb, bound to 300m, had not ended after nine minutes. What else is
        in the cgroup around it has a bound of its own, or there would be none around.
        """
        path = PurePosixPath(_checked(cgroup))
        for each in (path, path.parent):
            if each.parts:
                with contextlib.suppress(OSError):  # it is gone, or its controller is
                    self._hierarchies.set_cpu_limit(str(each), None)

    def doors(self, cgroup: str) -> list[Path]:
        """The files through which a process joins a cgroup that `create_pod` has made: who writes 0 to all is in it."""
        return self._hierarchies.doors(_checked(cgroup))

    def stats(self, cgroup: str) -> Stats | None:
        """What a cgroup and all below it have used, or None when there is no such cgroup."""
        try:
            return self._hierarchies.stats(_checked(cgroup))
        except (FileNotFoundError, OSError) as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return None
            raise

    def spent(self, cgroup: str) -> tuple[int, int] | None:
        """CPU in nanoseconds since the cgroup was made, and working set in bytes; None when there is no such cgroup."""
        try:
            return self._hierarchies.spent(_checked(cgroup))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return None
            raise

    def oom_kills(self, cgroup: str) -> int:
        """How many processes the kernel has killed for memory; 0 when there is no such cgroup."""
        return self._hierarchies.oom_kills(_checked(cgroup))

    def is_frozen(self, cgroup: str) -> bool:
        return self._hierarchies.is_frozen(_checked(cgroup))

    async def freeze(self, cgroup: str) -> None:
        """Stop every process where it stands; return when all do. Raises PlatformError when one cannot be stopped."""
        for attempt, pause in enumerate(_pauses()):
            # v1 forgets a process that execs or forks meanwhile, until it is asked again; and when even that does not
            # help, to let it go for a moment does.
            if attempt % 8 == 7:
                self._hierarchies.set_frozen(cgroup, frozen=False)
            self._hierarchies.set_frozen(_checked(cgroup), frozen=True)
            if self._hierarchies.is_frozen(cgroup):
                return
            # v1 tells nobody when the last process stands still.
            await self._clock.sleep(pause)
        self._hierarchies.set_frozen(cgroup, frozen=False)
        raise PlatformError(f"cgroup {cgroup} could not be frozen: a process in it does not stop; see /proc/PID/stack")

    def thaw(self, cgroup: str) -> None:
        """Let every process go on; at once."""
        self._hierarchies.set_frozen(_checked(cgroup), frozen=False)

    def kill(self, cgroup: str) -> None:
        """Kill every process in a cgroup and below it. One that is just being forked may slip through; see `remove`."""
        for process in _processes([tree / _checked(cgroup) for tree in self._hierarchies.trees()]):
            send_signal(process, signal.SIGKILL)

    async def remove(self, cgroup: str) -> None:
        """Kill what still runs in a cgroup and below it, and remove it from every tree. Nothing there: nothing done.

        Raises PlatformError when a process does not die.
        """
        trees = [tree / _checked(cgroup) for tree in self._hierarchies.trees()]
        for pause in _pauses():
            left = [path for path in trees if not _remove_tree(path)]
            if not left:
                return
            if processes := _processes(left):
                await self._kill(cgroup, processes)
            else:
                # The last process is gone, but the kernel has not yet put its cgroup away.
                await self._clock.sleep(pause)
        raise PlatformError(f"cgroup {cgroup} could not be removed: a process in it does not end; see /proc/PID/stack")

    async def _kill(self, cgroup: str, processes: set[ProcessKey]) -> None:
        for process in processes:
            send_signal(process, signal.SIGKILL)
        for path in _directories(cgroup, self._hierarchies):
            self.hasten(path)
            # A frozen process of v1 dies only when it thaws.
            if self._hierarchies.is_frozen(path):
                self._hierarchies.set_frozen(path, frozen=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_DEATH_SECONDS):
                for process in processes:
                    await ended(process)


def _checked(cgroup: str) -> str:
    """Refuse what would reach beyond one's own cgroups. Raises ValueError."""
    path = PurePosixPath(cgroup)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"cgroup {cgroup!r} must be a relative path without ..")
    return cgroup


def _pauses() -> Iterator[float]:
    return (min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS) for attempt in range(ATTEMPTS))


def _directories(cgroup: str, hierarchies: Hierarchies) -> set[str]:
    """The cgroup and all below it, by their names, in whichever tree they are."""
    return {
        str(Path(folder).relative_to(tree)) for tree in hierarchies.trees() for folder, _, _ in os.walk(tree / cgroup)
    }


def _remove_tree(path: Path) -> bool:
    """Remove a cgroup's directories, the innermost first; False when one is still in use."""
    gone = True
    for folder, _, _ in os.walk(path, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
            gone = False
    return gone


def _processes(paths: list[Path]) -> set[ProcessKey]:
    """Who runs in the cgroups below some paths."""
    found = set()
    for path in paths:
        for file in path.rglob("cgroup.procs"):
            try:
                pids = file.read_text().split()
            except OSError:
                continue
            found |= {key for pid in pids if (key := process_key(int(pid)))}
    return found
