"""Bring a Rollout's Pods to its template by the steps of its strategy, and say how it stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grandstand import selectors
from grandstand.clock import rfc3339
from grandstand.controllers.ownership import claim
from grandstand.errors import GrandstandError, Invalid
from grandstand.kinds import AnalysisRun, Deployment, Object, Pod, ReplicaSet, Rollout, Service
from grandstand.kinds.resources import ANALYSIS_RUNS, PODS, REPLICA_SETS, ROLLOUTS, SERVICES
from grandstand.kinds.rollouts import ROLLOUT_HASH
from grandstand.reconcile.actions import Action, Again, Create, Delete, Emit, InBatches, Patch

from . import blue_green, canary
from .analyses import SPENT, NoTemplate, is_spent, run_from
from .bounds import WHOLE
from .history import outlived
from .plan import FORGOTTEN, Plan, Situation, fresh
from .report import Phase, invalid, report
from .restart import restart
from .versions import (
    DEADLINE,
    REVISION,
    SERVED,
    Versions,
    hash_of,
    name_of_new,
    new_hash,
    next_revision,
    replica_set_from,
    revision_of,
    versions_of,
)
from .workload import replicas_for, scaled


@dataclass(frozen=True, slots=True)
class Seen:
    """`candidates`: the ReplicaSets that it owns, and orphans beside it. `namesake`: whoever has the name that its next
    ReplicaSet would get. `pods`: all of its Pods, where they are to be started anew. `workload`: the Deployment
    that its template is from. `problem`: why nothing can be done. `raw` is the whole Rollout as JSON."""

    raw: Object
    candidates: Sequence[ReplicaSet]
    namesake: ReplicaSet | None
    services: Mapping[str, Service]
    runs: Sequence[AnalysisRun]
    templates: Mapping[tuple[str, bool], Object]
    pods: Sequence[Pod]
    workload: Deployment | None
    problem: str
    now: float


def reconcile(wanted: Rollout, seen: Seen) -> list[Action]:
    """One step of the way; what it changes is seen, and the next step follows."""
    if seen.problem or (missing := _missing_services(wanted, seen)):
        problem = seen.problem or missing
        return _write(wanted, seen, invalid(wanted, seen.raw.get("status") or {}, problem, seen.now), problem)
    selector = selectors.from_label_selector(wanted.spec.selector)
    owned, claims = claim(ROLLOUTS, wanted.metadata, selector, REPLICA_SETS, seen.candidates)
    if claims:
        return [InBatches(tuple(claims))]
    if wanted.metadata.deletion_timestamp is not None:
        return []
    versions = versions_of(wanted, owned)
    if versions.new is None:
        return _created(wanted, seen, versions)
    return _carried_on(wanted, seen, versions)


def failed(wanted: Rollout, seen: Seen, error: GrandstandError) -> list[Action]:
    """Abort an update whose analysis the API refuses, and say why: it would be refused for ever."""
    if not (isinstance(error, Invalid) and error.message.startswith(ANALYSIS_RUNS.kind)):
        return []
    plan, revision = Plan(), max((revision_of(each) for each in seen.candidates), default=1)
    plan.abort(error.message, seen.now)
    message = f"RolloutAborted: Rollout aborted update to revision {revision}: {error.message}"
    said = {**plan.status, "phase": Phase.DEGRADED.value, "message": message}
    return [Patch(ROLLOUTS, wanted.metadata.key, {"status": said}, "status", uid=wanted.metadata.uid)]


def _created(wanted: Rollout, seen: Seen, versions: Versions) -> list[Action]:
    """Make the ReplicaSet of the current template, without Pods; where its name is taken, count a collision."""
    if seen.namesake is not None:
        collisions = (wanted.status.collision_count or 0) + 1
        return [Patch(ROLLOUTS, wanted.metadata.key, {"status": {"collisionCount": collisions}}, "status")]
    made = replica_set_from(wanted, versions, 0)
    revision = next_revision(versions)
    message = f"Created ReplicaSet {name_of_new(wanted)} (revision {revision})"
    return [
        *_write(wanted, seen, {**FORGOTTEN, "currentPodHash": new_hash(wanted), **_weights(wanted, versions)}),
        Create(REPLICA_SETS, made, announce=Emit(seen.raw, "Normal", "NewReplicaSetCreated", message)),
        Emit(seen.raw, "Normal", "RolloutUpdated", f"Rollout updated to revision {revision}"),
    ]


def _weights(wanted: Rollout, versions: Versions) -> Object:
    """Before the canary's first Pod is there, the gateway knows that it gets nothing."""
    stable, strategy = versions.of_hash(wanted.status.stable_rs), wanted.spec.strategy.canary
    if strategy is None or stable is None:
        return {"blueGreen": dict.fromkeys(_OF_AN_UPDATE)}
    others = [each for each in versions.old if each is not stable]
    weights: Object | None = {
        "canary": {"podTemplateHash": new_hash(wanted), "weight": 0},
        "stable": {"podTemplateHash": hash_of(stable), "weight": WHOLE},
    }
    if canary.is_unweighted(strategy, wanted.spec.replicas, others):
        weights = None
    return {"canary": {"weights": weights, **dict.fromkeys(_OF_A_CANARY)}}


