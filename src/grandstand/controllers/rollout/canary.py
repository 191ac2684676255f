"""Give a new version a growing share of the requests, step by step. Pure.

The share is exact, for the gateway keeps it by weights, whatever the number of Pods is; the canary has as many Pods as
its share needs, the stable version keeps all of its own (or the rest, with `dynamicStableScale`). With `maxSurge` or
`maxUnavailable` one shrinks as the other grows, and the share goes with the Pods until they are as many as it needs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

import msgspec

from grandstand.controllers.deployment.arithmetic import Limits
from grandstand.kinds import Object, ReplicaSet
from grandstand.kinds.rollouts import Canary, CanaryStep, Pause, SetCanaryScale, duration_seconds

from .analyses import Verdict, judged
from .bounds import WHOLE, Count, Targets, limits_of, next_sizes, share, targets
from .plan import Plan, Situation, paused_for
from .versions import deadline_of, hash_of, is_available, served_just_now

PAUSE = "CanaryPauseStep"
INCONCLUSIVE = "InconclusiveAnalysisRun"
NOT_READY = "more replicas need to be updated"


def plan_for(situation: Situation, strategy: Canary) -> Plan:
    """The next step."""
    plan = Plan()
    own: Object = {}
    steps, stable = strategy.steps, situation.stable
    index = min(situation.state.current_step_index or 0, len(steps))
    if situation.state.current_step_hash not in ("", step_hash(steps)):
        index = 0  # it was counted in other steps
    aborted = situation.state.abort and stable is not None
    if situation.first or stable is None or situation.state.promote_full or _served_just_now(situation):
        index = len(steps)
    if aborted:
        weight = _aborted(plan, situation, strategy)
    elif index < len(steps):
        index, weight = _step(plan, situation, strategy, index, own)
    else:
        weight = _last(plan, situation, strategy)
    if not aborted and not plan.abort_reason:
        _background(plan, situation, strategy, index, own)
    if plan.abort_reason:
        plan.sizes.clear()
        weight = _aborted(plan, situation, strategy)
    if aborted or plan.abort_reason:
        index = 0  # when it is tried again, it begins anew
    own["weights"] = _weights(situation, strategy, weight)
    plan.status |= {"canary": own, "currentStepIndex": index if steps else None, "currentStepHash": step_hash(steps)}
    _show(plan, situation, strategy, weight)
    _retire_others(plan, situation, strategy)
    return plan


def step_hash(steps: Sequence[CanaryStep]) -> str:
    """Tells whether the steps are still those that an index was counted in."""
    encoded = msgspec.json.encode(steps, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=5).hexdigest()


def weight_at(steps: Sequence[CanaryStep], index: int) -> int:
    """The share of the canary in percent when a step is being done; all when all have been."""
    if index >= len(steps):
        return WHOLE
    weights = [step.set_weight for step in steps[: index + 1] if step.set_weight is not None]
    return weights[-1] if weights else 0


def canary_size(steps: Sequence[CanaryStep], index: int, wished: int, weight: int) -> int:
    """How many Pods the canary has: what its share needs, rounded up, or what `setCanaryScale` says."""
    scales = [step.set_canary_scale for step in steps[: index + 1] if step.set_canary_scale is not None]
    scale = scales[-1] if scales and index < len(steps) else SetCanaryScale(match_traffic_weight=True)
    if scale.replicas is not None:
        return scale.replicas
    share = scale.weight if scale.weight is not None else weight
    return math.ceil(wished * share / WHOLE)


def seconds_of(pause: Pause) -> float | None:
    """How long a pause is; None: until it is promoted."""
    return None if pause.duration is None else duration_seconds(pause.duration)


def _step(plan: Plan, situation: Situation, strategy: Canary, index: int, own: Object) -> tuple[int, int]:
    """Do one step, and count it when it is done; the next follows at once, for the status has changed."""
    steps, step = strategy.steps, strategy.steps[index]
    weight = weight_at(steps, index)
    meanwhile = _approached(plan, situation, strategy, index, weight)
    if meanwhile is not None:
        plan.waiting = NOT_READY
        return index, meanwhile
    if situation.wanted.spec.paused:
        plan.waiting = "manually paused"
        return index, weight
    return (index + 1 if _is_done(plan, situation, step, index, own) else index), weight


def _approached(plan: Plan, situation: Situation, strategy: Canary, index: int, weight: int) -> int | None:
    """Have the Pods that a weight needs. What is given until they are there; None when they are."""
    steps, wished = strategy.steps, situation.wanted.spec.replicas
    if (limits := limits_of(strategy, wished)) is not None:
        return _bounded(plan, situation, limits, weight)
    size = canary_size(steps, index, wished, weight)
    before = weight_at(steps, index - 1) if index else 0
    plan.keep(situation.new, size)
    _keep_stable(plan, situation, strategy, before)
    if not is_available(situation.new, size):
        return before
    _keep_stable(plan, situation, strategy, weight)
    return None


def _bounded(plan: Plan, situation: Situation, limits: Limits, weight: int) -> int | None:
    """The same within bounds: then it has come there when the others have shrunk, too."""
    new, stable, wished = situation.new, situation.stable, situation.wanted.spec.replicas
    others = [each for each in situation.versions.old if each is not stable]
    goal = targets(wished, weight, limits.surge) if stable is not None else Targets(wished, 0)
    counts = [_count(each) for each in (new, stable, *others)]
    sizes = next_sizes(wished, limits, goal, counts[0], counts[1], counts[2:])
    plan.keep(new, sizes.canary)
    if stable is not None:
        plan.keep(stable, sizes.stable)
    for each, size in zip(others, sizes.others, strict=True):
        plan.keep(each, size)
    there = counts[0].size == goal.canary and is_available(new, goal.canary) and counts[1].size == goal.stable
    if there and not any(each.size or each.available for each in counts[2:]):
        return None
    return share(_weight_now(situation), weight, counts[0], counts[1])


def _count(replica_set: ReplicaSet | None) -> Count:
    return Count() if replica_set is None else Count(replica_set.spec.replicas, replica_set.status.available_replicas)


def _weight_now(situation: Situation) -> int:
    return int(((situation.state.canary.weights or {}).get("canary") or {}).get("weight") or 0)


def _is_done(plan: Plan, situation: Situation, step: CanaryStep, index: int, own: Object) -> bool:
    if step.pause is not None:
        pause = paused_for(situation.state, PAUSE, seconds_of(step.pause), situation.now)
        plan.status |= pause.status
        if not pause.over:
            plan.waiting = PAUSE
        if pause.again_seconds is not None:
            plan.come_again(pause.again_seconds)
        return pause.over
    if step.analysis is not None:
        recorded = situation.state.canary.current_step_analysis_run_status
        field = "currentStepAnalysisRunStatus"
        verdict = judged(plan, situation, step.analysis, recorded, f"step-{index}", field, own)
        if verdict is Verdict.UNDECIDED:
            pause = paused_for(situation.state, INCONCLUSIVE, None, situation.now)
            plan.status |= pause.status
            plan.waiting = "" if pause.over else INCONCLUSIVE
            return pause.over
        plan.waiting = Verdict.RUNNING if verdict is Verdict.RUNNING else ""
        return verdict in (Verdict.GOOD, Verdict.NONE)
    return True


def _last(plan: Plan, situation: Situation, strategy: Canary) -> int:
    """Every step is done: the new version gets everything, as soon as it has all its Pods."""
    meanwhile = _approached(plan, situation, strategy, len(strategy.steps), WHOLE)
    if meanwhile is not None:
        plan.waiting = NOT_READY
        return meanwhile
    plan.status |= {
        "stableRS": situation.new_hash,
        "pauseConditions": None,
        "controllerPause": None,
        "promoteFull": None,
    }
    return WHOLE


def _aborted(plan: Plan, situation: Situation, strategy: Canary) -> int:
    """All requests go to the stable version at once; the canary goes after its delay."""
    assert situation.stable is not None
    plan.runs.clear()
    wished = situation.wanted.spec.replicas
    if (limits := limits_of(strategy, wished)) is not None:
        meanwhile = _bounded(plan, situation, limits, 0)
        plan.waiting = "" if meanwhile is None else NOT_READY
        return meanwhile or 0
    plan.keep(situation.stable, wished)
    if strategy.dynamic_stable_scale and not is_available(situation.stable, wished):
        plan.waiting = NOT_READY  # the canary helps out until the others are back
        return _weight_now(situation)
    if strategy.abort_scale_down_delay_seconds:
        plan.retire(situation, situation.new, strategy.abort_scale_down_delay_seconds)
    return 0


def _background(plan: Plan, situation: Situation, strategy: Canary, index: int, own: Object) -> None:
    """The analysis that goes on beside the steps, from one of them to the end."""
    analysis = strategy.analysis
    if analysis is None or situation.stable is None or index < (analysis.starting_step or 0):
        return
    if index >= len(strategy.steps) and strategy.steps:
        return
    recorded = situation.state.canary.current_background_analysis_run_status
    judged(plan, situation, analysis, recorded, "background", "currentBackgroundAnalysisRunStatus", own)


def _keep_stable(plan: Plan, situation: Situation, strategy: Canary, weight: int) -> None:
    if situation.stable is not None:
        wished = situation.wanted.spec.replicas
        rest = math.ceil(wished * (WHOLE - weight) / WHOLE) if strategy.dynamic_stable_scale else wished
        plan.keep(situation.stable, rest)


def _weights(situation: Situation, strategy: Canary, weight: int) -> Object | None:
    """What the gateway reads, as long as there is another version that has Pods: it gives nothing to one not named."""
    others = [each for each in situation.versions.old if each is not situation.stable]
    if not any(each.spec.replicas or each.status.replicas for each in situation.versions.old):
        return None
    if is_unweighted(strategy, situation.wanted.spec.replicas, others):
        return None
    if situation.stable is None:
        return {"canary": None, "stable": _share(situation.new_hash, WHOLE, strategy.stable_service)}
    return {
        "canary": _share(situation.new_hash, weight, strategy.canary_service),
        "stable": _share(hash_of(situation.stable), WHOLE - weight, strategy.stable_service),
    }


def is_unweighted(strategy: Canary, replicas: int, others: Iterable[ReplicaSet]) -> bool:
    """Whether every Pod gets the same: within bounds, as long as those of a third version are needed to serve."""
    return limits_of(strategy, replicas) is not None and any(each.status.available_replicas for each in others)


def _share(version: str, weight: int, service: str) -> Object:
    return {"podTemplateHash": version, "weight": weight, "serviceName": service or None}


def _show(plan: Plan, situation: Situation, strategy: Canary, weight: int) -> None:
    """Services that show one version: the canary's once it is there, the stable one's until it is replaced."""
    stable = hash_of(situation.stable) if situation.stable is not None else situation.new_hash
    finished = plan.status.get("stableRS") == situation.new_hash
    shown = {strategy.stable_service: situation.new_hash if finished else stable}
    has_pods = is_available(situation.new, 1) and not (situation.state.abort or plan.abort_reason)
    shown[strategy.canary_service] = situation.new_hash if finished or has_pods else stable
    for service, version in shown.items():
        if service and situation.selected(service) != version:
            plan.switches[service] = version


def _retire_others(plan: Plan, situation: Situation, strategy: Canary) -> None:
    finished = plan.status.get("stableRS") == situation.new_hash
    if limits_of(strategy, situation.wanted.spec.replicas) is not None:
        return  # they are within the bounds
    for each in situation.versions.old:
        if each is situation.stable and not finished:
            continue
        served = each is situation.stable or deadline_of(each) is not None
        plan.retire(situation, each, strategy.scale_down_delay_seconds if served else 0)


def _served_just_now(situation: Situation) -> bool:
    return served_just_now(situation.new, situation.state.stable_rs, situation.wanted.spec.replicas)
