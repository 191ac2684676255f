"""Turn what was read of a metric into the replicas that it asks for, or the reason why it cannot. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .metrics import PERCENT, NoMetrics, Tolerance, average_replicas, object_replicas, utilization_replicas
from .samples import PodSample, Sorted, Timing, sort_samples
from .spec import Metric, MetricKind, TargetType

CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Samples:
    """A metric of Pods: all Pods of the target, measured or not."""

    pods: tuple[PodSample, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of one object."""

    value: float


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A metric that could not be read."""

    why: str


Reading: TypeAlias = Samples | Measured | Unavailable


@dataclass(frozen=True, slots=True)
class Current:
    """How a metric stands, in the forms in which it can be shown."""

    average: float | None = None
    utilization: int | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class MetricWish:
    """The replicas that one metric asks for."""

    metric: Metric
    replicas: int
    current: Current


@dataclass(frozen=True, slots=True)
class MetricFailure:
    """A metric from which no replicas can be computed."""

    metric: Metric
    message: str


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many a target wants now, and how many of its Pods are ready."""

    wanted: int
    ready: int


def wish_of(
    metric: Metric, reading: Reading, replicas: Replicas, now: float, tolerance: Tolerance, timing: Timing
) -> MetricWish | MetricFailure:
    """What one metric asks for. Every target type that the API lets through for its kind is known here."""
    match reading:
        case Unavailable(why):
            return MetricFailure(metric, why)
        case Measured(value):
            per_replica = metric.target_type is TargetType.AVERAGE_VALUE
            wished = object_replicas(
                replicas.wanted, replicas.ready, value, metric.target, tolerance, per_replica=per_replica
            )
            current = Current(average=value / max(1, replicas.wanted)) if per_replica else Current(value=value)
            return MetricWish(metric, wished, current)
        case Samples(pods):
            resource = metric.kind in (MetricKind.RESOURCE, MetricKind.CONTAINER_RESOURCE)
            found = sort_samples(pods, now, cpu=resource and metric.name == CPU, timing=timing)
            try:
                return _of_pods(metric, found, replicas.wanted, tolerance)
            except NoMetrics as error:
                return MetricFailure(metric, str(error))


def _of_pods(metric: Metric, pods: Sorted, wanted: int, tolerance: Tolerance) -> MetricWish:
    """Raises NoMetrics."""
    if metric.target_type is TargetType.UTILIZATION:
        wished = utilization_replicas(wanted, int(metric.target), pods, tolerance)
    else:
        wished = average_replicas(wanted, metric.target, pods, tolerance)
    values = [pod.value for pod in pods.ready if pod.value is not None]
    requests = [pod.request for pod in pods.ready if pod.value is not None and pod.request is not None]
    shares = metric.target_type is TargetType.UTILIZATION
    utilization = int(sum(values) * PERCENT / sum(requests)) if shares else None
    return MetricWish(metric, wished, Current(average=sum(values) / len(values), utilization=utilization))
