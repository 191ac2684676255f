"""Find out what became of a container while no engine ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grandstand.node.processes import is_running

from .conmon import Conmon
from .executing import end_commands
from .exits import UNKNOWN_CODE, ContainerExit
from .host import boot_id
from .spec import ContainerSpec
from .starting import is_waiting_to_start
from .state import Record, Shelf


@dataclass(frozen=True, slots=True)
class Adopted:
    """A container that an earlier engine has left.

    Neither `running` nor with an `exit`: it never came to start (`started_at` is None). With a `pid` it can be
    started, without one only be removed. `running` is also true of one that has ended just now: `wait` for its exit.
    """

    id: str
    pod_uid: str
    pid: int | None
    created_at: float
    started_at: float | None
    running: bool
    exit: ContainerExit | None
    spec: ContainerSpec


def adopted(shelf: Shelf, conmon: Conmon, exit_of: Callable[[Shelf], ContainerExit | None]) -> Adopted | None:
    """The container of a state directory; None, and no directory any more, when nothing was launched from it."""
    spec = shelf.spec()
    if spec is None:
        shelf.destroy()
        return None
    record = shelf.record()
    if record is None:
        return Adopted(shelf.id, spec.pod_uid, None, shelf.created_at(), None, running=False, exit=None, spec=spec)
    monitored, pid = _alive(record)
    found = exit_of(shelf)
    if found is None and not monitored and pid is None:
        # Both went without a word: a reboot, or somebody who kills everything.
        shelf.write_exit(UNKNOWN_CODE)
        found = exit_of(shelf)
    end_commands(shelf, spec.cgroup)
    started_at = _started_at(shelf, record, conmon)
    running = found is None and started_at is not None
    return Adopted(shelf.id, spec.pod_uid, pid, record.created_at, started_at, running=running, exit=found, spec=spec)


def _alive(record: Record) -> tuple[bool, int | None]:
    """Whether the monitor runs, and the pid of the first process if that runs."""
    if record.boot != boot_id():
        return False, None
    pid = record.init.pid if record.init is not None and is_running(record.init) else None
    return record.monitor is not None and is_running(record.monitor), pid


def _started_at(shelf: Shelf, record: Record, conmon: Conmon) -> float | None:
    """When it was started; an engine that died between saying so and doing so is corrected here."""
    if record.init is not None and is_waiting_to_start(conmon, shelf.id, record.init):
        shelf.mark_started(None)
    return shelf.started_at()
