"""What the API does with AnalysisTemplates and AnalysisRuns: what of Argo's analysis runs here, the rest by name.

Arguments that have a value are put in before anything is checked. What a template still leaves open is for the
AnalysisRun to say: there it is checked, and nothing may be open any more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from grandstand.expressions import BadCondition, read_condition
from grandstand.kinds import Object
from grandstand.kinds.rollouts import ARGUMENT, GATEWAY_METRICS, GATEWAY_PLUGIN, duration_seconds, filled

from . import names
from .fields import Causes, duplicate, forbidden, indexed, invalid, items, not_supported, part, required
from .kind_rules import KindRules

_ON_CLUSTER = "only Argo Rollouts on a cluster acts on it"
_ONLY_GATEWAY = (
    f"the one provider here is the gateway: provider: {{plugin: {{{GATEWAY_PLUGIN}: "
    f"{{service: NAME, metric: {'|'.join(GATEWAY_METRICS)}}}}}}}"
)
_QUERY_FIELDS = ("service", "metric", "compareTo", "atLeastRequestsPerSecond", "noData")
_LIMITS = {"count": 0, "failureLimit": -1, "inconclusiveLimit": -1, "consecutiveErrorLimit": -1}
"""The least of each; a limit of -1 is none at all."""
_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)


def _check(resolved: bool, template: Object) -> Causes:
    """`resolved`: all arguments have to have a value."""
    spec = part(template, "spec")
    for key in ("dryRun", "measurementRetention", "templates"):
        if items(spec, key):
            yield forbidden(f"spec.{key}", _ON_CLUSTER)
    yield from _check_arguments(spec, resolved)
    if not items(spec, "metrics"):
        yield required("spec.metrics")
    values = {each.get("name") or "": each["value"] for each in items(spec, "args") if each.get("value") is not None}
    seen = set()
    for where, metric in indexed(spec, "metrics", "spec"):
        name = metric.get("name")
        if not name:
            yield required(f"{where}.name")
        elif name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)
        yield from _check_metric(_Fields(filled(metric, _Arguments(values)), where, resolved))


class _Arguments(dict[str, str]):
    """The values of arguments; one that has none stays as it was asked for."""

    def __missing__(self, name: str) -> str:
        return f"{{{{args.{name}}}}}"


def _check_arguments(spec: Object, resolved: bool) -> Causes:
    seen = set()
    for where, argument in indexed(spec, "args", "spec"):
        name = argument.get("name")
        if not name:
            yield required(f"{where}.name")
        elif name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)
        if argument.get("valueFrom") is not None:
            yield forbidden(f"{where}.valueFrom", "give it a value, or leave it out: the Rollout's args may have it")
        elif resolved and argument.get("value") is None:
            yield required(f"{where}.value", "an AnalysisRun needs a value for each of its args")


class _Fields:
    """The fields of a metric; those that wait for an argument are passed over, or refused where none may."""

    def __init__(self, metric: Object, path: str, resolved: bool) -> None:
        self.metric, self.path, self._resolved = metric, path, resolved

    def check(self, where: Mapping[str, Any], key: str, path: str, rule: Callable[[Any, str], Causes]) -> Causes:
        """Apply a rule to a field that is there and says something."""
        value, field = where.get(key), f"{path}.{key}"
        if value is None or value == "":
            return
        waits = ARGUMENT.findall(value) if isinstance(value, str) else []
        if not waits:
            yield from rule(value, field)
        elif self._resolved:
            yield invalid(field, value, f"args.{waits[0]} has no value")

    def known(self, key: str, read: Callable[[Any], Any]) -> Any:
        """What a field says, None where it says nothing yet."""
        value = self.metric.get(key)
        return None if value in (None, "") else read(value)


def _check_metric(fields: _Fields) -> Causes:
    metric, path = fields.metric, fields.path
    yield from fields.check(metric, "interval", path, partial(_check_duration, 1.0))
    yield from fields.check(metric, "initialDelay", path, partial(_check_duration, 0.0))
    for key, least in _LIMITS.items():
        yield from fields.check(metric, key, path, partial(_check_whole, least))
    if metric.get("consecutiveSuccessLimit") is not None:
        yield forbidden(f"{path}.consecutiveSuccessLimit", f"{_ON_CLUSTER}: use count and failureLimit")
    for key in ("successCondition", "failureCondition"):
        yield from fields.check(metric, key, path, _check_condition)
    count = fields.known("count", _whole) or 0
    if count > 1 and not metric.get("interval"):
        yield required(f"{path}.interval", "must be specified when count > 1")
    for key in ("failureLimit", "inconclusiveLimit"):
        limit = fields.known(key, _whole)
        if count > 0 and limit is not None and limit > count:
            yield invalid(f"{path}.{key}", limit, f"must be less than or equal to count, which is {count}")
    yield from _check_provider(fields, part(metric, "provider"), f"{path}.provider")


def _check_duration(least_seconds: float, value: Any, path: str) -> Causes:
    try:
        seconds = math.nan if str(value).isdecimal() else duration_seconds(str(value))
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        yield invalid(path, value, "must be a duration such as 30s, 5m or 1h30m")
    elif seconds < least_seconds:
        yield invalid(path, value, f"must be at least {least_seconds:g}s")


def _check_whole(least: int, value: Any, path: str) -> Causes:
    found = _whole(value)
    if found is None or found < least:
        yield invalid(path, value, f"must be a whole number of at least {least}")


def _whole(value: Any) -> int | None:
    """A whole number, or a text of one, as an argument gives it; None for anything else."""
    return int(value) if _WHOLE.fullmatch(str(value)) else None


def _check_condition(value: Any, path: str) -> Causes:
    try:
        read_condition(str(value))
    except BadCondition as error:
        yield invalid(path, value, str(error))


def _check_provider(fields: _Fields, provider: Object, path: str) -> Causes:
    for key in sorted(provider):
        if key != "plugin":
            yield forbidden(f"{path}.{key}", _ONLY_GATEWAY)
    plugins = provider.get("plugin")
    if plugins is not None and not isinstance(plugins, dict):
        yield invalid(f"{path}.plugin", plugins, _ONLY_GATEWAY)
        return
    for key in sorted(plugins or {}):
        if key != GATEWAY_PLUGIN:
            yield forbidden(f"{path}.plugin[{key}]", _ONLY_GATEWAY)
    if plugins and GATEWAY_PLUGIN in plugins:
        yield from _check_query(fields, plugins[GATEWAY_PLUGIN], f"{path}.plugin[{GATEWAY_PLUGIN}]")
    elif not plugins and not provider.keys() - {"plugin"}:
        yield required(f"{path}.plugin", _ONLY_GATEWAY)


def _check_query(fields: _Fields, query: Any, path: str) -> Causes:
    if not isinstance(query, dict):
        yield invalid(path, query, _ONLY_GATEWAY)
        return
    for key in sorted(query):
        if key not in _QUERY_FIELDS:
            yield forbidden(f"{path}.{key}", f"there are {', '.join(_QUERY_FIELDS)}")
    for key in ("service", "metric"):
        if query.get(key) in (None, ""):
            yield required(f"{path}.{key}")
    for key in ("service", "compareTo"):
        yield from fields.check(query, key, path, _check_service)
    yield from fields.check(query, "metric", path, partial(_check_word, GATEWAY_METRICS))
    yield from fields.check(query, "noData", path, partial(_check_word, ("error", "success")))
    yield from fields.check(query, "atLeastRequestsPerSecond", path, _check_rate)


def _check_service(value: Any, path: str) -> Causes:
    if not isinstance(value, str):
        yield invalid(path, value, "must be the name of a Service")
        return
    for problem in names.dns_label(value):
        yield invalid(path, value, problem)


def _check_word(words: tuple[str, ...], value: Any, path: str) -> Causes:
    if value not in words:
        yield not_supported(path, value, words)


def _check_rate(value: Any, path: str) -> Causes:
    try:
        rate = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        rate = math.nan
    if not 0 <= rate < math.inf:
        yield invalid(path, value, "must be a number of at least 0")


TEMPLATES = KindRules(check=partial(_check, False))
RUNS = KindRules(check=partial(_check, True), initial_status=lambda run: {}, has_generation=True)
