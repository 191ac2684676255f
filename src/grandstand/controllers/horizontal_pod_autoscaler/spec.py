"""Translate an HPA's spec into what the algorithm works with. Pure."""

from __future__ import annotations

import re

from grandstand.kinds import HorizontalPodAutoscaler, parse_quantity
from grandstand.kinds.autoscaling import PERIOD_ANNOTATION, MetricSpec, MetricTarget, ScalingRulesSpec
from grandstand.scaling.hpa import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    Metric,
    MetricKind,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    Spec,
    TargetType,
    Tolerance,
)

_PERIOD = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
LEAST_PERIOD_SECONDS = 0.1


def spec_of(hpa: HorizontalPodAutoscaler) -> Spec:
    up, down = hpa.spec.behavior.scale_up, hpa.spec.behavior.scale_down
    default = Tolerance()
    return Spec(
        hpa.spec.min_replicas,
        hpa.spec.max_replicas,
        tuple(_metric(each) for each in hpa.spec.metrics),
        _rules(up, DEFAULT_UP),
        _rules(down, DEFAULT_DOWN),
        Tolerance(down=_tolerance(down, default.down), up=_tolerance(up, default.up)),
    )


def period_seconds(hpa: HorizontalPodAutoscaler, default: float) -> float:
    """How often it is to be looked at. What its annotation says was checked by the API."""
    text = hpa.metadata.annotations.get(PERIOD_ANNOTATION)
    found = _PERIOD.fullmatch(text) if text else None
    return default if found is None else max(LEAST_PERIOD_SECONDS, float(found[1]) * _UNITS[found[2]])


def _metric(wanted: MetricSpec) -> Metric:
    source = wanted.source
    type_, value = _target(source.target)
    name = source.metric.name if source.metric is not None else source.name
    described = source.described_object.kind if source.described_object is not None else ""
    return Metric(MetricKind(wanted.type), name, type_, value, source.container, described)


def _target(target: MetricTarget) -> tuple[TargetType, float]:
    """By the value that is there: `type` only repeats it, and Kubernetes looks at the value too."""
    if target.average_utilization is not None:
        return TargetType.UTILIZATION, float(target.average_utilization)
    if target.average_value is not None:
        return TargetType.AVERAGE_VALUE, float(parse_quantity(target.average_value))
    return TargetType.VALUE, float(parse_quantity(target.value or 0))


def _rules(rules: ScalingRulesSpec | None, default: ScalingRules) -> ScalingRules:
    if rules is None:
        return default
    window = rules.stabilization_window_seconds
    policies = tuple(
        ScalingPolicy(PolicyType(each.type), each.value, float(each.period_seconds)) for each in rules.policies
    )
    return ScalingRules(
        policies or default.policies,
        default.window_seconds if window is None else float(window),
        SelectPolicy(rules.select_policy),
    )


def _tolerance(rules: ScalingRulesSpec | None, default: float) -> float:
    return default if rules is None or rules.tolerance is None else float(parse_quantity(rules.tolerance))
