"""What an HPA asks for, apart from the form that Kubernetes gives it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .behavior import DEFAULT_DOWN, DEFAULT_UP, ScalingRules
from .metrics import Tolerance


class MetricKind(StrEnum):
    """Where a metric comes from; named as in the API."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class TargetType(StrEnum):
    """What a target's value is; named as in the API."""

    UTILIZATION = "Utilization"
    """Percent of what Pods request."""
    AVERAGE_VALUE = "AverageValue"
    """For each replica, in the metric's own unit."""
    VALUE = "Value"
    """For all replicas together."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric and the value that it is to be kept at.

    `container` is named by container resources; `described` is the kind of the object that an Object metric describes.
    """

    kind: MetricKind
    name: str
    target_type: TargetType
    target: float
    container: str = ""
    described: str = ""

    @property
    def title(self) -> str:
        """What Kubernetes calls it when it says why it scales."""
        share = " utilization (percentage of request)" if self.target_type is TargetType.UTILIZATION else ""
        match self.kind:
            case MetricKind.RESOURCE:
                return f"{self.name} resource{share}"
            case MetricKind.CONTAINER_RESOURCE:
                return f"{self.name} container resource{share}"
            case MetricKind.OBJECT:
                return f"{self.described} metric {self.name}"
            case MetricKind.PODS:
                return f"pods metric {self.name}"
            case MetricKind.EXTERNAL:
                return f"external metric {self.name}"


TENTH = Tolerance()


@dataclass(frozen=True, slots=True)
class Spec:
    """Bounds, metrics and behavior; the defaults are Kubernetes'."""

    least: int
    most: int
    metrics: tuple[Metric, ...]
    up: ScalingRules = DEFAULT_UP
    down: ScalingRules = DEFAULT_DOWN
    tolerance: Tolerance = TENTH
