"""What the HPA controller sees: HPAs, what they scale, its Pods, and what is measured of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from grandstand import selectors
from grandstand.kinds import (
    BY_KIND,
    RESOURCES,
    HorizontalPodAutoscaler,
    Key,
    LabelSelector,
    Object,
    Pod,
    Resource,
    Service,
    key_of,
    scale_in,
)
from grandstand.kinds.autoscaling import HorizontalPodAutoscalerSpec
from grandstand.kinds.resources import HORIZONTAL_POD_AUTOSCALERS, PODS, SERVICES
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller
from grandstand.scaling.hpa import Decision, Memory, Replicas, Spec, Timing, decide

from .readings import Reader
from .reconcile import Seen, Target, failed, reconcile
from .spec import period_seconds, spec_of

METRICS_SECONDS = 5.0
"""How often a status is written only because a number of a metric has moved: each write is durable."""

SCALABLE = tuple(resource for resource in RESOURCES if "scale" in resource.subresources)


@dataclass(slots=True)
class Known:
    """What is kept of an HPA between two looks; gone with the engine, as in Kubernetes."""

    memory: Memory = field(default_factory=Memory)
    looked_at: float = 0.0
    spec: tuple[HorizontalPodAutoscalerSpec, Spec] | None = None
    """What was read of which spec."""


class Sight:
    """Reads caches and measurements; `look` decides, so that its memory has one place."""

    def __init__(self, caches: Caches, reader: Reader, default_period_seconds: float, timing: Timing) -> None:
        self._hpas = caches.table(HORIZONTAL_POD_AUTOSCALERS, HorizontalPodAutoscaler)
        self._by_target = self._hpas.index(lambda hpa: [_target_of(hpa)])
        self._by_service = self._hpas.index(
            lambda hpa: [Key(hpa.metadata.namespace, name) for name in hpa.described_services]
        )
        pods = caches.table(PODS, Pod)
        self._pods = pods.index(lambda pod: [pod.metadata.namespace])
        self._labelled = pods.index(
            lambda pod: [(pod.metadata.namespace, *each) for each in pod.metadata.labels.items()]
        )
        self._services = caches.table(SERVICES, Service).index(lambda service: [service.metadata.namespace])
        self._targets = {resource: caches.informer(resource) for resource in SCALABLE}
        self._reader = reader
        self._default_period_seconds = default_period_seconds
        self._timing = timing
        self._known: defaultdict[str, Known] = defaultdict(Known)

    async def look(self, key: Key, now: float) -> tuple[HorizontalPodAutoscaler, Seen] | None:
        hpa, raw = self._hpas.get(key), self._hpas.object(key)
        if hpa is None or raw is None or hpa.metadata.deletion_timestamp is not None:
            return None
        known = self._known[hpa.metadata.uid]
        due = int(now // METRICS_SECONDS) != int(known.looked_at // METRICS_SECONDS)
        known.looked_at = now
        target, problem = self._target(hpa)
        rivals = tuple(sorted(each.metadata.name for each in self._by_target[_target_of(hpa)]))
        decision = None
        if target is not None and len(rivals) > 1:
            problem = f"the target is controlled by multiple HPAs: {', '.join(rivals)}; delete all but one"
        elif target is not None and not selectors.from_label_selector(target.scale.selector):
            problem = "the HPA target's scale is missing a selector"
        elif target is not None:
            decision = self._decide(hpa, target, known, now)
        period = period_seconds(hpa, self._default_period_seconds)
        return hpa, Seen(raw, target, decision, problem, rivals if len(rivals) > 1 else (), now, due, period)

    def _target(self, hpa: HorizontalPodAutoscaler) -> tuple[Target | None, str]:
        reference = hpa.spec.scale_target_ref
        resource = BY_KIND.get((reference.api_version, reference.kind))
        if resource is None or resource not in self._targets:
            return None, f"no {reference.kind} of {reference.api_version} can be scaled here"
        key = Key(hpa.metadata.namespace, reference.name)
        obj = self._targets[resource].get(key)
        if obj is None:
            return None, f'{resource.qualified} "{reference.name}" not found'
        return Target(resource, key, scale_in(obj)), ""

    def _decide(self, hpa: HorizontalPodAutoscaler, target: Target, known: Known, now: float) -> Decision:
        namespace = hpa.metadata.namespace
        pods = self._pods_of(namespace, target.scale.selector)
        ready = sum(pod.ready and pod.metadata.deletion_timestamp is None for pod in pods)
        readings = self._reader.readings(hpa, pods, self._services[namespace])
        replicas = Replicas(target.scale.wanted, ready)
        if known.spec is None or known.spec[0] is not hpa.spec:
            known.spec = hpa.spec, spec_of(hpa)
        decision = decide(known.spec[1], known.memory, readings, replicas, now, self._timing)
        known.memory = decision.memory
        return decision

    def _pods_of(self, namespace: str, wanted: LabelSelector) -> list[Pod]:
        """The Pods that a selector finds; by one of its labels, for there may be many others."""
        selector = selectors.from_label_selector(wanted)
        first = next(iter(wanted.match_labels.items()), None)
        candidates = self._pods[namespace] if first is None else self._labelled[(namespace, *first)]
        return [pod for pod in candidates if selectors.matches(selector, pod.metadata.labels)]

    # Whom a change concerns.

    def of_hpa(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        """The HPA, and those that have the same target: they may have become rivals, or cease to be."""
        if after is None and before is not None:
            self._known.pop(before["metadata"]["uid"], None)
        if before is not None and after is not None and before.get("spec") == after.get("spec"):
            return (
                [] if before["metadata"].get("annotations") == after["metadata"].get("annotations") else [key_of(after)]
            )
        found = {key_of(obj) for obj in (before, after) if obj is not None}
        for obj in (before, after):
            if obj is not None:
                ref = obj["spec"]["scaleTargetRef"]
                found |= {
                    each.metadata.key for each in self._by_target[(key_of(obj).namespace, ref["kind"], ref["name"])]
                }
        return found

    def of_target(self, resource: Resource) -> Callable[[Object | None, Object | None], Iterable[Key]]:
        def concerned(before: Object | None, after: Object | None) -> Iterable[Key]:
            obj = after or before
            assert obj is not None
            if (
                before is not None
                and after is not None
                and before["spec"].get("replicas") == after["spec"].get("replicas")
            ):
                return []  # its period comes soon enough
            key = key_of(obj)
            return [each.metadata.key for each in self._by_target[(key.namespace, resource.kind, key.name)]]

        return concerned

    def of_service(self, service: Key) -> list[Key]:
        """The HPAs that count the requests of a Service."""
        return [each.metadata.key for each in self._by_service[service]]


def controller(
    caches: Caches, reader: Reader, *, period_seconds: float = 1.0, timing: Timing | None = None
) -> Controller[Key, HorizontalPodAutoscaler, Seen]:
    """The description for the runner; `period_seconds` is how often an HPA is looked at that does not say so itself."""
    sight = Sight(caches, reader, period_seconds, timing or Timing())

    def on_demand(queue: Callable[[Key], None]) -> None:
        def told(service: Key) -> None:
            for key in sight.of_service(service):
                queue(key)

        reader.traffic.on_demand(told)

    watches = {HORIZONTAL_POD_AUTOSCALERS: sight.of_hpa} | {each: sight.of_target(each) for each in SCALABLE}
    return Controller("horizontal-pod-autoscaler", watches, sight.look, reconcile, failed, other_causes=on_demand)


def _target_of(hpa: HorizontalPodAutoscaler) -> tuple[str, str, str]:
    reference = hpa.spec.scale_target_ref
    return hpa.metadata.namespace, reference.kind, reference.name
