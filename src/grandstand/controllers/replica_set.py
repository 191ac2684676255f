"""Keep as many Pods as a ReplicaSet asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grandstand import selectors
from grandstand.errors import GrandstandError
from grandstand.kinds import Key, Object, Pod, ReplicaSet
from grandstand.kinds.resources import PODS, REPLICA_SETS
from grandstand.reconcile.actions import Action, Again, Create, Delete, Emit, InBatches
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from . import availability, status
from .ownership import claim, controller_in, controller_reference, controller_uid, is_orphan, orphan_namespace

BURST = 500
"""Pods to create or delete in one go, as in Kubernetes."""

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class Seen:
    """`candidates`: Pods that the ReplicaSet owns, and orphans beside it. `related`: its owner's other Pods.

    `raw` is the whole ReplicaSet as JSON.
    """

    raw: Object
    candidates: Sequence[Pod]
    related: Sequence[Pod]
    now: float


def reconcile(wanted: ReplicaSet, seen: Seen) -> list[Action]:
    """Claim Pods; then create or delete what differs; and when nothing differs, say in the status how it stands."""
    meta = wanted.metadata
    selector = selectors.from_label_selector(wanted.spec.selector)
    pods, claims = claim(REPLICA_SETS, meta, selector, PODS, seen.candidates)
    if claims:
        return [InBatches(tuple(claims))]
    active = [pod for pod in pods if availability.active(pod)]
    missing = wanted.spec.replicas - len(active)
    if missing and meta.deletion_timestamp is None:
        # The status follows by itself: every Pod made or deleted is a change that has this looked at again.
        return [_create(wanted, seen, missing)] if missing > 0 else [_delete(active, seen, -missing)]
    return _report(wanted, seen, pods, without_failure(conditions_of(seen)))


def failed(wanted: ReplicaSet, seen: Seen, error: GrandstandError) -> list[Action]:
    """Say in the status and in an event that Pods could not be created or deleted."""
    pods = [
        pod for pod in seen.candidates if pod.metadata.controller and pod.metadata.controller.uid == wanted.metadata.uid
    ]
    creating = len([pod for pod in pods if availability.active(pod)]) < wanted.spec.replicas
    reason = "FailedCreate" if creating else "FailedDelete"
    conditions = conditions_of(seen)
    if status.find(conditions, "ReplicaFailure") is None:  # the first failure is the telling one, as in Kubernetes
        conditions = status.with_condition(conditions, "ReplicaFailure", "True", reason, error.message, seen.now)
    message = f"Error {'creating' if creating else 'deleting'}: {error.message}"
    return [*_report(wanted, seen, pods, conditions), Emit(seen.raw, "Warning", reason, message)]


def conditions_of(seen: Seen) -> list[Object]:
    return list((seen.raw.get("status") or {}).get("conditions") or [])


def without_failure(conditions: Sequence[Object]) -> list[Object]:
    return status.without(conditions, "ReplicaFailure")


def pod_from(wanted: ReplicaSet) -> Object:
    """The Pod that the template describes."""
    template = wanted.spec.template
    described = template.get("metadata") or {}
    meta: Object = {
        "generateName": f"{wanted.metadata.name}-",
        "namespace": wanted.metadata.namespace,
        "ownerReferences": [controller_reference(REPLICA_SETS, wanted.metadata)],
    }
    meta |= {name: described[name] for name in ("labels", "annotations", "finalizers") if described.get(name)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def deletion_order(pods: Iterable[Pod], related: Iterable[Pod], now: float) -> list[Pod]:
    """The Pods, those that are missed the least first.

    Unassigned; pending; not ready; cheap by annotation; on a node with more of their kind; ready for less long;
    restarted more often; younger. As in Kubernetes, but for age it compares seconds, not orders of magnitude.
    """
    crowding = Counter(pod.spec.node_name for pod in related if availability.active(pod))

    def rank(pod: Pod) -> tuple[object, ...]:
        since = availability.ready_since(pod)
        restarts = max((each.restart_count for each in pod.status.container_statuses), default=0)
        return (
            bool(pod.spec.node_name),
            {"Pending": 0, "Unknown": 1}.get(pod.status.phase, 2),
            since is not None,
            deletion_cost(pod),
            -crowding[pod.spec.node_name],
            -(since or 0.0),
            -restarts,
            _descending(pod.metadata.creation_timestamp or ""),
            pod.metadata.name,
        )

    return sorted(pods, key=rank)


def deletion_cost(pod: Pod) -> int:
    """The cost that the Pod's annotation names; 0 where it names none."""
    text = pod.metadata.annotations.get(DELETION_COST, "0")
    return int(text) if text.removeprefix("-").isdecimal() else 0


