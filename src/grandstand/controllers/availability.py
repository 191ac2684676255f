"""Say which Pods are active, ready and available. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable

from grandstand.clock import parse_time
from grandstand.kinds import Pod


def active(pod: Pod) -> bool:
    """Whether a Pod runs or will: it neither ended nor is being deleted."""
    return not pod.finished and pod.metadata.deletion_timestamp is None


def ready_since(pod: Pod) -> float | None:
    """When a Pod became ready, in wall-clock seconds; None while it is not."""
    condition = pod.condition("Ready")
    if condition is None or condition.status != "True":
        return None
    return parse_time(condition.last_transition_time) if condition.last_transition_time else 0.0


def available(pod: Pod, min_ready_seconds: int, now: float) -> bool:
    """Whether a Pod has been ready for long enough."""
    since = ready_since(pod)
    return since is not None and (min_ready_seconds == 0 or since + min_ready_seconds <= now)


def next_available(pods: Iterable[Pod], min_ready_seconds: int, now: float) -> float | None:
    """Seconds until the next of these Pods becomes available if it stays ready; None when none is on its way."""
    starts = (ready_since(pod) for pod in pods)
    waits = (since + min_ready_seconds - now for since in starts if since is not None)
    return min((wait for wait in waits if wait > 0), default=None)