_OF_AN_UPDATE = ("scaleUpPreviewCheckPoint", "prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus")
_OF_A_CANARY = ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus")


def _carried_on(wanted: Rollout, seen: Seen, versions: Versions) -> list[Action]:
    assert versions.new is not None
    begun = wanted.status.current_pod_hash != hash_of(versions.new)
    state = fresh(wanted.status, hash_of(versions.new))
    runs = {run.metadata.name: run for run in seen.runs}
    situation = Situation(wanted, state, versions, seen.services, runs, seen.now)
    strategy = wanted.spec.strategy
    if strategy.blue_green is not None:
        plan = blue_green.plan_for(situation, strategy.blue_green)
    else:
        assert strategy.canary is not None
        plan = canary.plan_for(situation, strategy.canary)
    if wanted.spec.progress_deadline_abort and not begun:
        _abort_when_late(situation, plan)
    actions: list[Action] = [*_sized(seen, versions, plan), *_renumbered(versions), *_switched(wanted, seen, plan)]
    actions += _analysed(wanted, seen, situation, plan)
    again = restart(wanted, versions, seen.pods, seen.now)
    actions += (Delete(PODS, pod.metadata.key, pod.metadata.uid) for pod in again.pods)
    if again.over:
        plan.status["restartedAt"] = wanted.spec.restart_at
    before = seen.raw.get("status") or {}
    told = report(wanted, versions, plan, before, seen.now)
    if seen.workload is not None:
        healthy = told.status["phase"] == Phase.HEALTHY
        replicas = replicas_for(wanted, versions, seen.workload, healthy=healthy)
        actions += scaled(seen.raw, seen.workload, replicas, healthy=healthy)
    reset = {**FORGOTTEN, **_weights(wanted, versions)} if begun else {}
    status = _joined(reset, _joined(plan.status, told.status))
    actions += _write(wanted, seen, status, plan.abort_reason)
    current = {str(part["name"]) for part in _run_statuses(_applied(before, status))}
    actions += outlived(wanted, versions, seen.runs, current)
    waits = [*plan.again, *(each for each in (told.again_seconds, again.again_seconds) if each is not None)]
    return [*actions, *([Again(min(waits))] if waits else [])]


def _abort_when_late(situation: Situation, plan: Plan) -> None:
    late = next((c for c in situation.wanted.status.conditions if c.type == "Progressing"), None)
    if late is not None and late.reason == "ProgressDeadlineExceeded" and not situation.state.abort:
        plan.abort("its progress deadline is exceeded", situation.now)


def _sized(seen: Seen, versions: Versions, plan: Plan) -> list[Patch]:
    patches = []
    for each in versions.all:
        name = each.metadata.name
        patch: Object = {}
        announce = None
        if name in plan.sizes and plan.sizes[name] != each.spec.replicas:
            before, after = each.spec.replicas, plan.sizes[name]
            patch["spec"] = {"replicas": after}
            way = "up" if after > before else "down"
            message = f"Scaled {way} ReplicaSet {name} (revision {revision_of(each)}) from {before} to {after}"
            announce = Emit(seen.raw, "Normal", "ScalingReplicaSet", message)
        marks: dict[str, str | None] = {}
        if name in plan.deadlines:
            deadline = plan.deadlines[name]
            marks[DEADLINE] = None if deadline is None else rfc3339(deadline)
        if hash_of(each) == plan.served and SERVED not in each.metadata.annotations:
            marks[SERVED] = "true"
        if marks:
            patch["metadata"] = {"annotations": marks}
        if patch:
            patches.append(Patch(REPLICA_SETS, each.metadata.key, patch, uid=each.metadata.uid, announce=announce))
    return patches


def _renumbered(versions: Versions) -> list[Patch]:
    """A version that is rolled out again gets the next revision."""
    assert versions.new is not None
    revision = next_revision(versions)
    if revision_of(versions.new) >= revision:
        return []
    annotations = {REVISION: str(revision)}
    meta = versions.new.metadata
    return [Patch(REPLICA_SETS, meta.key, {"metadata": {"annotations": annotations}}, uid=meta.uid)]


