"""Say how many replicas one metric of an HPA asks for. Pure.

    replicas = ceil(ratio · pods),  ratio = usage / target

within the tolerance around 1 they stay as they are. Pods that were not measured are then counted on the safe side: on a
scale-down as using what is wanted of them (for a utilization at least their whole request), on a scale-up as using
nothing, as Pods do that are not ready. Where that turns the ratio to the other side or into the tolerance, nothing
changes. Source: the Kubernetes documentation, "Horizontal Pod Autoscaling", algorithm details.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from .samples import PodSample, Sorted

PERCENT = 100


class NoMetrics(Exception):
    """No number of replicas can be computed from these samples. The message says why."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a ratio may be from 1 before replicas change; Kubernetes' default is a tenth on both sides."""

    down: float = 0.1
    up: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


Ratio = Callable[[Mapping[str, float]], float]
"""Usage divided by target, for measured values by Pod."""


def utilization_replicas(current: int, target_percent: int, pods: Sorted, tolerance: Tolerance) -> int:
    """Replicas for a mean use of `target_percent` of what Pods request.

    Raises NoMetrics when no ready Pod was measured, or one that counts requests nothing of the resource.
    """
    requests = {pod.name: _request(pod) for pod in (*pods.ready, *pods.unready, *pods.missing)}

    def ratio(values: Mapping[str, float]) -> float:
        requested = sum(requests[name] for name in values)
        if requested <= 0:
            raise NoMetrics("the Pods that were measured request none of the resource")
        # Kubernetes compares whole percents.
        return int(sum(values.values()) * PERCENT / requested) / target_percent

    fallback = max(PERCENT, target_percent) / PERCENT
    return _replicas(current, pods, tolerance, ratio, lambda pod: requests[pod.name] * fallback)


def average_replicas(current: int, target: float, pods: Sorted, tolerance: Tolerance) -> int:
    """Replicas for a mean value of `target` per Pod. Raises NoMetrics when no ready Pod was measured."""

    def ratio(values: Mapping[str, float]) -> float:
        return sum(values.values()) / len(values) / target

    return _replicas(current, pods, tolerance, ratio, lambda pod: target)


def object_replicas(
    current: int, ready: int, usage: float, target: float, tolerance: Tolerance, *, per_replica: bool
) -> int:
    """Replicas for one value that is measured for all: `target` is for each replica, or for the whole.

    `current` is what the target's status says, `ready` how many of its Pods are.
    """
    if per_replica:
        if current > 0 and tolerance.covers(usage / (target * current)):
            return current
        return ceil(usage / target)
    ratio = usage / target
    if current == 0:
        return ceil(ratio)
    return current if tolerance.covers(ratio) else ceil(ratio * ready)


def _request(pod: PodSample) -> float:
    if pod.request is None:
        raise NoMetrics(f"missing request of the resource in a container of Pod {pod.name}")
    return pod.request


def _replicas(
    current: int, pods: Sorted, tolerance: Tolerance, ratio: Ratio, fallback: Callable[[PodSample], float]
) -> int:
    values = {pod.name: pod.value for pod in pods.ready if pod.value is not None}
    if not values:
        raise NoMetrics("did not receive metrics for targeted Pods (Pods might be unready)")
    measured = ratio(values)
    unready_count = bool(pods.unready) and measured > 1.0
    if not unready_count and not pods.missing:
        return current if tolerance.covers(measured) else ceil(measured * len(pods.ready))
    if measured < 1.0:
        values |= {pod.name: fallback(pod) for pod in pods.missing}
    elif measured > 1.0:
        values |= dict.fromkeys((pod.name for pod in pods.missing), 0.0)
    if unready_count:
        values |= dict.fromkeys((pod.name for pod in pods.unready), 0.0)
    careful = ratio(values)
    turned = (measured < 1.0 < careful) or (careful < 1.0 < measured)
    if turned or tolerance.covers(careful):
        return current
    replicas = ceil(careful * len(values))
    against = (careful < 1.0 and replicas > current) or (careful > 1.0 and replicas < current)
    return current if against else replicas
