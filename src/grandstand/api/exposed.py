"""What the API tells Prometheus: its requests, and how the workloads stand, in the names of kube-state-metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from grandstand.exposition import Family, Histogram, Kind, Sample
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, PODS, ROLLOUTS

from .lists import ListOptions
from .paths import Target
from .registry import Registry
from .store import Store

BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0)
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Requests:
    """Counts requests by verb, resource and status code: as many series as there are kinds, whatever is asked."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._seconds = Histogram("apiserver_request_duration_seconds", "Time to answer, without watches.", BOUNDS)

    def count(self, method: str, target: Target | None, status: int, seconds: float, *, lasting: bool) -> None:
        verb = _VERBS.get(method, "other")
        if verb == "get" and target is not None and not target.name:
            verb = "watch" if lasting else "list"
        resource = target.resource.plural if target is not None else ""
        self._counts[verb, resource, str(status)] += 1
        if not lasting:
            self._seconds.observe(seconds, verb=verb)

    def families(self) -> Iterable[Family]:
        samples = tuple(
            Sample(count, {"verb": verb, "resource": resource, "code": code})
            for (verb, resource, code), count in self._counts.items()
        )
        yield Family("apiserver_request_total", Kind.COUNTER, "Requests to the API.", samples)
        yield self._seconds.family()


def store_families(store: Store) -> Iterable[Family]:
    """What the store has taken, and who follows it: clients' watches and the engine's own."""
    revision, commits = (Sample(number) for number in (store.revision, store.commits))
    yield Family("grandstand_store_revision", Kind.GAUGE, "The newest committed revision.", (revision,))
    told = "Groups of changes made durable since the engine began."
    yield Family("grandstand_store_commits_total", Kind.COUNTER, told, (commits,))
    yield store.commit_seconds.family()
    watchers = tuple(Sample(count, {"resource": resource}) for resource, count in store.watchers.items())
    yield Family("grandstand_store_watchers", Kind.GAUGE, "Who follows a resource.", watchers)


def workload_families(registry: Registry) -> Iterable[Family]:
    """How Pods, Deployments, Rollouts and HPAs stand."""
    pods = _all(registry, PODS)
    restarts = tuple(
        Sample(each.get("restartCount", 0), _of(pod, "pod") | {"container": each["name"]})
        for pod in pods
        for each in _status(pod).get("containerStatuses") or ()
    )
    told = "How often a container was started again."
    yield Family("kube_pod_container_status_restarts_total", Kind.COUNTER, told, restarts)
    ready = tuple(sample for pod in pods for sample in ready_samples(pod))
    yield Family("kube_pod_status_ready", Kind.GAUGE, "1 for the status of a Pod's condition Ready.", ready)
    for resource, kind in ((DEPLOYMENTS, "deployment"), (ROLLOUTS, "rollout")):
        objects = _all(registry, resource)
        yield _gauge(f"kube_{kind}_spec_replicas", objects, kind, lambda obj: obj["spec"].get("replicas", 1))
        yield _gauge(
            f"kube_{kind}_status_replicas_available",
            objects,
            kind,
            lambda obj: _status(obj).get("availableReplicas", 0),
        )
    autoscalers = _all(registry, HORIZONTAL_POD_AUTOSCALERS)
    name = "kube_horizontalpodautoscaler_status_desired_replicas"
    yield _gauge(name, autoscalers, "horizontalpodautoscaler", lambda obj: _status(obj).get("desiredReplicas", 0))


def _gauge(name: str, objects: Iterable[Object], kind: str, value: Any) -> Family:
    told = f"{name.rpartition('_')[0].replace('_', ' ')} {name.rpartition('_')[2]}."
    return Family(name, Kind.GAUGE, told, tuple(Sample(value(obj), _of(obj, kind)) for obj in objects))


def ready_samples(pod: Object) -> Iterable[Sample]:
    """One for each status that the condition Ready may have, as kube-state-metrics does; none before there is one."""
    for found in _status(pod).get("conditions") or ():
        if found["type"] == "Ready":
            for status in ("True", "False", "Unknown"):
                yield Sample(float(found["status"] == status), _of(pod, "pod") | {"condition": status.lower()})


def _all(registry: Registry, resource: Resource) -> list[Object]:
    return [stored.object for stored in registry.list(resource, "", ListOptions()).items]


def _status(obj: Object) -> Object:
    return obj.get("status") or {}


def _of(obj: Object, kind: str) -> dict[str, str]:
    return {"namespace": obj["metadata"]["namespace"], kind: obj["metadata"]["name"]}
