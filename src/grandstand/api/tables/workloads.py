"""Show Deployments, ReplicaSets, Rollouts and HorizontalPodAutoscalers as kubectl does."""

from __future__ import annotations

from typing import Any

from grandstand.kinds import Object

from .layout import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    Column,
    Layout,
    age_of,
    containers_cells,
    items,
    name_of,
    part,
    selector_text,
    shortened,
)

_UNKNOWN = "<unknown>"


def _deployment(deployment: Object, now: float) -> list[Any]:
    spec, status = part(deployment, "spec"), part(deployment, "status")
    return [
        name_of(deployment),
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas', 1)}",
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        age_of(deployment, now),
        *containers_cells(spec),
        selector_text(part(spec, "selector")),
    ]


def _replica_set(replica_set: Object, now: float) -> list[Any]:
    spec, status = part(replica_set, "spec"), part(replica_set, "status")
    return [
        name_of(replica_set),
        spec.get("replicas", 1),
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        age_of(replica_set, now),
        *containers_cells(spec),
        selector_text(part(spec, "selector")),
    ]


def _rollout(rollout: Object, now: float) -> list[Any]:
    spec, status = part(rollout, "spec"), part(rollout, "status")
    return [
        name_of(rollout),
        spec.get("replicas", 1),
        status.get("replicas") or 0,
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        age_of(rollout, now),
    ]


def _analysis_run(run: Object, now: float) -> list[Any]:
    return [name_of(run), part(run, "status").get("phase") or "", age_of(run, now)]


def _autoscaler(autoscaler: Object, now: float) -> list[Any]:
    spec, status = part(autoscaler, "spec"), part(autoscaler, "status")
    target = part(spec, "scaleTargetRef")
    seen = items(status, "currentMetrics")
    metrics = [
        _metric(metric, seen[index] if index < len(seen) else {}) for index, metric in enumerate(items(spec, "metrics"))
    ]
    return [
        name_of(autoscaler),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        # kubectl parts metrics by a comma and a space, other lists by a comma alone.
        shortened(metrics, 2, nothing="<none>").replace(",", ", "),
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas") or 0,
        status.get("currentReplicas") or 0,
        age_of(autoscaler, now),
    ]


def _metric(metric: Object, seen: Object) -> str:
    """What is measured and what is wanted: `cpu: 42%/80%`."""
    kind = metric.get("type") or ""
    field = kind[:1].lower() + kind[1:]
    source, current = part(metric, field), part(part(seen, field), "current")
    target = part(source, "target")
    prefix = f"{source.get('name', '')}: " if kind in ("Resource", "ContainerResource") else ""
    if target.get("averageValue") is not None:
        average = " (avg)" if kind in ("Object", "External") else ""
        return f"{prefix}{current.get('averageValue', _UNKNOWN)}/{target['averageValue']}{average}"
    if kind in ("Resource", "ContainerResource"):
        wanted = target.get("averageUtilization")
        return f"{prefix}{_percent(current.get('averageUtilization'), _UNKNOWN)}/{_percent(wanted, '<auto>')}"
    return f"{current.get('value', _UNKNOWN)}/{target.get('value', _UNKNOWN)}"


def _percent(share: int | None, nothing: str) -> str:
    return nothing if share is None else f"{share}%"


DEPLOYMENTS = Layout(
    (
        NAME,
        Column("Ready", "How many Pods are ready, of how many."),
        Column("Up-to-date", "How many Pods have the current template.", "integer"),
        Column("Available", "How many Pods have been ready for minReadySeconds.", "integer"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    _deployment,
)
REPLICA_SETS = Layout(
    (
        NAME,
        Column("Desired", "How many Pods there should be.", "integer"),
        Column("Current", "How many Pods there are.", "integer"),
        Column("Ready", "How many Pods are ready.", "integer"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    _replica_set,
)
ROLLOUTS = Layout(
    (
        NAME,
        Column("Desired", "How many Pods there should be.", "integer"),
        Column("Current", "How many Pods there are.", "integer"),
        Column("Up-to-date", "How many Pods have the current template.", "integer"),
        Column("Available", "How many Pods have been ready for minReadySeconds.", "integer"),
        AGE,
    ),
    _rollout,
)
ANALYSIS_TEMPLATES = Layout((NAME, AGE), lambda template, now: [name_of(template), age_of(template, now)])
ANALYSIS_RUNS = Layout((NAME, Column("Status", "How the analysis stands."), AGE), _analysis_run)
AUTOSCALERS = Layout(
    (
        NAME,
        Column("Reference", "What is scaled."),
        Column("Targets", "What was measured, and what is wanted, of each metric."),
        Column("MinPods", "The fewest replicas."),
        Column("MaxPods", "The most replicas.", "integer"),
        Column("Replicas", "How many replicas there are.", "integer"),
        AGE,
    ),
    _autoscaler,
)
