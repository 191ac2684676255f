"""Take an AnalysisRun's measurements when they are due, and say when it is over. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from grandstand.clock import parse_time, rfc3339_micro
from grandstand.controllers import status
from grandstand.expressions import BadCondition, Condition, read_condition
from grandstand.kinds import AnalysisRun, Object
from grandstand.kinds.resources import ANALYSIS_RUNS
from grandstand.kinds.rollouts import GATEWAY_PLUGIN, duration_seconds, filled
from grandstand.reconcile.actions import Action, Again, Emit

from .metric import Measurement, Metric, Phase, Result, due_at, meaning, with_measurement
from .provider import Reading

Read = Callable[[Object], Reading]
_UNLIMITED = -1
_WORST = (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE)
_ROUNDING_SECONDS = 0.001
"""What a time may lose as text: a timer may come so much early."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`readings` are of the metrics that are due, by name; `raw` is the whole run as JSON."""

    raw: Object
    readings: Mapping[str, Reading]
    now: float


def reconcile(wanted: AnalysisRun, seen: Seen) -> list[Action]:
    """Measure what is due; when a metric is lost, or all are won, the run is over."""
    before = seen.raw.get("status") or {}
    if wanted.status.over:
        return []
    try:
        metrics = metrics_of(wanted)
    except (BadCondition, ValueError, KeyError) as error:
        message = f"the run cannot be read: {error}"
        return _written(wanted, seen, before | {"phase": Phase.ERROR.value, "message": message})
    started = parse_time(before["startedAt"]) if before.get("startedAt") else seen.now
    results = results_in(before)
    for metric in metrics:
        result = results.get(metric.name, Result())
        if metric.name in seen.readings and not result.phase.over:
            result = with_measurement(metric, result, _measured(metric, seen.readings[metric.name], seen.now))
        results[metric.name] = result
    phase, message, results = _outcome(metrics, results, ended=bool(wanted.spec.get("terminate")))
    after: Object = {
        "phase": phase.value,
        "message": message or None,
        "startedAt": before.get("startedAt") or rfc3339_micro(started),
        "completedAt": rfc3339_micro(seen.now) if phase.over else None,
        "metricResults": [shown(metric, results[metric.name]) for metric in metrics],
        "runSummary": _summary(results[metric.name].phase for metric in metrics),
    }
    actions = _written(wanted, seen, after)
    waits = [due - seen.now for metric in metrics if (due := due_at(metric, results[metric.name], started)) is not None]
    return [*actions, Again(max(0.05, min(waits)))] if waits and not phase.over else actions


def metrics_of(run: AnalysisRun) -> list[Metric]:
    """What a run asks for, arguments filled in. Raises BadCondition, ValueError and KeyError."""
    return [_metric(filled(each, arguments_of(run))) for each in run.spec.get("metrics") or ()]


def arguments_of(run: AnalysisRun) -> dict[str, str]:
    return {each["name"]: str(each.get("value", "")) for each in run.spec.get("args") or ()}


def due(run: AnalysisRun, raw: Object, now: float) -> dict[str, Object]:
    """The queries of the metrics whose time has come, by name."""
    try:
        metrics = metrics_of(run)
    except (BadCondition, ValueError, KeyError):
        return {}
    before = raw.get("status") or {}
    started = parse_time(before["startedAt"]) if before.get("startedAt") else now
    results, arguments = results_in(before), arguments_of(run)
    queries = {
        each["name"]: filled(each["provider"], arguments)["plugin"][GATEWAY_PLUGIN] for each in run.spec["metrics"]
    }
    return {
        metric.name: queries[metric.name]
        for metric in metrics
        if (at := due_at(metric, results.get(metric.name, Result()), started)) is not None
        and at <= now + _ROUNDING_SECONDS
    }


def _metric(spec: Object) -> Metric:
    interval, count = spec.get("interval"), spec.get("count")
    wanted = int(count) if count is not None else None
    return Metric(
        name=spec["name"],
        success=_condition(spec.get("successCondition")),
        failure=_condition(spec.get("failureCondition")),
        interval_seconds=None if not interval else duration_seconds(interval),
        initial_delay_seconds=duration_seconds(spec.get("initialDelay") or 0),
        count=wanted or None,
        failure_limit=_limit(spec, "failureLimit", 0),
        inconclusive_limit=_limit(spec, "inconclusiveLimit", 0),
        consecutive_error_limit=_limit(spec, "consecutiveErrorLimit", 4),
        no_data_is_success=spec["provider"]["plugin"][GATEWAY_PLUGIN].get("noData") == "success",
    )


