"""What the runner has to know of the Rollout controller: what it watches, and what it sees."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from grandstand import selectors
from grandstand.controllers.ownership import controller_in, controller_uid, is_orphan, orphan_namespace
from grandstand.kinds import AnalysisRun, Deployment, Key, Object, Pod, ReplicaSet, Rollout, Service, key_of
from grandstand.kinds.resources import (
    ANALYSIS_RUNS,
    ANALYSIS_TEMPLATES,
    CLUSTER_ANALYSIS_TEMPLATES,
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    ROLLOUTS,
    SERVICES,
)
from grandstand.kinds.rollouts import AnalysisReference
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from .analyses import names
from .reconcile import Seen, failed, reconcile
from .versions import name_of_new


class Sight:
    """Finds what concerns a Rollout in the caches."""

    def __init__(self, caches: Caches) -> None:
        self._rollouts = caches.table(ROLLOUTS, Rollout)
        self._replica_sets = caches.table(REPLICA_SETS, ReplicaSet)
        self._services = caches.table(SERVICES, Service)
        self._deployments = caches.table(DEPLOYMENTS, Deployment)
        self._pods = caches.table(PODS, Pod).index(controller_uid)
        self._runs = caches.table(ANALYSIS_RUNS, AnalysisRun).index(controller_uid)
        self._templates = caches.informer(ANALYSIS_TEMPLATES)
        self._cluster_templates = caches.informer(CLUSTER_ANALYSIS_TEMPLATES)
        self._owned = self._replica_sets.index(controller_uid)
        self._orphans = self._replica_sets.index(orphan_namespace)
        self._in_namespace = self._rollouts.index(lambda rollout: [rollout.metadata.namespace])
        self._by_service = self._rollouts.index(
            lambda rollout: [Key(rollout.metadata.namespace, name) for name in service_names(rollout)]
        )
        self._by_workload = self._rollouts.index(
            lambda rollout: (
                [Key(rollout.metadata.namespace, rollout.spec.workload_ref.name)]
                if rollout.spec.workload_ref is not None
                else []
            )
        )

    async def look(self, key: Key, now: float) -> tuple[Rollout, Seen] | None:
        found, raw = self._rollouts.get(key), self._rollouts.object(key)
        if found is None or raw is None:
            return None
        wanted, problem = self._with_template(found)
        services = {
            name: service
            for name in service_names(wanted)
            if (service := self._services.get(Key(key.namespace, name))) is not None
        }
        templates = {
            (name, of_cluster): template
            for name, of_cluster in names(analyses(wanted))
            if (template := self._template(key.namespace, name, of_cluster)) is not None
        }
        namesake = self._replica_sets.get(Key(key.namespace, name_of_new(wanted)))
        candidates = [*self._owned[wanted.metadata.uid], *self._orphans[key.namespace]]
        return wanted, Seen(
            raw,
            candidates,
            namesake,
            services,
            self._runs[wanted.metadata.uid],
            templates,
            self._pods_to_restart(wanted),
            self._workload(wanted),
            problem,
            now,
        )

    def _pods_to_restart(self, wanted: Rollout) -> list[Pod]:
        if wanted.spec.restart_at in (None, wanted.status.restarted_at):
            return []
        return [pod for owned in self._owned[wanted.metadata.uid] for pod in self._pods[owned.metadata.uid]]

    def _template(self, namespace: str, name: str, of_cluster: bool) -> Object | None:
        return self._cluster_templates.get(Key("", name)) if of_cluster else self._templates.get(Key(namespace, name))

    def _with_template(self, found: Rollout) -> tuple[Rollout, str]:
        """With the template and selector of the Deployment that it refers to, where it does."""
        reference = found.spec.workload_ref
        if reference is None:
            return found, ""
        deployment = self._workload(found)
        if deployment is None:
            return found, f'spec.workloadRef.name: Invalid value: "{reference.name}": deployment not found'
        spec = msgspec.structs.replace(found.spec, template=deployment.spec.template, selector=deployment.spec.selector)
        return msgspec.structs.replace(found, spec=spec), ""

    def _workload(self, rollout: Rollout) -> Deployment | None:
        reference = rollout.spec.workload_ref
        return None if reference is None else self._deployments.get(Key(rollout.metadata.namespace, reference.name))

    # Whom a change concerns.

    def of_rollout(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(obj) for obj in (after or before,) if obj is not None]

    def of_replica_set(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        owners = {owner for obj in (before, after) if (owner := controller_in(obj, ROLLOUTS)) is not None}
        if after is not None and is_orphan(after):
            labels = after["metadata"].get("labels")
            for each in self._in_namespace[after["metadata"]["namespace"]]:
                if selectors.matches(selectors.from_label_selector(each.spec.selector), labels):
                    owners.add(each.metadata.key)
        return owners

    def of_run(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return {owner for obj in (before, after) if (owner := controller_in(obj, ROLLOUTS)) is not None}

    def of_service(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        obj = after or before
        return [] if obj is None else [each.metadata.key for each in self._by_service[key_of(obj)]]

    def of_deployment(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        obj = after or before
        return [] if obj is None else [each.metadata.key for each in self._by_workload[key_of(obj)]]

    def of_template(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        """Who waits for a template is looked at when it comes."""
        if after is None:
            return []
        namespace = after["metadata"].get("namespace")
        rollouts = self._in_namespace[namespace] if namespace else self._rollouts.all()
        return [each.metadata.key for each in rollouts if any(each is not None for each in analyses(each))]


def service_names(rollout: Rollout) -> list[str]:
    """The Services whose selectors a Rollout writes."""
    blue_green, canary = rollout.spec.strategy.blue_green, rollout.spec.strategy.canary
    found: list[str] = []
    if blue_green is not None:
        found += [blue_green.active_service, blue_green.preview_service]
    if canary is not None:
        found += [canary.stable_service, canary.canary_service]
    return [name for name in found if name]


def analyses(rollout: Rollout) -> list[AnalysisReference | None]:
    blue_green, canary = rollout.spec.strategy.blue_green, rollout.spec.strategy.canary
    if blue_green is not None:
        return [blue_green.pre_promotion_analysis, blue_green.post_promotion_analysis]
    if canary is not None:
        return [canary.analysis, *(step.analysis for step in canary.steps)]
    return []


def controller(caches: Caches) -> Controller[Key, Rollout, Seen]:
    """The description for the runner."""
    sight = Sight(caches)
    watches = {
        ROLLOUTS: sight.of_rollout,
        REPLICA_SETS: sight.of_replica_set,
        ANALYSIS_RUNS: sight.of_run,
        SERVICES: sight.of_service,
        DEPLOYMENTS: sight.of_deployment,
        ANALYSIS_TEMPLATES: sight.of_template,
        CLUSTER_ANALYSIS_TEMPLATES: sight.of_template,
    }
    return Controller("rollout", watches, sight.look, reconcile, failed)
