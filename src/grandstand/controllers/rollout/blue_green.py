"""Replace all Pods of a version at once: green stands beside blue until it is promoted. Pure.

    new version        scaled up beside the active one, as large as that is now
    ready              shown by the preview Service; analysed; held, where it is not promoted by itself
    promoted           one write to the active Service's selector
    stable             analysed again, or at once; blue goes after its delay
    aborted            back to the stable version, with another write; green goes after its delay

A version that still runs because it served a moment ago is as large as is wanted now, and is switched back to without
pause and analysis.
"""

from __future__ import annotations

from grandstand.controllers.deployment.arithmetic import resolve
from grandstand.kinds import Object, ReplicaSet
from grandstand.kinds.rollouts import BlueGreen

from .analyses import Verdict, judged
from .plan import Plan, Situation, paused_for
from .versions import deadline_of, hash_of, is_available, is_leaving, served_just_now

PAUSE = "BlueGreenPause"
CUTOVER = "active service cutover pending"
NOT_READY = "updated replicas are still becoming available"


def plan_for(situation: Situation, strategy: BlueGreen) -> Plan:
    """The next step."""
    plan = Plan()
    own: Object = {}
    if situation.state.abort and not situation.first and situation.stable is not None:
        _go_back(plan, situation, strategy)
    else:
        _go_on(plan, situation, strategy, own)
        if plan.abort_reason:
            _go_back(plan, situation, strategy)
    active = plan.switches.get(strategy.active_service, situation.selected(strategy.active_service))
    own |= {"activeSelector": active}
    if strategy.preview_service:
        preview = plan.switches.get(strategy.preview_service, situation.selected(strategy.preview_service))
        own["previewSelector"] = preview
    plan.status["blueGreen"] = own
    _retire_others(plan, situation, strategy, active)
    return plan


def _go_on(plan: Plan, situation: Situation, strategy: BlueGreen, own: Object) -> None:
    new, wished = situation.new, situation.wanted.spec.replicas
    leaving = is_leaving(new)
    fast = situation.first or situation.state.promote_full or leaving or _served_just_now(situation)
    promoted = situation.selected(strategy.active_service) == situation.new_hash
    checked = fast or promoted or situation.state.blue_green.scale_up_preview_check_point
    size = wished if checked or strategy.preview_replica_count is None else strategy.preview_replica_count
    if promoted and not situation.first:
        plan.keep(new, wished)
        _after_promotion(plan, situation, strategy, own, fast=fast)
        return
    plan.keep(new, size, as_leaving=leaving)
    if not _is_ready(new, size, strategy):
        plan.waiting = NOT_READY
        own["scaleUpPreviewCheckPoint"] = checked or None
        _show(plan, situation, strategy, situation.state.stable_rs or situation.new_hash, only_without=True)
        return
    _show(plan, situation, strategy, situation.new_hash)
    if not checked and not _may_promote(plan, situation, strategy, own):
        return
    own["scaleUpPreviewCheckPoint"] = True
    if situation.wanted.spec.paused:
        plan.waiting = "manually paused"
        return
    plan.keep(new, wished, as_leaving=leaving)
    if not _is_ready(new, wished, strategy):
        plan.waiting = NOT_READY
        return
    plan.switches[strategy.active_service] = situation.new_hash
    plan.waiting = CUTOVER
    if situation.first:
        plan.finish(situation.new_hash)


def _may_promote(plan: Plan, situation: Situation, strategy: BlueGreen, own: Object) -> bool:
    """Whether analysis and pause let a ready version be promoted. Both run at the same time."""
    field = "prePromotionAnalysisRunStatus"
    recorded = situation.state.blue_green.pre_promotion_analysis_run_status
    verdict = judged(plan, situation, strategy.pre_promotion_analysis, recorded, "pre", field, own)
    if verdict is Verdict.BAD:
        return False
    paused = verdict is Verdict.UNDECIDED
    if not strategy.auto_promotion_enabled or paused:
        seconds = strategy.auto_promotion_seconds
        pause = paused_for(situation.state, PAUSE, None if paused or seconds is None else seconds, situation.now)
        if verdict is not Verdict.RUNNING or not pause.over:
            plan.status |= pause.status
        if not pause.over:
            plan.waiting = PAUSE
            if pause.again_seconds is not None:
                plan.come_again(pause.again_seconds)
            return False
    if verdict is Verdict.RUNNING:
        plan.waiting = Verdict.RUNNING
        return False
    return True


def _after_promotion(plan: Plan, situation: Situation, strategy: BlueGreen, own: Object, *, fast: bool) -> None:
    own["scaleUpPreviewCheckPoint"] = True
    _show(plan, situation, strategy, situation.new_hash)
    if situation.stable is None:
        plan.finish(situation.new_hash)
        return
    field = "postPromotionAnalysisRunStatus"
    verdict = Verdict.NONE
    if not fast:
        recorded = situation.state.blue_green.post_promotion_analysis_run_status
        verdict = judged(plan, situation, strategy.post_promotion_analysis, recorded, "post", field, own)
    if verdict in (Verdict.RUNNING, Verdict.UNDECIDED):
        plan.waiting = str(verdict)
        plan.keep(situation.stable, situation.wanted.spec.replicas)
    elif verdict is not Verdict.BAD:
        plan.finish(situation.new_hash)


def _go_back(plan: Plan, situation: Situation, strategy: BlueGreen) -> None:
    """Serve with the stable version again; it is scaled up before anything is switched, where it was not kept."""
    stable, wished = situation.stable, situation.wanted.spec.replicas
    plan.switches.clear()
    plan.sizes.clear()
    plan.runs.clear()
    if stable is None:
        return
    plan.keep(stable, wished)
    if situation.selected(strategy.active_service) != hash_of(stable):
        if not is_available(stable, wished):
            plan.waiting = NOT_READY
            return
        plan.switches[strategy.active_service] = hash_of(stable)
    if strategy.abort_scale_down_delay_seconds:
        plan.retire(situation, situation.new, strategy.abort_scale_down_delay_seconds)
    if situation.new.spec.replicas == 0:
        _show(plan, situation, strategy, hash_of(stable))


def _retire_others(plan: Plan, situation: Situation, strategy: BlueGreen, active: str) -> None:
    """End what neither serves nor is about to: after its delay what served before, at once what never did."""
    stable_hash = plan.status.get("stableRS", situation.state.stable_rs)
    for each in situation.versions.old:
        own_hash = hash_of(each)
        if own_hash in (active, stable_hash):
            if own_hash != situation.new_hash:
                plan.keep(each, situation.wanted.spec.replicas)
        else:
            served = own_hash == situation.state.stable_rs or deadline_of(each) is not None
            plan.retire(situation, each, strategy.scale_down_delay_seconds if served else 0)


def _show(plan: Plan, situation: Situation, strategy: BlueGreen, version: str, *, only_without: bool = False) -> None:
    """Have the preview Service show a version; `only_without`: where it shows none, and so all of them."""
    name = strategy.preview_service
    if name and situation.selected(name) != version and not (only_without and situation.selected(name)):
        plan.switches[name] = version


def _served_just_now(situation: Situation) -> bool:
    return served_just_now(situation.new, situation.state.stable_rs, situation.wanted.spec.replicas)


def _is_ready(replica_set: ReplicaSet, size: int, strategy: BlueGreen) -> bool:
    missing = resolve(strategy.max_unavailable, size, up=False)
    return is_available(replica_set, max(0, size - missing)) and replica_set.spec.replicas >= size
