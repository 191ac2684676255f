"""What the node knows of a Pod and its containers, as values that survive a restart of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import msgspec

from grandstand.kinds import Container, Object, Pod

from .back_off import NONE, BackOff


class Step(StrEnum):
    """Where a container stands."""

    WAITING = "it has to be started, or to be tried again"
    STARTING = "it is being started"
    RUNNING = "it runs"
    STOPPING = "it runs, and has been asked to end"
    EXITED = "its newest run has ended"


class Happening(StrEnum):
    """What may happen to a container."""

    START = "the node begins to start it"
    REFUSED = "it could not be made: image, configuration, runtime"
    BROKEN = "it was made, but its program could not be started"
    STARTED = "its program runs"
    STOP = "the node begins to stop it"
    EXIT = "its program has ended"
    ABANDONED = "the engine ended while starting it, and nothing runs"


TRANSITIONS: Mapping[tuple[Step, Happening], Step] = {
    (Step.WAITING, Happening.START): Step.STARTING,
    (Step.EXITED, Happening.START): Step.STARTING,
    (Step.STARTING, Happening.REFUSED): Step.WAITING,
    (Step.STARTING, Happening.ABANDONED): Step.WAITING,
    (Step.STARTING, Happening.BROKEN): Step.EXITED,
    (Step.STARTING, Happening.STARTED): Step.RUNNING,
    (Step.STARTING, Happening.EXIT): Step.EXITED,
    (Step.RUNNING, Happening.STOP): Step.STOPPING,
    (Step.RUNNING, Happening.EXIT): Step.EXITED,
    (Step.STOPPING, Happening.EXIT): Step.EXITED,
}


def after(step: Step, happening: Happening) -> Step:
    """The step after a happening. Raises LookupError for one that cannot happen there: a bug."""
    try:
        return TRANSITIONS[step, happening]
    except KeyError:
        raise LookupError(f"a container of which {step.value!r} cannot meet {happening.value!r}") from None


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of a container ended; times are wall-clock seconds."""

    id: str
    code: int
    reason: str
    finished_at: float
    started_at: float | None = None
    signal: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run yet, in Kubernetes' words; `retry_at` None: until something changes."""

    reason: str
    message: str = ""
    since: float = 0.0
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One container of a Pod. `ended` is the newest run that ended, `ended_before` the one before it."""

    step: Step = Step.WAITING
    id: str = ""
    image_id: str = ""
    stop_signal: int = 15
    waiting: Waiting | None = None
    started_at: float | None = None
    hook_over: bool = False
    """Its postStart hook, if it has one, has ended."""
    started: bool = False
    """Its postStart hook is over, and its startup probe has succeeded."""
    ready: bool = False
    restarts: int = 0
    runs: int = 0
    ended: Ended | None = None
    ended_before: Ended | None = None
    back_off: BackOff = NONE
    pull_back_off: BackOff = NONE
    must_end: str | None = None

    @property
    def alive(self) -> bool:
        return self.step in (Step.RUNNING, Step.STOPPING)

    @property
    def busy(self) -> bool:
        """Whether the node is doing something with it right now."""
        return self.step in (Step.STARTING, Step.STOPPING)

    def moved(self, happening: Happening) -> ContainerRecord:
        return replace(self, step=after(self.step, happening))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the whole Pod has failed: `DeadlineExceeded`, `Evicted`."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class PodRecord:
    """One Pod. `pod` is the newest object seen, so that a Pod that is gone from the API can still be ended well."""

    uid: str
    pod: Object
    accepted_at: float
    containers: dict[str, ContainerRecord] = field(default_factory=dict)
    sandboxed: bool = False
    failure: Failure | None = None
    ending_since: float | None = None
    completed: bool = False
    """All containers have ended for good, and what they used has been given back (logs stay)."""

    def container(self, name: str) -> ContainerRecord:
        return self.containers.get(name, _UNTOUCHED)

    def with_container(self, name: str, record: ContainerRecord) -> PodRecord:
        return replace(self, containers={**self.containers, name: record})


_UNTOUCHED = ContainerRecord()


def encode(record: PodRecord) -> bytes:
    return msgspec.json.encode(record)


def decode(text: bytes) -> PodRecord:
    """Raises msgspec.DecodeError or ValidationError for text that no version of Grandstand wrote."""
    return msgspec.json.decode(text, type=PodRecord)


def is_sidecar(container: Container) -> bool:
    """Whether an init container keeps running beside the others."""
    return container.restart_policy == "Always"


def all_containers(pod: Pod) -> tuple[Container, ...]:
    """In the order in which they are started."""
    return (*pod.spec.init_containers, *pod.spec.containers)