def _condition(text: str | None) -> Condition | None:
    return read_condition(text) if text else None


def _limit(spec: Object, name: str, default: int) -> int | None:
    value = int(spec.get(name, default))
    return None if value == _UNLIMITED else value


def _measured(metric: Metric, reading: Reading, now: float) -> Measurement:
    if not reading.measurable:
        return Measurement(Phase.ERROR, now, message=reading.message)
    phase, message = meaning(metric, reading.value)
    return Measurement(phase, now, reading.value, reading.message or message)


def _outcome(metrics: list[Metric], results: dict[str, Result], *, ended: bool) -> tuple[Phase, str, dict[str, Result]]:
    """The run's phase by its metrics'. What still goes on when it is over counts as successful."""
    for worst in _WORST:
        lost = next((results[each.name] for each in metrics if results[each.name].phase is worst), None)
        if lost is not None:
            return worst, lost.message, _closed(results)
    if ended:
        return Phase.SUCCESSFUL, "Run Terminated", _closed(results)
    if all(results[each.name].phase is Phase.SUCCESSFUL for each in metrics):
        return Phase.SUCCESSFUL, "", results
    return Phase.RUNNING, "", results


def _closed(results: dict[str, Result]) -> dict[str, Result]:
    return {
        name: result if result.phase.over else replace(result, phase=Phase.SUCCESSFUL)
        for name, result in results.items()
    }


def results_in(before: Object) -> dict[str, Result]:
    """How the metrics stood when the status was written."""
    return {each["name"]: _result(each) for each in before.get("metricResults") or ()}


def _result(said: Object) -> Result:
    measurements = tuple(
        Measurement(
            Phase(each["phase"]),
            parse_time(each["finishedAt"]),
            float(each["value"]) if each.get("value") not in (None, "") else None,
            each.get("message", ""),
        )
        for each in said.get("measurements") or ()
    )
    numbers = {name: int(said.get(name) or 0) for name in ("count", "successful", "failed", "inconclusive", "error")}
    consecutive = int(said.get("consecutiveError") or 0)
    return Result(
        Phase(said["phase"]),
        **numbers,
        consecutive_error=consecutive,
        message=said.get("message", ""),
        measurements=measurements,
    )


def shown(metric: Metric, result: Result) -> Object:
    """An entry of `status.metricResults`."""
    numbers = {name: getattr(result, name) for name in ("count", "successful", "failed", "inconclusive", "error")}
    return {
        "name": metric.name,
        "phase": result.phase.value,
        **{name: number for name, number in numbers.items() if number},
        **({"consecutiveError": result.consecutive_error} if result.consecutive_error else {}),
        **({"message": result.message} if result.message else {}),
        "measurements": [
            {
                "phase": each.phase.value,
                "startedAt": rfc3339_micro(each.at),
                "finishedAt": rfc3339_micro(each.at),
                **({"value": _number(each.value)} if each.value is not None else {}),
                **({"message": each.message} if each.message else {}),
            }
            for each in result.measurements
        ],
    }


def _number(value: float) -> str:
    """In Go's words."""
    return f"{value:+g}".replace("inf", "Inf") if math.isinf(value) else "NaN" if math.isnan(value) else f"{value:g}"


def _summary(phases: Iterable[Phase]) -> Object:
    """How many metrics are over, and how they ended."""
    over = [phase.value.lower() for phase in phases if phase.over]
    return {"count": len(over), **{phase: over.count(phase) for phase in dict.fromkeys(over)}} if over else {}


def _written(wanted: AnalysisRun, seen: Seen, after: Object) -> list[Action]:
    before = seen.raw.get("status") or {}
    after = {name: value for name, value in after.items() if value is not None or before.get(name) is not None}
    actions: list[Action] = [*status.status_changes(ANALYSIS_RUNS, wanted.metadata, before, after)]
    phase = Phase(after["phase"])
    for each in after.get("metricResults") or ():
        ended = Phase(each["phase"])
        if ended.over and each not in (before.get("metricResults") or ()):
            message = f"Metric '{each['name']}' Completed. Result: {ended}"
            actions.append(Emit(seen.raw, _type_of(ended), f"Metric{ended}", message))
    if phase.over and before.get("phase") != phase.value:
        message = after.get("message") or f"Analysis Completed. Result: {phase}"
        actions.append(Emit(seen.raw, _type_of(phase), f"AnalysisRun{phase}", message))
    return actions


def _type_of(phase: Phase) -> str:
    return "Warning" if phase in (Phase.FAILED, Phase.ERROR) else "Normal"
