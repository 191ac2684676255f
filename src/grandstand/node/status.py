"""The status of a Pod as Kubernetes words it, from what the node knows. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grandstand.clock import rfc3339
from grandstand.kinds import Container, Object, Pod

from .lifecycle import initialized, restarts
from .limits import qos_class
from .records import PodRecord, all_containers
from .status_containers import Shown, container_status, shown_container


@dataclass(frozen=True, slots=True)
class Addresses:
    """Of the sandbox; `pod` is "" before there is one."""

    host: str
    pod: str = ""


def pod_status(pod: Pod, record: PodRecord, addresses: Addresses, before: Object, now: float) -> Object:
    """The whole status. `before` is the status that the API has: conditions of others, and transition times, stay."""
    shown = {c.name: shown_container(pod, c, record, now) for c in all_containers(pod)}
    phase = pod_phase(pod, record)
    status: Object = {
        "phase": phase,
        "conditions": _conditions(pod, record, phase, before.get("conditions", []), now),
        "hostIP": addresses.host,
        "hostIPs": [{"ip": addresses.host}],
        "startTime": before.get("startTime") or rfc3339(record.accepted_at),
        "qosClass": qos_class(pod).value,
        "containerStatuses": _statuses(pod.spec.containers, shown, before.get("containerStatuses", [])),
    }
    if addresses.pod:
        status |= {"podIP": addresses.pod, "podIPs": [{"ip": addresses.pod}]}
    if pod.spec.init_containers:
        earlier = before.get("initContainerStatuses", [])
        status["initContainerStatuses"] = _statuses(pod.spec.init_containers, shown, earlier)
    if record.failure is not None:
        status |= {"reason": record.failure.reason, "message": record.failure.message}
    if pod.metadata.generation:
        status["observedGeneration"] = pod.metadata.generation
    return status


def _statuses(containers: Iterable[Container], shown: dict[str, Shown], before: Sequence[Object]) -> list[Object]:
    known = {status["name"]: status for status in before}
    return [container_status(c, shown[c.name], known.get(c.name, {})) for c in containers]


def pod_phase(pod: Pod, record: PodRecord) -> str:
    """Pending until every container has run, Running while one runs or will again, then Succeeded or Failed."""
    states = [(container, record.container(container.name)) for container in pod.spec.containers]
    if record.failure is not None and (record.completed or not any(state.alive for _, state in states)):
        return "Failed"
    if not initialized(pod, record):
        return "Failed" if _init_failed(pod, record) else "Pending"
    if any(state.started_at is None and state.ended is None for _, state in states):
        return "Pending"
    ended = [state.ended for container, state in states if state.ended and not _may_run(pod, container, record)]
    if len(ended) < len(states):
        return "Running"
    return "Succeeded" if all(end.code == 0 for end in ended) else "Failed"


def _may_run(pod: Pod, container: Container, record: PodRecord) -> bool:
    """Whether a container runs or is to run again; one that was ended with its Pod is not."""
    state = record.container(container.name)
    if state.ended is None or state.alive or state.busy:
        return True
    return record.ending_since is None and restarts(pod, container, state)


def _init_failed(pod: Pod, record: PodRecord) -> bool:
    def failed(container: Container) -> bool:
        end = record.container(container.name).ended
        return end is not None and end.code != 0 and not _may_run(pod, container, record)

    return any(failed(container) for container in pod.spec.init_containers)


def _conditions(pod: Pod, record: PodRecord, phase: str, before: Sequence[Object], now: float) -> list[Object]:
    """The node's conditions and those of others, each with the time of its last change."""
    over = phase in ("Succeeded", "Failed")
    foreign = {condition["type"]: condition for condition in before}
    scheduled = foreign.get("PodScheduled", {})
    wanted = [
        _condition("PodReadyToStartContainers", record.sandboxed),
        _initialized(pod, record, phase),
        _ready("Ready", pod, record, over, phase, foreign),
        _ready("ContainersReady", pod, record, over, phase, None),
        scheduled if scheduled.get("status") == "True" else _condition("PodScheduled", True),
    ]
    own = {condition["type"] for condition in wanted}
    wanted = [_with_time(condition, foreign.get(condition["type"]), now) for condition in wanted]
    return wanted + [condition for condition in before if condition["type"] not in own]


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
    condition: Object = {"type": kind, "status": "True" if holds else "False"}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _with_time(condition: Object, before: Object | None, now: float) -> Object:
    changed = before is None or before.get("status") != condition["status"]
    earlier = None if changed or before is None else before.get("lastTransitionTime")
    return {**condition, "lastTransitionTime": earlier or rfc3339(now)}


def _initialized(pod: Pod, record: PodRecord, phase: str) -> Object:
    if phase == "Succeeded":
        return _condition("Initialized", True, "PodCompleted")
    if initialized(pod, record):
        return _condition("Initialized", True)
    waiting = [c.name for c in pod.spec.init_containers if not _init_done(c, record)]
    return _condition(
        "Initialized", False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(waiting)}]"
    )


def _init_done(container: Container, record: PodRecord) -> bool:
    state = record.container(container.name)
    if container.restart_policy == "Always":
        return state.started
    return state.ended is not None and state.ended.code == 0


def _ready(kind: str, pod: Pod, record: PodRecord, over: bool, phase: str, gates: dict[str, Object] | None) -> Object:
    """`Ready`, with the Pod's readiness gates, or (`gates` None) `ContainersReady`, without."""
    if over:
        return _condition(kind, False, "PodCompleted" if phase == "Succeeded" else "PodFailed")
    unready = unready_containers(pod, record)
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return _condition(kind, False, "ContainersNotReady", message)
    if gates is not None:
        closed = [name for name in _gates(pod) if gates.get(name, {}).get("status") != "True"]
        if closed:
            message = "; ".join(
                f'corresponding condition of pod readiness gate "{name}" is not "True"' for name in closed
            )
            return _condition(kind, False, "ReadinessGatesNotReady", message)
    return _condition(kind, True)


def unready_containers(pod: Pod, record: PodRecord) -> list[str]:
    """The names of the containers that keep the Pod from being ready."""
    counted = [c for c in pod.spec.init_containers if c.restart_policy == "Always"] + pod.spec.containers
    return [container.name for container in counted if not record.container(container.name).ready]


def _gates(pod: Pod) -> list[str]:
    return [gate["conditionType"] for gate in pod.spec.readiness_gates]