def _descending(text: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in text)


def _create(wanted: ReplicaSet, seen: Seen, missing: int) -> InBatches:
    created = Emit(seen.raw, "Normal", "SuccessfulCreate", "Created pod: {name}")
    pod = Create(PODS, pod_from(wanted), announce=created)
    return InBatches((pod,) * min(missing, BURST), first=1)


def _delete(active: Sequence[Pod], seen: Seen, surplus: int) -> InBatches:
    deleted = Emit(seen.raw, "Normal", "SuccessfulDelete", "Deleted pod: {name}")
    doomed = deletion_order(active, [*active, *seen.related], seen.now)[: min(surplus, BURST)]
    return InBatches(tuple(Delete(PODS, pod.metadata.key, pod.metadata.uid, announce=deleted) for pod in doomed))


def _report(wanted: ReplicaSet, seen: Seen, pods: Sequence[Pod], conditions: Sequence[Object]) -> list[Action]:
    """Write the status where it changed, and come again when a ready Pod becomes available."""
    active = [pod for pod in pods if availability.active(pod)]
    minimum = wanted.spec.min_ready_seconds
    labels = selectors.from_labels(((wanted.spec.template.get("metadata") or {}).get("labels")) or {})
    after: Object = {
        "replicas": len(active),
        "observedGeneration": wanted.metadata.generation,
        "conditions": list(conditions) or None,
    } | status.counts(
        fullyLabeledReplicas=sum(selectors.matches(labels, pod.metadata.labels) for pod in active),
        readyReplicas=sum(pod.ready for pod in active),
        availableReplicas=sum(availability.available(pod, minimum, seen.now) for pod in active),
        terminatingReplicas=sum(pod.metadata.deletion_timestamp is not None and not pod.finished for pod in pods),
    )
    actions: list[Action] = []
    actions += status.status_changes(REPLICA_SETS, wanted.metadata, seen.raw.get("status") or {}, after)
    wait = availability.next_available(active, minimum, seen.now) if minimum else None
    return actions if wait is None else [*actions, Again(wait)]


def controller(caches: Caches) -> Controller[Key, ReplicaSet, Seen]:
    """The description for the runner."""
    replica_sets, pods = caches.table(REPLICA_SETS, ReplicaSet), caches.table(PODS, Pod)
    pods_by_owner, orphans = pods.index(controller_uid), pods.index(orphan_namespace)
    siblings = replica_sets.index(controller_uid)
    in_namespace = replica_sets.index(lambda replica_set: [replica_set.metadata.namespace])

    async def look(key: Key, now: float) -> tuple[ReplicaSet, Seen] | None:
        wanted, raw = replica_sets.get(key), replica_sets.object(key)
        if wanted is None or raw is None:
            return None
        related = [
            pod
            for owner in controller_uid(wanted)
            for sibling in siblings[owner]
            if sibling.metadata.uid != wanted.metadata.uid
            for pod in pods_by_owner[sibling.metadata.uid]
        ]
        candidates = [*pods_by_owner[wanted.metadata.uid], *orphans[key.namespace]]
        return wanted, Seen(raw, candidates, related, now)

    def of_pod(before: Object | None, after: Object | None) -> Iterable[Key]:
        owners = {controller_in(obj, REPLICA_SETS) for obj in (before, after)} - {None}
        if after is not None and is_orphan(after):
            pod = after["metadata"]
            owners |= {
                each.metadata.key for each in in_namespace[pod["namespace"]] if _selects(each, pod.get("labels"))
            }
        return [owner for owner in owners if owner is not None]

    def of_replica_set(before: Object | None, after: Object | None) -> Iterable[Key]:
        meta = (after or before or {})["metadata"]
        return (Key(meta["namespace"], meta["name"]),)

    watches = {REPLICA_SETS: of_replica_set, PODS: of_pod}
    return Controller("replica-set", watches, look, reconcile, failed)


def _selects(replica_set: ReplicaSet, labels: Mapping[str, str] | None) -> bool:
    return selectors.matches(selectors.from_label_selector(replica_set.spec.selector), labels)
