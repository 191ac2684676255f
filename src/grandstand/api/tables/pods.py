"""Show Pods as `kubectl get pods` does: one word for all that may be the matter with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grandstand.kinds import Object

from .age import human_duration, seconds_of
from .layout import AGE, NAME, NONE, Column, Layout, age_of, items, name_of, part

COLUMNS = (
    NAME,
    Column("Ready", "How many containers are ready, of how many."),
    Column("Status", "The phase of the Pod, or what keeps its containers from running."),
    Column("Restarts", "How often containers were restarted, and when the last time was."),
    AGE,
    Column("IP", "The address of the Pod.", wide=True),
    Column("Node", "The node that the Pod runs on.", wide=True),
    Column("Nominated Node", "The node that the Pod waits for.", wide=True),
    Column("Readiness Gates", "How many readiness gates are passed, of how many.", wide=True),
)


@dataclass(slots=True)
class _Summary:
    """What has been found out about a Pod so far."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: float | None = None

    def count_restarts(self, status: Object) -> None:
        self.restarts += status.get("restartCount") or 0
        finished = seconds_of(_last_end(status).get("finishedAt"))
        if finished is not None and (self.last_restart is None or finished > self.last_restart):
            self.last_restart = finished


def _last_end(status: Object) -> Object:
    return part(part(status, "lastState"), "terminated")


def pod_cells(pod: Object, now: float) -> list[Any]:
    spec, status = part(pod, "spec"), part(pod, "status")
    sidecars = _sidecars(spec)
    summary = _summary(pod, sidecars)
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart is not None:
        restarts += f" ({human_duration(now - summary.last_restart)} ago)"
    return [
        name_of(pod),
        f"{summary.ready}/{len(items(spec, 'containers')) + len(sidecars)}",
        summary.reason,
        restarts,
        age_of(pod, now),
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def _sidecars(spec: Object) -> frozenset[str]:
    """Init containers that stay: those that always restart."""
    return frozenset(
        container.get("name") or ""
        for container in items(spec, "initContainers")
        if container.get("restartPolicy") == "Always"
    )


def _summary(pod: Object, sidecars: frozenset[str]) -> _Summary:
    status = part(pod, "status")
    summary = _Summary(status.get("reason") or status.get("phase") or "Unknown")
    initializing = _initialization(pod, sidecars, summary)
    if not initializing or _has_condition(status, "Initialized"):
        summary.restarts, summary.last_restart = 0, None
        for container in items(status, "initContainerStatuses"):
            if container.get("name") in sidecars:
                summary.count_restarts(container)
        _running(status, summary)
    if part(pod, "metadata").get("deletionTimestamp") and status.get("phase") not in ("Succeeded", "Failed"):
        summary.reason = "Terminating"
    return summary


def _initialization(pod: Object, sidecars: frozenset[str], summary: _Summary) -> bool:
    """Whether init containers are still at work; the summary then says how far they are, or what failed."""
    for index, container in enumerate(items(part(pod, "status"), "initContainerStatuses")):
        summary.count_restarts(container)
        state = part(container, "state")
        if container.get("name") in sidecars and container.get("started"):
            summary.ready += bool(container.get("ready"))
            continue
        ended, waiting = state.get("terminated"), part(state, "waiting").get("reason")
        if ended is not None and not ended.get("exitCode"):
            continue
        if ended is not None:
            summary.reason = f"Init:{_end_text(ended)}"
        elif waiting and waiting != "PodInitializing":
            summary.reason = f"Init:{waiting}"
        else:
            summary.reason = f"Init:{index}/{len(items(part(pod, 'spec'), 'initContainers'))}"
        return True
    return False


def _running(status: Object, summary: _Summary) -> None:
    """The first container that is not well gives the word; a Pod that still runs is not called completed."""
    any_running = False
    for container in reversed(items(status, "containerStatuses")):
        summary.count_restarts(container)
        state = part(container, "state")
        if waiting := part(state, "waiting").get("reason"):
            summary.reason = waiting
        elif (ended := state.get("terminated")) is not None:
            summary.reason = _end_text(ended)
        elif container.get("ready") and state.get("running") is not None:
            any_running = True
            summary.ready += 1
    if summary.reason == "Completed" and any_running:
        summary.reason = "Running" if _has_condition(status, "Ready") else "NotReady"


def _end_text(ended: Object) -> str:
    if reason := ended.get("reason"):
        return str(reason)
    if signal := ended.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _has_condition(status: Object, kind: str) -> bool:
    return any(
        condition.get("type") == kind and condition.get("status") == "True" for condition in items(status, "conditions")
    )


def _gates(spec: Object, status: Object) -> str:
    gates = items(spec, "readinessGates")
    passed = sum(_has_condition(status, gate.get("conditionType") or "") for gate in gates)
    return f"{passed}/{len(gates)}" if gates else NONE


def _conditions(pod: Object) -> list[Object]:
    """kubectl hides finished Pods by this where it is asked to."""
    phase = part(pod, "status").get("phase")
    messages = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    if phase not in messages:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": messages[phase]}]


PODS = Layout(COLUMNS, pod_cells, _conditions)
