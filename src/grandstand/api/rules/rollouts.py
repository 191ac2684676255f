"""What the API does with Argo's Rollouts: what of them runs here, and what is refused by name."""

from __future__ import annotations

from typing import Any

from grandstand.kinds import Object
from grandstand.kinds.rollouts import duration_seconds

from .deployments import check_amount, is_zero
from .fields import (
    Causes,
    check_choice,
    check_non_negative,
    check_range,
    check_unchanged,
    forbidden,
    indexed,
    invalid,
    items,
    part,
    required,
)
from .kind_rules import KindRules
from .pods import check_selector, check_template
from .workloads import default_template, workload_warnings

_ON_CLUSTER = "only Argo Rollouts on a cluster acts on it"
_REFUSED_ANALYSIS = {
    "dryRun": _ON_CLUSTER,
    "measurementRetention": _ON_CLUSTER,
    "analysisRunMetadata": _ON_CLUSTER,
}
_REFUSED = {
    "rollbackWindow": f"{_ON_CLUSTER}: a version that still runs is always switched back to at once",
}
_NO_METADATA = "labels and annotations cannot change while Pods run: put them into the template"
_NO_ANTI_AFFINITY = "there is one machine: leave it out"
_NO_REVISION_LIMIT = "old versions go after scaleDownDelaySeconds: leave it out"
_REFUSED_BLUE_GREEN = {
    "antiAffinity": _NO_ANTI_AFFINITY,
    "activeMetadata": _NO_METADATA,
    "previewMetadata": _NO_METADATA,
    "scaleDownDelayRevisionLimit": _NO_REVISION_LIMIT,
}
_REFUSED_CANARY = {
    "trafficRouting": "the gateway itself keeps the weights, and exactly: leave it out",
    "antiAffinity": _NO_ANTI_AFFINITY,
    "canaryMetadata": _NO_METADATA,
    "stableMetadata": _NO_METADATA,
    "pingPong": _ON_CLUSTER,
    "minPodsPerReplicaSet": _ON_CLUSTER,
    "scaleDownDelayRevisionLimit": _NO_REVISION_LIMIT,
}
_REFUSED_STEP = {
    "experiment": _ON_CLUSTER,
    "setHeaderRoute": _ON_CLUSTER,
    "setMirrorRoute": _ON_CLUSTER,
    "plugin": _ON_CLUSTER,
    "replicaProgressThreshold": _ON_CLUSTER,
}
_STEPS = ("setWeight", "pause", "analysis", "setCanaryScale")
_SECONDS = ("scaleDownDelaySeconds", "abortScaleDownDelaySeconds", "autoPromotionSeconds", "previewReplicaCount")


def _default(rollout: Object) -> None:
    spec = rollout.setdefault("spec", {})
    if spec.get("workloadRef") is None:
        default_template(spec)


def _check(rollout: Object) -> Causes:
    spec = part(rollout, "spec")
    yield from _refused(spec, _REFUSED, "spec")
    yield from check_non_negative(
        spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"
    )
    limits = ("successfulRunHistoryLimit", "unsuccessfulRunHistoryLimit")
    yield from check_non_negative(part(spec, "analysis"), "spec.analysis", *limits)
    if spec.get("workloadRef") is None:
        yield from check_selector(spec, "spec", "rollout")
        yield from check_template(spec, "spec", "ReplicaSet")
    else:
        yield from _check_workload(spec)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    strategy = part(spec, "strategy")
    if len([key for key in ("blueGreen", "canary") if strategy.get(key) is not None]) != 1:
        yield required("spec.strategy", "must have exactly one of `blueGreen` and `canary`")
    elif strategy.get("blueGreen") is not None:
        yield from _check_blue_green(strategy["blueGreen"], "spec.strategy.blueGreen")
    else:
        yield from _check_canary(strategy["canary"], "spec.strategy.canary")


def _check_workload(spec: Object) -> Causes:
    reference = spec["workloadRef"]
    for key in ("template", "selector"):
        if spec.get(key):
            yield forbidden(f"spec.{key}", "must be empty where `workloadRef` is given: it comes from the Deployment")
    if (reference.get("apiVersion"), reference.get("kind")) != ("apps/v1", "Deployment"):
        yield invalid("spec.workloadRef.kind", reference.get("kind"), "must be a Deployment of apps/v1")
    if not reference.get("name"):
        yield required("spec.workloadRef.name")
    if reference.get("scaleDown") is not None:
        yield from check_choice(reference, "scaleDown", "spec.workloadRef", ("never", "onsuccess", "progressively"))


