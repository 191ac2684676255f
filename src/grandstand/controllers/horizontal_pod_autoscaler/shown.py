"""Show how a metric stands, as an entry of an HPA's `status.currentMetrics`. Pure."""

from __future__ import annotations

from grandstand.kinds import Object
from grandstand.scaling.hpa import Current, MetricKind, MetricWish

_FIELDS = {
    MetricKind.RESOURCE: "resource",
    MetricKind.CONTAINER_RESOURCE: "containerResource",
    MetricKind.PODS: "pods",
    MetricKind.OBJECT: "object",
    MetricKind.EXTERNAL: "external",
}
_NAMED_BY = ("name", "container", "metric", "describedObject")
"""What a metric's source says of itself besides its target."""


def shown_metric(source: Object, wish: MetricWish) -> Object:
    """`source` is the entry of `spec.metrics`."""
    kind = wish.metric.kind
    named = {key: value for key, value in source[_FIELDS[kind]].items() if key in _NAMED_BY}
    return {"type": kind.value, _FIELDS[kind]: named | {"current": _current(wish.current, wish.metric.name)}}


def _current(current: Current, name: str) -> Object:
    shown: Object = {}
    if current.utilization is not None:
        shown["averageUtilization"] = current.utilization
    if current.average is not None:
        shown["averageValue"] = quantity(current.average, whole=name == "memory")
    if current.value is not None:
        shown["value"] = quantity(current.value)
    return shown


def quantity(value: float, *, whole: bool = False) -> str:
    """A number as Kubernetes' metrics are written: in thousandths where they are needed."""
    if whole:
        return str(int(value))
    thousandths = round(value * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
