"""Decide what a Deployment does next: make its new ReplicaSet, scale it and the old ones, clean up, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grandstand import selectors
from grandstand.controllers import status
from grandstand.controllers.ownership import claim
from grandstand.errors import AlreadyExists, GrandstandError
from grandstand.kinds import Deployment, Object, ReplicaSet
from grandstand.kinds.resources import DEPLOYMENTS, REPLICA_SETS
from grandstand.reconcile.actions import Action, Again, Create, Delete, Emit, InBatches, Patch

from . import revisions
from .arithmetic import Limits, Size, Sizes, limits_of, new_replicas, old_replicas, proportional
from .progress import create_failed, report
from .revisions import History, history_of


@dataclass(frozen=True, slots=True)
class Seen:
    """`candidates`: the ReplicaSets that it owns, and orphans beside it. `namesake`: whoever has the name that its next
    ReplicaSet would get. `running`: the uids of its ReplicaSets that have Pods which have not ended (for Recreate).
    `raw` is the whole Deployment as JSON."""

    raw: Object
    candidates: Sequence[ReplicaSet]
    namesake: ReplicaSet | None
    running: frozenset[str]
    now: float


def reconcile(wanted: Deployment, seen: Seen) -> list[Action]:
    """One step of the way; the step changes a ReplicaSet, that is seen, and the next step follows at once."""
    meta = wanted.metadata
    selector = selectors.from_label_selector(wanted.spec.selector)
    owned, claims = claim(DEPLOYMENTS, meta, selector, REPLICA_SETS, seen.candidates)
    if claims:
        return [InBatches(tuple(claims))]
    history, limits = history_of(wanted, owned), limits_of(wanted.spec)
    if meta.deletion_timestamp is not None:
        return _reported(wanted, seen, history, limits)
    if wanted.spec.paused or _is_resized(wanted, history):
        return _step(wanted, seen, history, limits, _resized(wanted, history, limits), may_create=False)
    sizes = _recreated(wanted, seen, history) if wanted.spec.strategy.type == "Recreate" else None
    if sizes is None:
        sizes = _rolled(wanted, history, limits)
    may_create = wanted.spec.strategy.type != "Recreate" or not _old_pods(seen, history)
    return _step(wanted, seen, history, limits, sizes, may_create=may_create)


def failed(wanted: Deployment, seen: Seen, error: GrandstandError) -> list[Action]:
    """Say that the new ReplicaSet could not be made. That its name is taken only means that the cache lags."""
    owned, _ = claim(DEPLOYMENTS, wanted.metadata, (), REPLICA_SETS, seen.candidates)
    if isinstance(error, AlreadyExists) or history_of(wanted, owned).new is not None:
        return []
    message = f'Failed to create new replica set "{revisions.name_of_new(wanted)}": {error.message}'
    before = seen.raw.get("status") or {}
    after = {"conditions": create_failed(before, message, seen.now)}
    return [
        *status.status_changes(DEPLOYMENTS, wanted.metadata, before, after),
        Emit(seen.raw, "Warning", "ReplicaSetCreateError", message),
    ]


def _step(
    wanted: Deployment, seen: Seen, history: History, limits: Limits, sizes: Sizes, *, may_create: bool
) -> list[Action]:
    if history.new is None and may_create:
        return _created(wanted, seen, history, limits)
    actions: list[Action] = list(_scaled(wanted, seen, history, limits, sizes))
    actions += _numbered(wanted, history)
    actions += _reported(wanted, seen, history, limits, may_clean=not actions)
    return actions


def _created(wanted: Deployment, seen: Seen, history: History, limits: Limits) -> list[Action]:
    """Make the ReplicaSet of the current template; where its name is taken, count a collision: the name changes."""
    if seen.namesake is not None:
        collisions = (wanted.status.collision_count or 0) + 1
        after: Object = {"collisionCount": collisions}
        return [*status.status_changes(DEPLOYMENTS, wanted.metadata, seen.raw.get("status") or {}, after)]
    largest = wanted.spec.replicas + limits.surge
    replicas = wanted.spec.replicas
    if wanted.spec.strategy.type == "RollingUpdate":
        replicas = new_replicas(wanted.spec.replicas, limits, 0, history.occupied)
    made = revisions.replica_set_from(wanted, history, replicas, largest)
    name = made["metadata"]["name"]
    grown = Emit(seen.raw, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {replicas}")
    return [
        Create(REPLICA_SETS, made, announce=grown if replicas else None),
        *_annotated(wanted, str(revisions.next_revision(history))),
        *_reported(wanted, seen, history, limits, created=name),
    ]


def _rolled(wanted: Deployment, history: History, limits: Limits) -> Sizes:
    """One step of a rolling update: grow the new ReplicaSet as far as it may; when it is, shrink the old ones."""
    if history.new is None:
        return {}
    new, wished = size_of(history.new), wanted.spec.replicas
    replicas = new_replicas(wished, limits, new.replicas, history.occupied)
    if replicas != new.replicas:
        return {new.name: replicas}
    return old_replicas(wished, limits, new, [size_of(each) for each in history.old if each.spec.replicas])


def _recreated(wanted: Deployment, seen: Seen, history: History) -> Sizes:
    """One step of Recreate: end all old Pods; only when they have ended, start the new ones."""
    active = {each.metadata.name: 0 for each in history.old if each.spec.replicas}
    if active or history.new is None or _old_pods(seen, history):
        return active
    return {history.new.metadata.name: wanted.spec.replicas}


def _old_pods(seen: Seen, history: History) -> bool:
    return any(each.spec.replicas or each.metadata.uid in seen.running for each in history.old)


def _is_resized(wanted: Deployment, history: History) -> bool:
    """Whether `spec.replicas` changed since the sizes of the active ReplicaSets were set."""
    active = [each for each in history.all if each.spec.replicas]
    if wanted.spec.strategy.type != "RollingUpdate" and len(active) > 1:
        return False  # there is no proportion to keep: Recreate ends the old ones anyway
    said = (each.metadata.annotations.get(revisions.DESIRED_REPLICAS) for each in active)
    return any(text is not None and text != str(wanted.spec.replicas) for text in said)


def _resized(wanted: Deployment, history: History, limits: Limits) -> Sizes:
    """Spread `spec.replicas` over the ReplicaSets without going on with a rollout."""
    wished, rolling = wanted.spec.replicas, wanted.spec.strategy.type == "RollingUpdate"
    active = [each for each in history.all if each.spec.replicas]
    if len(active) <= 1:
        latest = active[0] if active else history.all[-1] if history.all else None
        return {} if latest is None else {latest.metadata.name: wished}
    if _is_saturated(history.new, wished):
        return {each.metadata.name: 0 for each in history.old if each.spec.replicas}
    if not rolling:
        return {}
    newest_first = sorted(active, key=lambda each: each.metadata.creation_timestamp or "", reverse=True)
    known = wanted.status.replicas or None
    return proportional(wished, limits, [size_of(each, known) for each in newest_first])


def _is_saturated(new: ReplicaSet | None, wished: int) -> bool:
    if new is None:
        return False
    desired = new.metadata.annotations.get(revisions.DESIRED_REPLICAS)
    return new.spec.replicas == wished == new.status.available_replicas and desired == str(wished)


def size_of(replica_set: ReplicaSet, largest: int | None = None) -> Size:
    """A ReplicaSet in numbers. Its status may lag behind its spec: no more can be available than there should be."""
    text = replica_set.metadata.annotations.get(revisions.MAX_REPLICAS, "")
    return Size(
        replica_set.metadata.name,
        replica_set.spec.replicas,
        min(replica_set.status.available_replicas, replica_set.spec.replicas),
        int(text) if text.isdecimal() else largest,
    )


def _scaled(wanted: Deployment, seen: Seen, history: History, limits: Limits, sizes: Sizes) -> list[Patch]:
    """One patch per ReplicaSet that has to change: its size, and on the newest what it shares with the Deployment."""
    patches = []
    for each in history.all:
        replicas = sizes.get(each.metadata.name, each.spec.replicas)
        annotations = dict(each.metadata.annotations)
        spec: Object = {} if replicas == each.spec.replicas else {"replicas": replicas}
        if each is history.new:
            annotations = revisions.renewed_annotations(wanted, history, each)
            minimum = wanted.spec.min_ready_seconds
            spec |= {} if minimum == each.spec.min_ready_seconds else {"minReadySeconds": minimum}
        if each.metadata.name in sizes:
            annotations |= revisions.size_annotations(wanted.spec.replicas, wanted.spec.replicas + limits.surge)
        changed = {name: text for name, text in annotations.items() if each.metadata.annotations.get(name) != text}
        patch: Object = ({"spec": spec} if spec else {}) | ({"metadata": {"annotations": changed}} if changed else {})
        if patch:
            announce = _scaling(seen, each, replicas) if "replicas" in spec else None
            patches.append(Patch(REPLICA_SETS, each.metadata.key, patch, uid=each.metadata.uid, announce=announce))
    return patches


def _scaling(seen: Seen, replica_set: ReplicaSet, replicas: int) -> Emit:
    before, name = replica_set.spec.replicas, replica_set.metadata.name
    message = f"Scaled {'up' if replicas > before else 'down'} replica set {name} from {before} to {replicas}"
    return Emit(seen.raw, "Normal", "ScalingReplicaSet", message)


def _numbered(wanted: Deployment, history: History) -> list[Patch]:
    """The Deployment bears the revision of its newest ReplicaSet."""
    if history.new is None:
        return []
    return _annotated(wanted, str(max(revisions.next_revision(history), revisions.revision_of(history.new))))


def _annotated(wanted: Deployment, revision: str) -> list[Patch]:
    if wanted.metadata.annotations.get(revisions.REVISION) == revision:
        return []
    annotations: Mapping[str, str] = {revisions.REVISION: revision}
    patch = {"metadata": {"annotations": annotations}}
    return [Patch(DEPLOYMENTS, wanted.metadata.key, patch, uid=wanted.metadata.uid)]


def _reported(
    wanted: Deployment, seen: Seen, history: History, limits: Limits, *, created: str = "", may_clean: bool = False
) -> list[Action]:
    before = seen.raw.get("status") or {}
    told = report(wanted, history, limits, before, seen.now, created)
    actions: list[Action] = []
    if may_clean and (told.complete or wanted.spec.paused):
        doomed = revisions.superfluous(history, wanted.spec.revision_history_limit)
        actions += [Delete(REPLICA_SETS, each.metadata.key, each.metadata.uid) for each in doomed]
    actions += status.status_changes(DEPLOYMENTS, wanted.metadata, before, told.status)
    return actions if told.deadline_seconds is None else [*actions, Again(told.deadline_seconds)]
