"""Scale what an HPA targets, and say in its status and events how it stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grandstand.clock import rfc3339
from grandstand.controllers import status
from grandstand.errors import GrandstandError
from grandstand.kinds import HorizontalPodAutoscaler, Key, Object, Resource, Scale
from grandstand.kinds.resources import HORIZONTAL_POD_AUTOSCALERS
from grandstand.reconcile.actions import Action, Again, Emit, Patch
from grandstand.scaling.hpa import ABLE_MESSAGES, LIMIT_MESSAGES, Active, Decision, Limit, MetricFailure, MetricWish

from .shown import shown_metric


@dataclass(frozen=True, slots=True)
class Target:
    """What an HPA scales: a workload with the subresource `scale`."""

    resource: Resource
    key: Key
    scale: Scale


@dataclass(frozen=True, slots=True)
class Seen:
    """`target` is None where it is missing, for the reason `problem`; `decision` None where `problem` forbids one.

    `metrics_due`: whether a status may be written only because a number in it has moved.
    """

    raw: Object
    target: Target | None
    decision: Decision | None
    problem: str
    rivals: tuple[str, ...]
    now: float
    metrics_due: bool
    period_seconds: float


def reconcile(wanted: HorizontalPodAutoscaler, seen: Seen) -> list[Action]:
    """Scale first: whoever waits, waits for that."""
    again = Again(seen.period_seconds)
    if seen.target is None:
        conditions = _said(
            seen,
            _conditions(seen),
            "AbleToScale",
            False,
            "FailedGetScale",
            f"the HPA controller was unable to get the target's current scale: {seen.problem}",
        )
        return [*_events(seen, conditions, "AbleToScale"), *_report(wanted, seen, conditions), again]
    if seen.decision is None:
        reason = "AmbiguousSelector" if seen.rivals else "InvalidSelector"
        conditions = _said(seen, _conditions(seen), "ScalingActive", False, reason, seen.problem)
        return [*_events(seen, conditions, "ScalingActive"), *_report(wanted, seen, conditions), again]
    return [*_decided(wanted, seen, seen.target, seen.decision), again]


def failed(wanted: HorizontalPodAutoscaler, seen: Seen, error: GrandstandError) -> list[Action]:
    """Say that the target could not be scaled."""
    if seen.decision is None or not _rescales(seen):
        return []
    message = f"the HPA controller was unable to update the target scale: {error.message}"
    conditions = _said(seen, _conditions(seen), "AbleToScale", False, "FailedUpdateScale", message)
    said = f"New size: {seen.decision.replicas}; reason: {seen.decision.reason}; error: {error.message}"
    return [*_report(wanted, seen, conditions), Emit(seen.raw, "Warning", "FailedRescale", said)]


def _decided(wanted: HorizontalPodAutoscaler, seen: Seen, target: Target, decision: Decision) -> list[Action]:
    actions: list[Action] = []
    conditions = _conditions_of(seen, decision)
    if _rescales(seen):
        patch = {"spec": {"replicas": decision.replicas}}
        message = f"New size: {decision.replicas}; reason: {decision.reason}"
        announce = Emit(seen.raw, "Normal", "SuccessfulRescale", message)
        actions.append(Patch(target.resource, target.key, patch, subresource="scale", announce=announce))
        succeeded = f"the HPA controller was able to update the target scale to {decision.replicas}"
        conditions = _said(seen, conditions, "AbleToScale", True, "SucceededRescale", succeeded)
    actions += _events(seen, conditions, "ScalingActive")
    return [*actions, *_report(wanted, seen, conditions)]


def _rescales(seen: Seen) -> bool:
    decision, target = seen.decision, seen.target
    return (
        decision is not None
        and target is not None
        and decision.replicas is not None
        and decision.replicas != target.scale.wanted
    )


def _conditions(seen: Seen) -> list[Object]:
    return list((seen.raw.get("status") or {}).get("conditions") or [])


def _said(seen: Seen, conditions: Sequence[Object], type_: str, true: bool, reason: str, message: str) -> list[Object]:
    return status.with_condition(conditions, type_, "True" if true else "False", reason, message, seen.now)


def _conditions_of(seen: Seen, decision: Decision) -> list[Object]:
    able, valid = decision.able, decision.active is Active.VALID
    conditions = _said(seen, _conditions(seen), "AbleToScale", True, able, ABLE_MESSAGES[able])
    conditions = _said(seen, conditions, "ScalingActive", valid, decision.active, decision.active_message)
    if decision.limit is not None:
        limited = decision.limit is not Limit.NONE
        conditions = _said(seen, conditions, "ScalingLimited", limited, decision.limit, LIMIT_MESSAGES[decision.limit])
    return conditions


def _events(seen: Seen, conditions: Sequence[Object], type_: str) -> list[Action]:
    """A warning when a condition has become false, or is it for another reason; not every second again."""
    now, before = status.find(conditions, type_), status.find(_conditions(seen), type_)
    if now is None or now["status"] == "True" or now["reason"] == Active.DISABLED:
        return []
    if before is not None and (before["status"], before["reason"]) == (now["status"], now["reason"]):
        return []
    events: list[Action] = [Emit(seen.raw, "Warning", now["reason"], now["message"])]
    failures = [each for each in seen.decision.metrics if isinstance(each, MetricFailure)] if seen.decision else []
    if seen.decision is not None and failures:
        count = f"{len(failures)} invalid out of {len(seen.decision.metrics)}"
        message = f"invalid metrics ({count}), first error is: {failures[0].message}"
        events.append(Emit(seen.raw, "Warning", "FailedComputeMetricsReplicas", message))
    return events


def _report(wanted: HorizontalPodAutoscaler, seen: Seen, conditions: Sequence[Object]) -> list[Patch]:
    """Write the status when it says something new; numbers of metrics alone only when they are due."""
    before = seen.raw.get("status") or {}
    after: Object = {"observedGeneration": wanted.metadata.generation, "conditions": list(conditions)}
    if seen.target is not None:
        decided = seen.decision.replicas if seen.decision is not None else None
        after["currentReplicas"] = seen.target.scale.running
        after["desiredReplicas"] = seen.target.scale.wanted if decided is None else decided
    if _rescales(seen):
        after["lastScaleTime"] = rfc3339(seen.now)
    quiet = not status.status_changes(HORIZONTAL_POD_AUTOSCALERS, wanted.metadata, before, after)
    if seen.decision is not None and seen.decision.metrics and (seen.metrics_due or not quiet):
        wishes = [each for each in seen.decision.metrics if isinstance(each, MetricWish)]
        sources = (seen.raw["spec"]["metrics"][seen.decision.metrics.index(wish)] for wish in wishes)
        after["currentMetrics"] = [shown_metric(source, wish) for source, wish in zip(sources, wishes, strict=True)]
    return status.status_changes(HORIZONTAL_POD_AUTOSCALERS, wanted.metadata, before, after)
