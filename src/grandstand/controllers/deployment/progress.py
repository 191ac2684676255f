"""A Deployment's status: counts, and the conditions by which `kubectl rollout status` follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from grandstand.clock import parse_time
from grandstand.controllers import status
from grandstand.kinds import Deployment, Object
from grandstand.kinds.workloads import DeploymentStatus

from .arithmetic import Limits
from .revisions import History

NO_DEADLINE = 2**31 - 1


class Reason(StrEnum):
    """Why a Deployment's `Progressing` condition is as it is."""

    CREATED = "NewReplicaSetCreated"
    FOUND = "FoundNewReplicaSet"
    UPDATED = "ReplicaSetUpdated"
    AVAILABLE = "NewReplicaSetAvailable"
    TIMED_OUT = "ProgressDeadlineExceeded"
    PAUSED = "DeploymentPaused"
    RESUMED = "DeploymentResumed"
    CREATE_ERROR = "ReplicaSetCreateError"


@dataclass(frozen=True, slots=True)
class Report:
    """The status as it should be, whether the rollout has reached its end, and when to look at its deadline."""

    status: Object
    complete: bool
    deadline_seconds: float | None


def report(
    wanted: Deployment, history: History, limits: Limits, before: Object, now: float, created: str = ""
) -> Report:
    """Say how a Deployment stands; `created` is the name of a ReplicaSet that is being created just now."""
    numbers = _numbers(wanted, history)
    complete = (
        numbers.updated_replicas == numbers.replicas == numbers.available_replicas == wanted.spec.replicas
        and not created
    )
    conditions = _available(before.get("conditions") or [], wanted, numbers, limits, now)
    conditions = _paused_or_resumed(conditions, wanted, now)
    deadline = None
    if not wanted.spec.paused:
        conditions = _announced(conditions, wanted, history, created, now)
        conditions, deadline = _progressing(conditions, wanted, history, numbers, complete, now)
    conditions = _replica_failure(conditions, history)
    after: Object = {"observedGeneration": numbers.observed_generation, "conditions": conditions} | status.counts(
        replicas=numbers.replicas,
        updatedReplicas=numbers.updated_replicas,
        readyReplicas=numbers.ready_replicas,
        availableReplicas=numbers.available_replicas,
        unavailableReplicas=numbers.unavailable_replicas,
    )
    return Report(after, complete, deadline)


def create_failed(before: Object, message: str, now: float) -> list[Object]:
    """The conditions after the new ReplicaSet was refused."""
    known = before.get("conditions") or []
    return status.with_condition(known, "Progressing", "False", Reason.CREATE_ERROR, message, now, touch=False)


def _numbers(wanted: Deployment, history: History) -> DeploymentStatus:
    available = sum(each.status.available_replicas for each in history.all)
    return DeploymentStatus(
        observed_generation=wanted.metadata.generation,
        replicas=sum(each.status.replicas for each in history.all),
        updated_replicas=history.new.status.replicas if history.new else 0,
        ready_replicas=sum(each.status.ready_replicas for each in history.all),
        available_replicas=available,
        unavailable_replicas=max(0, history.pods - available),
    )


def _available(
    conditions: Sequence[Object], wanted: Deployment, numbers: DeploymentStatus, limits: Limits, now: float
) -> list[Object]:
    enough = numbers.available_replicas >= wanted.spec.replicas - limits.unavailable
    return status.with_condition(
        conditions,
        "Available",
        "True" if enough else "False",
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        now,
        touch=False,
    )


def _paused_or_resumed(conditions: list[Object], wanted: Deployment, now: float) -> list[Object]:
    """A pause stops the clock of the progress deadline; a resumed Deployment starts it anew."""
    known = status.find(conditions, "Progressing")
    was_paused = known is not None and known.get("reason") == Reason.PAUSED
    timed_out = known is not None and known.get("reason") == Reason.TIMED_OUT
    if wanted.spec.paused and not was_paused and not timed_out:
        said = (Reason.PAUSED, "Deployment is paused")
    elif was_paused and not wanted.spec.paused:
        said = (Reason.RESUMED, "Deployment is resumed")
    else:
        return conditions
    return status.with_condition(conditions, "Progressing", "Unknown", *said, now, touch=False)


def _announced(
    conditions: list[Object], wanted: Deployment, history: History, created: str, now: float
) -> list[Object]:
    """Say that there is a new ReplicaSet: from here on its progress is measured."""
    if created:
        said = (Reason.CREATED, f'Created new replica set "{created}"')
    elif history.new is not None and status.find(conditions, "Progressing") is None:
        said = (Reason.FOUND, f'Found new replica set "{history.new.metadata.name}"')
    else:
        return conditions
    return status.with_condition(conditions, "Progressing", "True", *said, now, touch=True)


def _progressing(
    conditions: list[Object],
    wanted: Deployment,
    history: History,
    numbers: DeploymentStatus,
    complete: bool,
    now: float,
) -> tuple[list[Object], float | None]:
    """Judge the progress since the last status; return the conditions, and after how long to judge again."""
    known = status.find(conditions, "Progressing")
    reason = known.get("reason") if known else None
    whole = numbers.replicas == numbers.updated_replicas and reason == Reason.AVAILABLE
    if wanted.spec.progress_deadline_seconds == NO_DEADLINE or whole:
        return conditions, None
    subject = f'ReplicaSet "{history.new.metadata.name}"' if history.new else f'Deployment "{wanted.metadata.name}"'
    if complete:
        said = ("True", Reason.AVAILABLE, f"{subject} has successfully progressed.")
        return status.with_condition(conditions, "Progressing", *said, now, touch=True), None
    if _has_progressed(wanted.status, numbers):
        said = ("True", Reason.UPDATED, f"{subject} is progressing.")
        conditions = status.with_condition(conditions, "Progressing", *said, now, touch=True)
        return conditions, float(wanted.spec.progress_deadline_seconds + 1)
    if known is None or reason in (Reason.AVAILABLE, Reason.TIMED_OUT):
        return conditions, None
    left = parse_time(known["lastUpdateTime"]) + wanted.spec.progress_deadline_seconds - now
    if left >= 0:
        return conditions, left + 1  # times have whole seconds
    said = ("False", Reason.TIMED_OUT, f"{subject} has timed out progressing.")
    return status.with_condition(conditions, "Progressing", *said, now, touch=False), None


def _has_progressed(before: DeploymentStatus, now: DeploymentStatus) -> bool:
    return (
        now.updated_replicas > before.updated_replicas
        or now.replicas - now.updated_replicas < before.replicas - before.updated_replicas
        or now.ready_replicas > before.ready_replicas
        or now.available_replicas > before.available_replicas
    )


def _replica_failure(conditions: list[Object], history: History) -> list[Object]:
    """Pass on that Pods cannot be created; the newest ReplicaSet's word counts most."""
    newest_first = ([history.new] if history.new else []) + list(reversed(history.old))
    for replica_set in newest_first:
        for failure in replica_set.status.conditions:
            if failure.type == "ReplicaFailure" and failure.status == "True":
                when = failure.last_transition_time
                moment = parse_time(when) if when else 0.0
                said = ("True", failure.reason, failure.message)
                return status.with_condition(conditions, "ReplicaFailure", *said, moment, touch=False)
    return status.without(conditions, "ReplicaFailure")
