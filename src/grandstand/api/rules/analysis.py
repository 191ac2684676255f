"""What the API does with AnalysisTemplates and AnalysisRuns: what can be measured here, and how it may be judged."""

from __future__ import annotations

import re
from typing import Any

from grandstand.expressions import BadCondition, read_condition
from grandstand.kinds import Object
from grandstand.kinds.rollouts import GATEWAY_METRICS, GATEWAY_PLUGIN, duration_seconds

from .fields import Causes, duplicate, forbidden, indexed, invalid, items, not_supported, part, required
from .kind_rules import KindRules

_ARGUMENT = re.compile(r"\{\{\s*args\.[\w.-]+\s*\}\}")
_FIELDS = ("service", "metric", "compareTo")
_LIMITS = ("failureLimit", "inconclusiveLimit", "consecutiveErrorLimit")


def _check(template: Object) -> Causes:
    spec = part(template, "spec")
    for key in ("dryRun", "measurementRetention", "templates"):
        if items(spec, key):
            yield forbidden(f"spec.{key}", "only Argo Rollouts on a cluster acts on it")
    if not items(spec, "metrics"):
        yield required("spec.metrics")
    names: set[str] = set()
    for where, metric in indexed(spec, "metrics", "spec"):
        name = metric.get("name")
        if not name:
            yield required(f"{where}.name")
        elif name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name or "")
        yield from _check_judgement(metric, where)
        yield from _check_times(metric, where)
        yield from _check_provider(metric.get("provider") or {}, f"{where}.provider")
    for where, argument in indexed(spec, "args", "spec"):
        if not argument.get("name"):
            yield required(f"{where}.name")
        if argument.get("valueFrom"):
            yield forbidden(f"{where}.valueFrom", "give a value here, or name its source in the Rollout")


def _check_judgement(metric: Object, path: str) -> Causes:
    for key in ("successCondition", "failureCondition"):
        text = metric.get(key)
        if text and not _ARGUMENT.search(text):
            try:
                read_condition(text)
            except BadCondition as error:
                yield invalid(f"{path}.{key}", text, str(error))
    for key in _LIMITS:
        if metric.get(key) is not None and _whole(metric[key], least=-1) is None:
            yield invalid(f"{path}.{key}", metric[key], "must be a whole number of -1 or more; -1: there is no limit")


def _check_times(metric: Object, path: str) -> Causes:
    for key in ("interval", "initialDelay"):
        value = metric.get(key)
        if value and not _ARGUMENT.search(value) and not _is_duration(value):
            yield invalid(f"{path}.{key}", value, "must be a duration such as 30s, 5m or 1h30m")
    if metric.get("consecutiveSuccessLimit") is not None:
        yield forbidden(f"{path}.consecutiveSuccessLimit", "only Argo Rollouts on a cluster acts on it: use count")
    count = _whole(metric.get("count"))
    if metric.get("count") is not None and (count is None or count < 0):
        yield invalid(f"{path}.count", metric["count"], "must be a whole number of 0 or more")
    elif count is not None and count > 1 and not metric.get("interval"):
        yield required(f"{path}.interval", "there is more than one measurement to take")


def _check_provider(provider: Object, path: str) -> Causes:
    only = f"the only provider here is the gateway: plugin: {{{GATEWAY_PLUGIN}: {{service: NAME, metric: METRIC}}}}"
    for key in provider:
        if key != "plugin":
            yield forbidden(f"{path}.{key}", only)
    plugin = provider.get("plugin")
    if not isinstance(plugin, dict) or list(plugin) != [GATEWAY_PLUGIN] or not isinstance(plugin[GATEWAY_PLUGIN], dict):
        yield required(f"{path}.plugin", only)
        return
    query, where = plugin[GATEWAY_PLUGIN], f"{path}.plugin[{GATEWAY_PLUGIN}]"
    for key, value in query.items():
        if key not in _FIELDS:
            yield not_supported(f"{where}.{key}", key, _FIELDS)
        elif not isinstance(value, str):
            yield invalid(f"{where}.{key}", value, "must be text")
    if not query.get("service"):
        yield required(f"{where}.service")
    metric = query.get("metric")
    if not isinstance(metric, str) or (metric not in GATEWAY_METRICS and not _ARGUMENT.search(metric)):
        yield not_supported(f"{where}.metric", metric, GATEWAY_METRICS)


def _is_duration(value: Any) -> bool:
    try:
        return duration_seconds(value) >= 0
    except ValueError:
        return False


def _whole(value: Any, least: int = -(2**31)) -> int | None:
    """A whole number, also as text; None for anything else, or less."""
    text = str(value)
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) and int(text) >= least else None


TEMPLATES = KindRules(check=_check)
RUNS = KindRules(check=_check, initial_status=lambda run: {}, has_generation=True)
