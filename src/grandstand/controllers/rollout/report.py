"""A Rollout's status: counts, phase and conditions, in the words of Argo and its command line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grandstand.clock import parse_time
from grandstand.controllers import status
from grandstand.kinds import Object, Rollout
from grandstand.selectors import from_label_selector

from .plan import Plan
from .versions import Versions, hash_of, revision_of

NO_DEADLINE = 2**31 - 1


class Phase(StrEnum):
    """How an update stands, at a glance."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    DEGRADED = "Degraded"


@dataclass(frozen=True, slots=True)
class Report:
    """The fields of the status, and after how many seconds the progress deadline has to be judged."""

    status: Object
    again_seconds: float | None


def report(wanted: Rollout, versions: Versions, plan: Plan, before: Object, now: float) -> Report:
    """Say how an update stands after a plan."""
    counts = _counts(wanted, versions)
    stable = plan.status.get("stableRS", before.get("stableRS", ""))
    new = versions.new
    wished = wanted.spec.replicas
    complete = (
        new is not None
        and stable == hash_of(new)
        and new.status.available_replicas >= wished
        and not plan.waiting
        and not plan.abort_reason
    )
    conditions, late, again = _progressing(wanted, versions, plan, before, counts, complete, now)
    phase, message = _phase(wanted, versions, plan, before, complete=complete, late=late)
    conditions = _said(conditions, "Available", counts["availableReplicas"] >= wished, "AvailableReason", now)
    conditions = _said(conditions, "Paused", phase is Phase.PAUSED, "RolloutPaused", now)
    conditions = _said(conditions, "Healthy", phase is Phase.HEALTHY, "RolloutHealthy", now)
    conditions = _said(conditions, "Completed", complete, "RolloutCompleted", now)
    conditions = status.without(conditions, "InvalidSpec")
    shown = {
        "observedGeneration": str(wanted.metadata.generation),
        "conditions": conditions,
        "phase": phase.value,
        "message": message or None,
        "selector": _selector_text(wanted),
        "HPAReplicas": counts["replicas"] or None,
        "currentPodHash": hash_of(new) if new is not None else None,
        **{name: number or None for name, number in counts.items()},
    }
    return Report(shown, again)


def invalid(wanted: Rollout, before: Object, problem: str, now: float) -> Object:
    """The status of a Rollout that cannot be acted on."""
    message = f'The Rollout "{wanted.metadata.name}" is invalid: {problem}'
    conditions = before.get("conditions") or []
    conditions = status.with_condition(conditions, "InvalidSpec", "True", "InvalidSpec", message, now, touch=False)
    return {
        "observedGeneration": str(wanted.metadata.generation),
        "conditions": conditions,
        "phase": Phase.DEGRADED.value,
        "message": f"InvalidSpec: {message}",
    }


def _counts(wanted: Rollout, versions: Versions) -> dict[str, int]:
    return {
        "replicas": sum(each.status.replicas for each in versions.all),
        "updatedReplicas": versions.new.status.replicas if versions.new else 0,
        "readyReplicas": sum(each.status.ready_replicas for each in versions.all),
        "availableReplicas": sum(each.status.available_replicas for each in versions.all),
    }


def _phase(
    wanted: Rollout, versions: Versions, plan: Plan, before: Object, *, complete: bool, late: bool
) -> tuple[Phase, str]:
    if plan.status.get("abort", before.get("abort")):
        revision = revision_of(versions.new) if versions.new else 0
        message = f"RolloutAborted: Rollout aborted update to revision {revision}"
        kept = str(before.get("message") or "")
        if plan.abort_reason:
            return Phase.DEGRADED, f"{message}: {plan.abort_reason}"
        return Phase.DEGRADED, kept if kept.startswith("RolloutAborted") else message
    if late and not complete:
        name = versions.new.metadata.name if versions.new else ""
        return Phase.DEGRADED, f'ProgressDeadlineExceeded: ReplicaSet "{name}" has timed out progressing.'
    conditions = plan.status.get("pauseConditions", before.get("pauseConditions")) or []
    if conditions:
        return Phase.PAUSED, conditions[0]["reason"]
    if wanted.spec.paused and not complete:
        return Phase.PAUSED, "manually paused"
    if complete:
        return Phase.HEALTHY, ""
    return Phase.PROGRESSING, plan.waiting or "updated replicas are still becoming available"


def _progressing(
    wanted: Rollout, versions: Versions, plan: Plan, before: Object, counts: dict[str, int], complete: bool, now: float
) -> tuple[list[Object], bool, float | None]:
    """The conditions with `Progressing`; whether the deadline has passed; when to look at it again.

    It is counted from the last change of a number; a pause or an abort stops its clock.
    """
    known = before.get("conditions") or []
    name = versions.new.metadata.name if versions.new else wanted.metadata.name
    found = status.find(known, "Progressing")
    paused = bool(plan.status.get("pauseConditions", before.get("pauseConditions"))) or wanted.spec.paused
    if complete:
        said = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        return status.with_condition(known, "Progressing", *said, now, touch=False), False, None
    if plan.abort_reason or plan.status.get("abort", before.get("abort")):
        said = ("False", "RolloutAborted", plan.abort_reason or "Rollout is aborted")
        return status.with_condition(known, "Progressing", *said, now, touch=False), False, None
    if paused:
        said = ("Unknown", "RolloutPaused", "Rollout is paused")
        return status.with_condition(known, "Progressing", *said, now, touch=False), False, None
    moved = any((before.get(key) or 0) != number for key, number in counts.items())
    fresh = found is None or found["reason"] not in ("ReplicaSetUpdated", "ProgressDeadlineExceeded")
    if moved or fresh or plan.switches or plan.sizes:
        said = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
        conditions = status.with_condition(known, "Progressing", *said, now, touch=True)
        return conditions, False, float(wanted.spec.progress_deadline_seconds + 1)
    assert found is not None
    left = parse_time(found.get("lastUpdateTime") or found["lastTransitionTime"]) - now
    left += wanted.spec.progress_deadline_seconds
    if left >= 0 and found["reason"] == "ReplicaSetUpdated":
        return list(known), False, left + 1
    said = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    return status.with_condition(known, "Progressing", *said, now, touch=False), True, None


def _said(conditions: list[Object], type_: str, true: bool, reason: str, now: float) -> list[Object]:
    message = {"Available": "Rollout has minimum availability"}.get(type_, f"Rollout is {type_.lower()}")
    if not true:
        message = {"Available": "Rollout does not have minimum availability"}.get(
            type_, f"Rollout is not {type_.lower()}"
        )
    return status.with_condition(conditions, type_, "True" if true else "False", reason, message, now, touch=False)


def _selector_text(wanted: Rollout) -> str:
    """For `/scale`: the label selector as text."""
    clauses = []
    for each in from_label_selector(wanted.spec.selector):
        values = ",".join(sorted(each.values))
        match each.operator.value:
            case "In" if len(each.values) == 1:
                clauses.append(f"{each.key}={values}")
            case "In" | "NotIn":
                clauses.append(f"{each.key} {each.operator.value.lower()} ({values})")
            case "Exists":
                clauses.append(each.key)
            case _:
                clauses.append(f"!{each.key}")
    return ",".join(clauses)
