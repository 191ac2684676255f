"""Typed views of HorizontalPodAutoscalers, and the scale of what they scale."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from .meta import Condition, LabelSelector, Meta, Object, View, label_selector_in

PERIOD_ANNOTATION = "autoscaling.grandstand.dev/period"
"""How often an HPA is looked at, e.g. `15s`; without it, as often as the engine says."""


class ObjectReference(View, frozen=True):
    kind: str
    name: str
    api_version: str = "v1"


class MetricTarget(View, frozen=True):
    type: str = ""
    average_utilization: int | None = None
    average_value: str | int | float | None = None
    value: str | int | float | None = None


class MetricIdentifier(View, frozen=True):
    name: str
    selector: LabelSelector | None = None


class MetricSource(View, frozen=True):
    """Of any type: `name` is a resource's, `metric` that of the others."""

    target: MetricTarget
    name: str = ""
    container: str = ""
    metric: MetricIdentifier | None = None
    described_object: ObjectReference | None = None


class MetricSpec(View, frozen=True):
    type: str
    resource: MetricSource | None = None
    container_resource: MetricSource | None = None
    pods: MetricSource | None = None
    object: MetricSource | None = None
    external: MetricSource | None = None

    @property
    def source(self) -> MetricSource:
        """The one that the API has checked to be there."""
        found = self.resource or self.container_resource or self.pods or self.object or self.external
        assert found is not None
        return found


class ScalingPolicySpec(View, frozen=True):
    type: str
    value: int
    period_seconds: int


class ScalingRulesSpec(View, frozen=True):
    policies: list[ScalingPolicySpec] = []
    stabilization_window_seconds: int | None = None
    select_policy: str = "Max"
    tolerance: str | int | float | None = None


class Behavior(View, frozen=True):
    scale_up: ScalingRulesSpec | None = None
    scale_down: ScalingRulesSpec | None = None


class HorizontalPodAutoscalerSpec(View, frozen=True):
    scale_target_ref: ObjectReference
    max_replicas: int
    min_replicas: int = 1
    metrics: list[MetricSpec] = []
    behavior: Behavior = Behavior()


class HorizontalPodAutoscalerStatus(View, frozen=True):
    conditions: list[Condition] = []
    last_scale_time: str | None = None


class HorizontalPodAutoscaler(View, frozen=True):
    metadata: Meta
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus = HorizontalPodAutoscalerStatus()

    @property
    def may_be_zero(self) -> bool:
        """Whether its target may have no replicas and is woken by requests."""
        return self.spec.min_replicas == 0

    @property
    def described_services(self) -> frozenset[str]:
        """The Services, by name, whose requests it counts."""
        described = (metric.object.described_object for metric in self.spec.metrics if metric.object is not None)
        return frozenset(each.name for each in described if each is not None and each.kind == "Service")


@dataclass(frozen=True, slots=True)
class Scale:
    """What the subresource `scale` shows of a workload."""

    wanted: int
    running: int
    selector: LabelSelector


def scale_in(obj: Object) -> Scale:
    """The scale of a Deployment, a ReplicaSet, or whatever else has replicas and a selector.

    A Rollout that takes its template from a Deployment has the selector only in its status, as text.
    """
    spec, status = obj["spec"], obj.get("status") or {}
    if spec.get("selector"):
        selector = msgspec.convert(spec["selector"], LabelSelector)
    else:
        text = status.get("selector")
        selector = label_selector_in(text if isinstance(text, str) else "")
    return Scale(spec.get("replicas", 1), status.get("replicas", 0), selector)
