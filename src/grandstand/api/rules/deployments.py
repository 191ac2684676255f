"""What the API does with Deployments."""

from __future__ import annotations

from typing import Any

from grandstand.kinds import Object

from .fields import (
    Causes,
    check_name,
    check_non_negative,
    check_unchanged,
    fill,
    forbidden,
    invalid,
    not_supported,
    part,
    required,
)
from .kind_rules import KindRules
from .names import PERCENT_WRONG, is_percent
from .pods import check_selector, check_template
from .workloads import default_template, workload_warnings

_STRATEGIES = ("Recreate", "RollingUpdate")


def _default(deployment: Object) -> None:
    spec = deployment.setdefault("spec", {})
    default_template(spec)
    strategy = spec.setdefault("strategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _check(deployment: Object) -> Causes:
    spec = part(deployment, "spec")
    yield from check_non_negative(spec, "spec", "replicas")
    yield from check_selector(spec, "spec", "deployment")
    yield from check_template(spec, "spec", "ReplicaSet")
    yield from _check_strategy(part(spec, "strategy"), "spec.strategy")
    yield from check_non_negative(spec, "spec", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _check_strategy(strategy: Object, path: str) -> Causes:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            yield forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif kind != "RollingUpdate":
        yield not_supported(f"{path}.type", kind, _STRATEGIES)
    elif rolling is None:
        yield required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")
    else:
        yield from _check_rolling_update(rolling, f"{path}.rollingUpdate")


def _check_rolling_update(rolling: Object, path: str) -> Causes:
    for key in ("maxUnavailable", "maxSurge"):
        yield from check_amount(rolling.get(key, 0), f"{path}.{key}")
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    if is_zero(unavailable) and is_zero(surge):
        yield invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    if isinstance(unavailable, str) and is_percent(unavailable) and int(unavailable[:-1]) > 100:
        yield invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%")


def check_amount(amount: Any, path: str) -> Causes:
    """A number of replicas, or a share of them."""
    if isinstance(amount, str):
        yield from check_name(path, amount, [] if is_percent(amount) else [PERCENT_WRONG])
    elif amount < 0:
        yield invalid(path, amount, "must be greater than or equal to 0")


def is_zero(amount: Any) -> bool:
    return int(amount[:-1]) == 0 if isinstance(amount, str) and is_percent(amount) else amount == 0


def _check_update(new: Object, old: Object) -> Causes:
    return check_unchanged(part(new, "spec"), part(old, "spec"), "spec", "selector")


def _keep_in_status(new: Object, old: Object) -> None:
    """A Deployment's labels select it; its status says nothing about them."""
    if labels := part(old, "metadata").get("labels"):
        new["metadata"]["labels"] = labels
    else:
        new["metadata"].pop("labels", None)


RULES = KindRules(
    default=_default,
    check=_check,
    check_update=_check_update,
    initial_status=lambda deployment: {},
    has_generation=True,
    keep_in_status=_keep_in_status,
    warn=workload_warnings,
)