def _check_blue_green(strategy: Object, path: str) -> Causes:
    yield from _refused(strategy, _REFUSED_BLUE_GREEN, path)
    active, preview = strategy.get("activeService"), strategy.get("previewService")
    if not active:
        yield required(f"{path}.activeService")
    elif active == preview:
        yield invalid(f"{path}.previewService", preview, "must be another Service than activeService")
    yield from check_non_negative(strategy, path, *_SECONDS)
    yield from check_amount(strategy.get("maxUnavailable", 0), f"{path}.maxUnavailable")
    for key in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if strategy.get(key) is not None:
            yield from _check_analysis(strategy[key], f"{path}.{key}")


def _check_canary(strategy: Object, path: str) -> Causes:
    yield from _refused(strategy, _REFUSED_CANARY, path)
    stable, canary = strategy.get("stableService"), strategy.get("canaryService")
    if stable and stable == canary:
        yield invalid(f"{path}.canaryService", canary, "must be another Service than stableService")
    yield from check_non_negative(strategy, path, *_SECONDS[:2])
    yield from _check_bounds(strategy, path)
    if strategy.get("analysis") is not None:
        yield from _check_analysis(strategy["analysis"], f"{path}.analysis")
    for where, step in indexed(strategy, "steps", path):
        yield from _check_step(step, where)


def _check_bounds(strategy: Object, path: str) -> Causes:
    given = {key: strategy[key] for key in ("maxSurge", "maxUnavailable") if strategy.get(key) is not None}
    for key, amount in given.items():
        yield from check_amount(amount, f"{path}.{key}")
    if len(given) == 2 and all(map(is_zero, given.values())):
        yield invalid(f"{path}.maxUnavailable", given["maxUnavailable"], "may not be 0 when `maxSurge` is 0")
    scales = any(step.get("setCanaryScale") is not None for step in items(strategy, "steps"))
    by_weight = {"dynamicStableScale": bool(strategy.get("dynamicStableScale")), "setCanaryScale": scales}
    if "maxSurge" in given and any(by_weight.values()):
        why = next(key for key, given_too in by_weight.items() if given_too)
        yield forbidden(
            f"{path}.maxSurge", f"it bounds nothing where `{why}` says how many Pods there are: leave it out"
        )


def _check_step(step: Object, path: str) -> Causes:
    yield from _refused(step, _REFUSED_STEP, path)
    given = [key for key in _STEPS if step.get(key) is not None]
    if len(given) != 1 and not any(step.get(key) is not None for key in _REFUSED_STEP):
        yield required(path, f"must be exactly one of {', '.join(_STEPS)}")
    if step.get("setWeight") is not None:
        yield from check_range(f"{path}.setWeight", step["setWeight"], 0, 100)
    if step.get("analysis") is not None:
        yield from _check_analysis(step["analysis"], f"{path}.analysis")
    if (scale := step.get("setCanaryScale")) is not None:
        yield from check_non_negative(scale, f"{path}.setCanaryScale", "replicas")
        if scale.get("weight") is not None:
            yield from check_range(f"{path}.setCanaryScale.weight", scale["weight"], 0, 100)
    duration = part(step, "pause").get("duration")
    if duration is not None and not is_duration(duration):
        yield invalid(f"{path}.pause.duration", duration, "must be seconds, or a duration such as 30s, 5m or 1h30m")


def _check_analysis(analysis: Object, path: str) -> Causes:
    yield from _refused(analysis, _REFUSED_ANALYSIS, path)
    if not items(analysis, "templates"):
        yield required(f"{path}.templates")
    for where, template in indexed(analysis, "templates", path):
        if not template.get("templateName"):
            yield required(f"{where}.templateName")
    for where, argument in indexed(analysis, "args", path):
        if not argument.get("name"):
            yield required(f"{where}.name")
        if part(argument, "valueFrom").get("secretKeyRef") is not None:
            yield forbidden(
                f"{where}.valueFrom.secretKeyRef", "measurements of the gateway need no secret: leave it out"
            )
        hash_value = part(argument, "valueFrom").get("podTemplateHashValue")
        if hash_value not in (None, "Latest", "Stable"):
            yield invalid(f"{where}.valueFrom.podTemplateHashValue", hash_value, "must be Latest or Stable")


def is_duration(value: Any) -> bool:
    """Whether it is seconds, or a duration of hours, minutes and seconds."""
    try:
        return duration_seconds(value) >= 0
    except ValueError:
        return False


def _refused(obj: Object, refused: dict[str, str], path: str) -> Causes:
    for key, why in refused.items():
        if obj.get(key) is not None:
            yield forbidden(f"{path}.{key}", why)


def _check_update(new: Object, old: Object) -> Causes:
    return check_unchanged(part(new, "spec"), part(old, "spec"), "spec", "selector")


RULES = KindRules(
    default=_default,
    check=_check,
    check_update=_check_update,
    initial_status=lambda rollout: {},
    has_generation=True,
    warn=workload_warnings,
)