def _switched(wanted: Rollout, seen: Seen, plan: Plan) -> list[Patch]:
    """One write for each Service: at that moment, and at no other, it shows another version."""
    patches = []
    for name, version in plan.switches.items():
        service = seen.services[name]
        before = (service.spec.selector or {}).get(ROLLOUT_HASH, "")
        if before == version:
            continue
        message = f"Switched selector for service '{name}' from '{before}' to '{version}'"
        announce = Emit(seen.raw, "Normal", "SwitchService", message)
        patch = {"spec": {"selector": {ROLLOUT_HASH: version}}}
        meta = service.metadata
        patches.append(Patch(SERVICES, meta.key, patch, uid=meta.uid, announce=announce))
    return patches


def _analysed(wanted: Rollout, seen: Seen, situation: Situation, plan: Plan) -> list[Action]:
    """Make the AnalysisRuns that are asked for, and end those of updates that are over."""
    hashes = {"Latest": situation.new_hash, "Stable": situation.state.stable_rs}
    actions: list[Action] = []
    for wish in plan.runs:
        try:
            actions.append(Create(ANALYSIS_RUNS, run_from(wanted, wish, seen.templates, hashes)))
        except NoTemplate as error:
            plan.abort(str(error), situation.now)
    current = {str(part.get("name")) for part in _run_statuses(plan.status)}
    aborted = situation.state.abort and situation.stable is not None
    for run in seen.runs:
        patch: Object = {}
        if not run.status.over and run.metadata.name not in current and not run.spec.get("terminate"):
            patch["spec"] = {"terminate": True}
        if aborted and not is_spent(run) and run.metadata.labels.get(ROLLOUT_HASH) == situation.new_hash:
            patch["metadata"] = {"annotations": {SPENT: "true"}}
        if patch:
            actions.append(Patch(ANALYSIS_RUNS, run.metadata.key, patch, uid=run.metadata.uid))
    return actions


def _run_statuses(status: Object) -> list[Object]:
    parts = [status.get("blueGreen") or {}, status.get("canary") or {}]
    return [value for part in parts for value in part.values() if isinstance(value, dict) and "status" in value]


def _missing_services(wanted: Rollout, seen: Seen) -> str:
    strategy = wanted.spec.strategy
    fields: dict[str, str] = {}
    if strategy.blue_green is not None:
        fields = {
            "blueGreen.activeService": strategy.blue_green.active_service,
            "blueGreen.previewService": strategy.blue_green.preview_service,
        }
    elif strategy.canary is not None:
        fields = {
            "canary.stableService": strategy.canary.stable_service,
            "canary.canaryService": strategy.canary.canary_service,
        }
    for field, name in fields.items():
        if name and name not in seen.services:
            return f'spec.strategy.{field}: Invalid value: "{name}": service "{name}" not found'
    return ""


def _write(wanted: Rollout, seen: Seen, status: Object, warning: str = "") -> list[Action]:
    """Write what differs of the status, and tell of what it has come to."""
    before = seen.raw.get("status") or {}
    if _applied(before, status) == before:
        return []
    actions: list[Action] = [
        Patch(ROLLOUTS, wanted.metadata.key, {"status": status}, subresource="status", uid=wanted.metadata.uid)
    ]
    phase, earlier = status.get("phase"), before.get("phase")
    if phase != earlier and phase in _EVENTS:
        type_, reason = _EVENTS[Phase(phase)]
        if reason != "RolloutAborted" or status.get("message", "").startswith("RolloutAborted"):
            actions.append(Emit(seen.raw, type_, reason, status.get("message") or f"Rollout is {phase.lower()}"))
    return actions


_EVENTS = {
    Phase.HEALTHY: ("Normal", "RolloutCompleted"),
    Phase.PAUSED: ("Normal", "RolloutPaused"),
    Phase.DEGRADED: ("Warning", "RolloutAborted"),
}


def _joined(first: Object, second: Object) -> Object:
    """One merge patch for two, of which the second is done last."""
    joined = dict(first)
    for key, value in second.items():
        old = joined.get(key)
        joined[key] = _joined(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
    return joined


def _applied(before: Object, patch: Object) -> Object:
    """What a merge patch makes of an object."""
    after = dict(before)
    for key, value in patch.items():
        old = after.pop(key, None)
        if isinstance(value, dict):
            after[key] = _applied(old if isinstance(old, dict) else {}, value)
        elif value is not None:
            after[key] = value
    return after
