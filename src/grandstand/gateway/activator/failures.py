"""Say why a Service that should start does not: Pods and the conditions of their workload in, a sentence out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from grandstand.kinds import Condition, Pod

FATAL = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Reasons for which a container waits and will not start soon."""


@dataclass(frozen=True, slots=True)
class StartFailure:
    """Who does not start, and why, in Kubernetes' words."""

    who: str
    reason: str
    message: str

    @property
    def text(self) -> str:
        """What a waiting client is told."""
        said = f": {self.message}" if self.message else ""
        return f"nobody serves this, because the start fails: {self.who} is in {self.reason}{said}"


def start_failure(pods: Iterable[Pod], workload: str, conditions: Iterable[Condition]) -> StartFailure | None:
    """Why nobody will serve soon; None while somebody may. One Pod that may still start is enough to wait for."""
    alive = [pod for pod in pods if pod.metadata.deletion_timestamp is None and not pod.finished]
    failures = [_pod_failure(pod) for pod in sorted(alive, key=lambda pod: pod.metadata.name)]
    if alive:
        return None if None in failures else failures[0]
    for condition in conditions:
        if condition.type == "ReplicaFailure" and condition.status == "True":
            return StartFailure(workload, condition.reason or condition.type, condition.message)
    return None


def _pod_failure(pod: Pod) -> StartFailure | None:
    who = f"Pod {pod.metadata.name}"
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.status == "False" and scheduled.reason == "Unschedulable":
        return StartFailure(who, scheduled.reason, scheduled.message)
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting
        if waiting is not None and waiting.reason in FATAL:
            return StartFailure(who, waiting.reason, waiting.message)
    return None
