"""Start the Pods of a Rollout anew when `restartAt` says so, a few at a time. Pure.

    at a time = available Pods - max(replicas, Pods that all versions should have) + max(1, maxUnavailable)

A Pod that is not available goes at once. Source: Argo Rollouts' `rollout/restart.go`, which lets those wait, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grandstand.clock import parse_time
from grandstand.controllers import availability
from grandstand.controllers.deployment.arithmetic import resolve
from grandstand.kinds import Pod, Rollout
from grandstand.kinds.rollouts import MAX_UNAVAILABLE

from .versions import Versions


@dataclass(frozen=True, slots=True)
class Restart:
    """Pods to delete now; whether no older Pod is left then; in how many seconds the time comes."""

    pods: tuple[Pod, ...] = ()
    over: bool = False
    again_seconds: float | None = None


def restart(wanted: Rollout, versions: Versions, pods: Sequence[Pod], now: float) -> Restart:
    """What `restartAt` asks for: every Pod that was made before it is replaced."""
    text = wanted.spec.restart_at
    if text is None or text == wanted.status.restarted_at:
        return Restart()
    due = parse_time(text)
    if due > now:
        return Restart(again_seconds=due - now)
    running = [pod for pod in pods if availability.active(pod)]
    least = wanted.spec.min_ready_seconds
    ready = [pod for pod in running if availability.available(pod, least, now)]
    whole = max(wanted.spec.replicas, sum(each.spec.replicas for each in versions.all))
    allowed = max(0, len(ready) - whole + max(1, unavailable(wanted)))
    older = sorted((pod for pod in running if _made_at(pod) < due), key=lambda pod: (_made_at(pod), pod.metadata.name))
    idle = [pod for pod in older if not availability.available(pod, least, now)]
    serving = [pod for pod in older if availability.available(pod, least, now)]
    chosen = (*idle, *serving[:allowed])
    return Restart(chosen, over=len(chosen) == len(older))


def unavailable(wanted: Rollout) -> int:
    """How many of its Pods may be missing, by the strategy's `maxUnavailable`."""
    part = wanted.spec.strategy.blue_green or wanted.spec.strategy.canary
    amount = None if part is None else part.max_unavailable
    return resolve(MAX_UNAVAILABLE if amount is None else amount, wanted.spec.replicas, up=False)


def _made_at(pod: Pod) -> float:
    return parse_time(pod.metadata.creation_timestamp) if pod.metadata.creation_timestamp else 0.0
