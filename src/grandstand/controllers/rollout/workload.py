"""Scale down the Deployment that a Rollout takes over from, as `workloadRef.scaleDown` says. Pure.

    never           it is left alone
    onsuccess       to zero when the Rollout is healthy
    progressively   to replicas - ready Pods of the Rollout, so back up when those fail; to zero when it is healthy

Only the first version takes over: who scales the Deployment up again later, to go back to it, is not disturbed.
"""

from __future__ import annotations

from grandstand.kinds import Deployment, Object, Rollout
from grandstand.kinds.resources import DEPLOYMENTS
from grandstand.reconcile.actions import Emit, Patch

from .versions import Versions, revision_of

BEFORE = "rollout.grandstand.dev/replicas-before"
"""On a Deployment that is being scaled down: how many replicas it had, for it gets no more when it goes back up."""


def replicas_for(wanted: Rollout, versions: Versions, workload: Deployment, *, healthy: bool) -> int | None:
    """The replicas that its Deployment should have; None where they are no concern of the Rollout."""
    reference = wanted.spec.workload_ref
    if reference is None or reference.scale_down == "never" or versions.new is None:
        return None
    if wanted.status.stable_rs and revision_of(versions.new) > 1:
        return None
    if healthy:
        return 0
    ready = sum(each.status.ready_replicas for each in versions.all)
    lowered = BEFORE in workload.metadata.annotations
    if reference.scale_down == "onsuccess" or wanted.status.phase == "Healthy" or not (ready or lowered):
        return None
    return min(_before(workload), max(0, wanted.spec.replicas - ready))


def scaled(raw: Object, workload: Deployment, replicas: int | None, *, healthy: bool) -> list[Patch]:
    """The write that brings a Deployment there; `raw` is the Rollout, for the event."""
    if replicas is None or replicas == workload.spec.replicas:
        return []
    name, before = workload.metadata.name, workload.spec.replicas
    patch: Object = {
        "metadata": {"annotations": {BEFORE: None if healthy else str(_before(workload))}},
        "spec": {"replicas": replicas},
    }
    message = f"Scaled Deployment {name} from {before} to {replicas}"
    announce = Emit(raw, "Normal", "ScalingDeployment", message)
    return [Patch(DEPLOYMENTS, workload.metadata.key, patch, uid=workload.metadata.uid, announce=announce)]


def _before(workload: Deployment) -> int:
    text = workload.metadata.annotations.get(BEFORE, "")
    return max(int(text) if text.isdecimal() else 0, workload.spec.replicas)
