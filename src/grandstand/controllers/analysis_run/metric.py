"""Judge one metric of an AnalysisRun: what each measurement means, and when they are enough. Pure.

| measurement                                     | is           |
|-------------------------------------------------|--------------|
| that could not be taken, or of which a condition cannot be answered | Error |
| without data, where that is declared a success  | Successful   |
| of which the failure condition holds            | Failed       |
| of which the success condition holds, or that has no success condition | Successful |
| of which neither of two conditions holds        | Inconclusive |
| of which the only condition, for success, does not hold | Failed |

A metric has failed when more measurements than its limit have; it is successful when there are as many as `count` (one,
without `count` and `interval`); with an interval and no count it goes on until it is ended. Source: Argo Rollouts'
documentation, "Analysis".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from grandstand.expressions import BadCondition, Condition

ERROR_RETRY_SECONDS = 10.0
"""How long after an error a metric without an interval is measured again; as in Argo."""
KEPT = 10
"""How many measurements are shown."""


class Phase(StrEnum):
    """Argo's words for how a measurement, a metric, or a run stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"

    @property
    def over(self) -> bool:
        return self not in (Phase.PENDING, Phase.RUNNING)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is asked of a metric; a limit of None is none."""

    name: str
    success: Condition | None = None
    failure: Condition | None = None
    interval_seconds: float | None = None
    initial_delay_seconds: float = 0.0
    count: int | None = None
    failure_limit: int | None = 0
    inconclusive_limit: int | None = 0
    consecutive_error_limit: int | None = 4
    no_data_is_success: bool = False

    @property
    def wanted(self) -> int | None:
        """How many measurements are enough; None: they go on."""
        return 1 if self.count is None and self.interval_seconds is None else self.count


@dataclass(frozen=True, slots=True)
class Measurement:
    """One reading, and what it means. `value` is None where it could not be had."""

    phase: Phase
    at: float
    value: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How a metric stands."""

    phase: Phase = Phase.PENDING
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    message: str = ""
    measurements: tuple[Measurement, ...] = field(default=())


def meaning(metric: Metric, value: float | None) -> tuple[Phase, str]:
    """What a measured value means, and why, where that needs saying. None: there was no data, `nil` for conditions."""
    if value is None and metric.no_data_is_success:
        return Phase.SUCCESSFUL, ""
    if value is None and metric.failure is None and metric.success is None:
        return Phase.ERROR, "there is no data"
    try:
        if metric.failure is not None and metric.failure.holds(value):
            return Phase.FAILED, ""
        if metric.success is None:
            return Phase.SUCCESSFUL, ""
        if metric.success.holds(value):
            return Phase.SUCCESSFUL, ""
    except BadCondition as error:
        return Phase.ERROR, str(error)
    return (Phase.FAILED if metric.failure is None else Phase.INCONCLUSIVE), ""


def due_at(metric: Metric, result: Result, started_at: float) -> float | None:
    """When to measure next; None when there is no need to any more."""
    if result.phase.over:
        return None
    if not result.measurements:
        return started_at + metric.initial_delay_seconds
    last = result.measurements[-1]
    wait = metric.interval_seconds
    if wait is None:
        wait = ERROR_RETRY_SECONDS
    return last.at + wait


def with_measurement(metric: Metric, result: Result, measured: Measurement) -> Result:
    """How the metric stands with one more measurement."""
    phase = measured.phase
    counted = replace(
        result,
        count=result.count + (phase is not Phase.ERROR),
        successful=result.successful + (phase is Phase.SUCCESSFUL),
        failed=result.failed + (phase is Phase.FAILED),
        inconclusive=result.inconclusive + (phase is Phase.INCONCLUSIVE),
        error=result.error + (phase is Phase.ERROR),
        consecutive_error=result.consecutive_error + 1 if phase is Phase.ERROR else 0,
        measurements=(*result.measurements, measured)[-KEPT:],
    )
    reached, why = _assessed(metric, counted)
    if why and measured.message:
        why = f'{why}: "Error Message: {measured.message}"'
    return replace(counted, phase=reached, message=why or measured.message)


def _assessed(metric: Metric, result: Result) -> tuple[Phase, str]:
    limits = (
        (Phase.FAILED, "failed", result.failed, metric.failure_limit, "failureLimit"),
        (Phase.INCONCLUSIVE, "inconclusive", result.inconclusive, metric.inconclusive_limit, "inconclusiveLimit"),
        (
            Phase.ERROR,
            "consecutiveErrors",
            result.consecutive_error,
            metric.consecutive_error_limit,
            "consecutiveErrorLimit",
        ),
    )
    for phase, what, number, limit, name in limits:
        if limit is not None and number > limit:
            return phase, f'Metric "{metric.name}" assessed {phase} due to {what} ({number}) > {name} ({limit})'
    if metric.wanted is not None and result.count >= metric.wanted:
        return Phase.SUCCESSFUL, ""
    return Phase.RUNNING, ""
