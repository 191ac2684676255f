"""What the API does with HorizontalPodAutoscalers."""

from __future__ import annotations

import re

from grandstand.kinds import Object
from grandstand.kinds.autoscaling import PERIOD_ANNOTATION

from . import label_selectors
from .fields import (
    Causes,
    check_choice,
    check_range,
    forbidden,
    indexed,
    invalid,
    items,
    not_supported,
    part,
    required,
)
from .kind_rules import KindRules
from .quantities import check_positive_quantity, check_quantity

_DEFAULT_CPU_PERCENT = 80
_METRIC_FIELDS = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
_WAKING = ("Object", "External")
"""Metrics that there are without a Pod."""
_PERIOD = re.compile(r"\d+(\.\d+)?(ms|s|m)")
_WINDOW_MAX, _PERIOD_MAX = 3600, 1800


def _default(autoscaler: Object) -> None:
    spec = autoscaler.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not items(spec, "metrics"):
        target = {"type": "Utilization", "averageUtilization": _DEFAULT_CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if (behavior := spec.get("behavior")) is not None:
        for direction, defaults in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
            rules = behavior.setdefault(direction, {})
            for key, value in defaults.items():
                rules.setdefault(key, [dict(policy) for policy in value] if isinstance(value, list) else value)


def _check(autoscaler: Object) -> Causes:
    spec = part(autoscaler, "spec")
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas") or 0
    if least < 0:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 0")
    if least == 0 and not any(metric.get("type") in _WAKING for metric in items(spec, "metrics")):
        yield forbidden(
            "spec.metrics", "must specify at least one Object or External metric to support scaling to zero replicas"
        )
    yield from _check_period(autoscaler)
    if most < 1:
        yield invalid("spec.maxReplicas", most, "must be greater than 0")
    if most < least:
        yield invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    yield from _check_reference(part(spec, "scaleTargetRef"), "spec.scaleTargetRef")
    for where, metric in indexed(spec, "metrics", "spec"):
        yield from _check_metric(metric, where)
    for direction in ("scaleUp", "scaleDown"):
        if (rules := part(spec, "behavior").get(direction)) is not None:
            yield from _check_rules(rules, f"spec.behavior.{direction}")


def _check_period(autoscaler: Object) -> Causes:
    text = (part(autoscaler, "metadata").get("annotations") or {}).get(PERIOD_ANNOTATION)
    if text is None:
        return
    path = f"metadata.annotations[{PERIOD_ANNOTATION}]"
    if not _PERIOD.fullmatch(str(text)):
        yield invalid(path, text, "must be a number with ms, s or m, for example 15s")
    elif not re.search("[1-9]", str(text)):
        yield invalid(path, text, "must be more than nothing")


def _check_reference(reference: Object, path: str) -> Causes:
    for key in ("kind", "name"):
        text = reference.get(key) or ""
        if not text:
            yield required(f"{path}.{key}")
        elif "/" in text or "%" in text or text in (".", ".."):
            yield invalid(f"{path}.{key}", text, "may not be '.' or '..', and may not contain '/' or '%'")


def _check_metric(metric: Object, path: str) -> Causes:
    kind = metric.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
        return
    if kind not in _METRIC_FIELDS:
        yield not_supported(f"{path}.type", kind, _METRIC_FIELDS)
        return
    field = _METRIC_FIELDS[kind]
    for other in sorted(_METRIC_FIELDS.values()):
        if other != field and metric.get(other) is not None:
            yield forbidden(f"{path}.{other}", "must populate the given metric source only")
    if metric.get(field) is None:
        yield required(f"{path}.{field}", "must populate information for the given metric source")
        return
    yield from _check_source(metric[field], f"{path}.{field}", kind)


def _check_source(source: Object, path: str, kind: str) -> Causes:
    if kind in ("Resource", "ContainerResource"):
        if not source.get("name"):
            yield required(f"{path}.name", "must specify a resource name")
        if kind == "ContainerResource" and not source.get("container"):
            yield required(f"{path}.container", "must specify a container")
    else:
        metric = part(source, "metric")
        if not metric.get("name"):
            yield required(f"{path}.metric.name", "must specify a metric name")
        yield from label_selectors.check(part(metric, "selector"), f"{path}.metric.selector")
    if kind == "Object":
        yield from _check_reference(part(source, "describedObject"), f"{path}.describedObject")
    yield from _check_target(part(source, "target"), f"{path}.target", kind)


def _check_target(target: Object, path: str, kind: str) -> Causes:
    yield from check_choice(target, "type", path, ("AverageValue", "Utilization", "Value"))
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        yield invalid(f"{path}.averageUtilization", percent, "must be greater than 0")
    for key in ("value", "averageValue"):
        if target.get(key) is not None:
            yield from check_positive_quantity(target[key], f"{path}.{key}")
    wanted = {
        "Resource": ("averageUtilization", "averageValue"),
        "ContainerResource": ("averageUtilization", "averageValue"),
        "Pods": ("averageValue",),
    }.get(kind, ("value", "averageValue"))
    given = [key for key in wanted if target.get(key) is not None]
    if not given:
        yield required(f"{path}.{wanted[0]}", f"must set {' or '.join(wanted)}")
    elif len(given) > 1:
        yield forbidden(f"{path}.{wanted[0]}", f"may not set both {' and '.join(wanted)}")


def _check_rules(rules: Object, path: str) -> Causes:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None:
        yield from check_range(f"{path}.stabilizationWindowSeconds", window, 0, _WINDOW_MAX)
    yield from check_choice(rules, "selectPolicy", path, ("Disabled", "Max", "Min"))
    if rules.get("tolerance") is not None:
        yield from check_quantity(rules["tolerance"], f"{path}.tolerance")
    if not items(rules, "policies"):
        yield required(f"{path}.policies", "must specify at least one Policy")
    for where, policy in indexed(rules, "policies", path):
        yield from check_choice(policy, "type", where, ("Percent", "Pods"))
        value, period = policy.get("value", 0), policy.get("periodSeconds", 0)
        if value <= 0:
            yield invalid(f"{where}.value", value, "must be greater than zero")
        if not 1 <= period <= _PERIOD_MAX:
            yield invalid(f"{where}.periodSeconds", period, f"must be between 1 and {_PERIOD_MAX}")


RULES = KindRules(
    default=_default,
    check=_check,
    initial_status=lambda autoscaler: {"desiredReplicas": 0},
)
