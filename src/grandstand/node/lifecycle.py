"""Decide what the node does next with a Pod's containers. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from grandstand.clock import parse_time
from grandstand.kinds import Container, Pod

from .back_off import retry_at
from .records import ContainerRecord, Failure, PodRecord, Step, is_sidecar

IMAGE_NOTICE_SECONDS = 1.0
"""How long a container shows ErrImagePull before it shows ImagePullBackOff."""


class Ending(StrEnum):
    """Why a whole Pod ends."""

    DELETED = "it was deleted"
    FAILED = "it may not run on"
    COMPLETED = "all its containers have ended for good"


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do now (`start`, `stop`: names of containers), and when to look again if nothing happens before."""

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    ending: Ending | None = None
    again_at: float | None = None


DEADLINE = Failure("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


def next_steps(pod: Pod, record: PodRecord, now: float) -> Steps:
    """What a Pod needs now; containers with something under way are left alone."""
    if pod.metadata.deletion_timestamp is not None:
        return Steps(ending=Ending.DELETED)
    if record.completed:
        return Steps()
    if record.failure is not None:
        return Steps(ending=Ending.FAILED)
    if is_over(pod, record):
        return Steps(ending=Ending.COMPLETED)
    wanted = _wanted(pod, record)
    start, stop, later = [], [], [_deadline(pod, record)]
    for container in wanted:
        state = record.container(container.name)
        if state.step is Step.RUNNING and state.must_end is not None:
            stop.append(container.name)
        elif state.step in (Step.WAITING, Step.EXITED):
            due = start_at(pod, container, state)
            if due is not None and due <= now:
                start.append(container.name)
            else:
                later.extend((due, _notice_at(state, now)))
    times = [time for time in later if time is not None]
    return Steps(tuple(start), tuple(stop), None, min(times, default=None))


def failure_of(pod: Pod, record: PodRecord, now: float) -> Failure | None:
    """Why a Pod may not run on, when it was active for longer than it may be."""
    deadline = _deadline(pod, record)
    return DEADLINE if deadline is not None and deadline <= now and not is_over(pod, record) else None


def _deadline(pod: Pod, record: PodRecord) -> float | None:
    seconds = pod.spec.active_deadline_seconds
    return None if seconds is None else active_since(pod, record) + seconds


def active_since(pod: Pod, record: PodRecord) -> float:
    return parse_time(pod.status.start_time) if pod.status.start_time else record.accepted_at


def is_over(pod: Pod, record: PodRecord) -> bool:
    """Whether no container will run again: the main ones have ended for good, or an init container has."""
    if any(_is_over(pod, c, record.container(c.name)) for c in pod.spec.init_containers if not _succeeded(c, record)):
        return True
    return initialized(pod, record) and all(_is_over(pod, c, record.container(c.name)) for c in pod.spec.containers)


def _is_over(pod: Pod, container: Container, state: ContainerRecord) -> bool:
    return state.step is Step.EXITED and not restarts(pod, container, state)


def restarts(pod: Pod, container: Container, state: ContainerRecord) -> bool:
    """Whether a container that has ended is to be started again."""
    if state.ended is None:
        return True
    if is_sidecar(container) or (container in pod.spec.containers and pod.spec.restart_policy == "Always"):
        return True
    return pod.spec.restart_policy != "Never" and state.ended.code != 0


def initialized(pod: Pod, record: PodRecord) -> bool:
    """Whether the main containers may start; once one has, the init containers are not looked at again."""
    if any(record.container(container.name).runs for container in pod.spec.containers):
        return True
    return all(_passed(container, record) for container in pod.spec.init_containers)


def _passed(container: Container, record: PodRecord) -> bool:
    if is_sidecar(container):
        return record.container(container.name).started
    return _succeeded(container, record)


def _succeeded(container: Container, record: PodRecord) -> bool:
    state = record.container(container.name)
    return state.step is Step.EXITED and state.ended is not None and state.ended.code == 0


def _wanted(pod: Pod, record: PodRecord) -> Iterable[Container]:
    """The containers that should run now, in order: init containers one after another, then the others together."""
    if initialized(pod, record):
        yield from (container for container in pod.spec.init_containers if is_sidecar(container))
        yield from _unblocked(pod.spec.containers, record)
        return
    for container in pod.spec.init_containers:
        if is_sidecar(container) or not _succeeded(container, record):
            yield container
        if not _passed(container, record):
            return


def _unblocked(containers: list[Container], record: PodRecord) -> Iterable[Container]:
    """A postStart hook holds the first start of the containers after it (service meshes count on that)."""
    for container in containers:
        yield container
        state = record.container(container.name)
        if (
            container.lifecycle.post_start is not None
            and state.runs <= 1
            and not state.started
            and not _hook_over(state)
        ):
            return


def _hook_over(state: ContainerRecord) -> bool:
    return state.step is Step.EXITED or state.hook_over


def start_at(pod: Pod, container: Container, state: ContainerRecord) -> float | None:
    """When a container that does not run is to be started; None: when something changes, or never."""
    if state.step is Step.EXITED:
        assert state.ended is not None
        if not restarts(pod, container, state):
            return None
        return retry_at(state.back_off, state.ended.finished_at)
    return state.waiting.retry_at if state.waiting is not None else 0.0


def _notice_at(state: ContainerRecord, now: float) -> float | None:
    """When the reason shown for a failed pull changes."""
    waiting = state.waiting
    if waiting is None or waiting.reason != "ErrImagePull" or waiting.since + IMAGE_NOTICE_SECONDS <= now:
        return None
    return waiting.since + IMAGE_NOTICE_SECONDS
