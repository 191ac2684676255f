"""What the runner has to know of the Deployment controller: what it watches, and what it sees."""

from __future__ import annotations

from collections.abc import Iterable

from grandstand import selectors
from grandstand.controllers.ownership import controller_in, controller_uid, is_orphan, orphan_namespace
from grandstand.kinds import Deployment, Key, Object, Pod, ReplicaSet, key_of
from grandstand.kinds.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from . import revisions
from .reconcile import Seen, failed, reconcile


class Sight:
    """Finds what concerns a Deployment in the caches."""

    def __init__(self, caches: Caches) -> None:
        self._deployments = caches.table(DEPLOYMENTS, Deployment)
        self._replica_sets = caches.table(REPLICA_SETS, ReplicaSet)
        self._pods = caches.table(PODS, Pod).index(controller_uid)
        self._owned = self._replica_sets.index(controller_uid)
        self._orphans = self._replica_sets.index(orphan_namespace)
        self._in_namespace = self._deployments.index(lambda deployment: [deployment.metadata.namespace])

    async def look(self, key: Key, now: float) -> tuple[Deployment, Seen] | None:
        wanted, raw = self._deployments.get(key), self._deployments.object(key)
        if wanted is None or raw is None:
            return None
        owned = self._owned[wanted.metadata.uid]
        running: frozenset[str] = frozenset()
        if wanted.spec.strategy.type == "Recreate":
            uids = [each.metadata.uid for each in owned]
            running = frozenset(uid for uid in uids if any(not pod.finished for pod in self._pods[uid]))
        namesake = self._replica_sets.get(Key(key.namespace, revisions.name_of_new(wanted)))
        return wanted, Seen(raw, [*owned, *self._orphans[key.namespace]], namesake, running, now)

    def of_deployment(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(obj) for obj in (after or before,) if obj is not None]

    def of_replica_set(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        owners = {owner for obj in (before, after) if (owner := controller_in(obj, DEPLOYMENTS)) is not None}
        if after is not None and is_orphan(after):
            labels = after["metadata"].get("labels")
            for each in self._in_namespace[after["metadata"]["namespace"]]:
                if selectors.matches(selectors.from_label_selector(each.spec.selector), labels):
                    owners.add(each.metadata.key)
        return owners

    def of_pod(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        """Only Recreate waits for Pods: for each that ends or is gone."""
        ended = after is None or (after.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        replica_set = controller_in(before, REPLICA_SETS) if ended else None
        owning = self._replica_sets.object(replica_set) if replica_set is not None else None
        owner = controller_in(owning, DEPLOYMENTS)
        wanted = self._deployments.get(owner) if owner is not None else None
        if wanted is None or wanted.spec.strategy.type != "Recreate":
            return ()
        return (wanted.metadata.key,)


def controller(caches: Caches) -> Controller[Key, Deployment, Seen]:
    """The description for the runner."""
    sight = Sight(caches)
    watches = {DEPLOYMENTS: sight.of_deployment, REPLICA_SETS: sight.of_replica_set, PODS: sight.of_pod}
    return Controller("deployment", watches, sight.look, reconcile, failed)
