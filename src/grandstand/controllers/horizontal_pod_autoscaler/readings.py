"""Read the metrics of an HPA from what the node and the gateway have measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grandstand import selectors
from grandstand.clock import parse_time
from grandstand.kinds import Container, HorizontalPodAutoscaler, Key, Pod, Service, parse_quantity
from grandstand.kinds.autoscaling import MetricSpec
from grandstand.measurements import PodUsage, ResourceMeasurements, Traffic, TrafficMeasurements
from grandstand.scaling.hpa import CPU, Measured, MetricKind, PodSample, Readiness, Reading, Samples, Unavailable

TRAFFIC: dict[str, Callable[[Traffic], float | None]] = {
    "requests_per_second": lambda traffic: traffic.requests_per_second,
    "requests_in_flight": lambda traffic: traffic.in_flight,
    "requests_waiting": lambda traffic: traffic.waiting,
    "request_latency_seconds": lambda traffic: traffic.latency_seconds or 0.0,
    "request_errors_per_second": lambda traffic: traffic.errors_per_second,
}
"""The gateway's metrics by the names that HPAs call them."""

RESOURCES = ("cpu", "memory")
NO_EXTERNAL = "no source of external metrics is configured: use Resource, ContainerResource, Pods or Object metrics"


@dataclass(frozen=True, slots=True)
class Reader:
    """Knows who measures what."""

    resources: ResourceMeasurements
    traffic: TrafficMeasurements

    def readings(
        self, hpa: HorizontalPodAutoscaler, pods: Sequence[Pod], services: Iterable[Service]
    ) -> tuple[Reading, ...]:
        """What each of the HPA's metrics shows; `pods` are the target's, `services` all of the namespace."""
        return tuple(self._reading(metric, hpa.metadata.namespace, pods, services) for metric in hpa.spec.metrics)

    def _reading(self, metric: MetricSpec, namespace: str, pods: Sequence[Pod], services: Iterable[Service]) -> Reading:
        match MetricKind(metric.type):
            case MetricKind.RESOURCE | MetricKind.CONTAINER_RESOURCE:
                return self._resource(metric.source.name, metric.source.container, pods)
            case MetricKind.PODS:
                return self._of_pods(metric, pods, services)
            case MetricKind.OBJECT:
                return self._of_object(metric, namespace)
            case MetricKind.EXTERNAL:
                return Unavailable(NO_EXTERNAL)

    def _resource(self, name: str, container: str, pods: Sequence[Pod]) -> Reading:
        if name not in RESOURCES:
            return Unavailable(f"failed to get {name} usage: only {' and '.join(RESOURCES)} are measured")
        samples = []
        for pod in pods:
            usage = self.resources.pod_usage(pod.metadata.uid)
            value = None if usage is None else _usage(usage, name, container)
            samples.append(_sample(pod, value, usage, _request(pod, name, container)))
        return Samples(tuple(samples))

    def _of_pods(self, metric: MetricSpec, pods: Sequence[Pod], services: Iterable[Service]) -> Reading:
        name = metric.source.metric.name if metric.source.metric else ""
        if name not in TRAFFIC:
            return Unavailable(unknown_metric(name))
        found: dict[str, float] = {}
        for service in services:
            selector = service.spec.selector
            if selector and any(selectors.matches(selectors.from_labels(selector), p.metadata.labels) for p in pods):
                for uid, traffic in self.traffic.pod_traffic(service.metadata.key).items():
                    found[uid] = found.get(uid, 0.0) + (TRAFFIC[name](traffic) or 0.0)
        return Samples(tuple(_sample(pod, found.get(pod.metadata.uid), None, None) for pod in pods))

    def _of_object(self, metric: MetricSpec, namespace: str) -> Reading:
        name, described = metric.source.metric.name if metric.source.metric else "", metric.source.described_object
        if described is None or described.kind != "Service":
            kind = described.kind if described else "nothing"
            return Unavailable(f"the metric describes {kind}: the gateway measures Services (apiVersion v1)")
        if name not in TRAFFIC:
            return Unavailable(unknown_metric(name))
        traffic = self.traffic.service_traffic(Key(namespace, described.name))
        if traffic is None:
            return Unavailable(
                f"the gateway has not measured the Service {described.name}: is it there, with an HTTP port?"
            )
        value = TRAFFIC[name](traffic)
        return Measured(value or 0.0)


def unknown_metric(name: str) -> str:
    return f"there is no metric {name!r}: the gateway has {', '.join(TRAFFIC)}"


def _usage(usage: PodUsage, name: str, container: str) -> float | None:
    counted = [each for key, each in usage.containers.items() if container in ("", key)]
    if not counted:
        return None
    return sum(each.cpu_cores if name == CPU else float(each.memory_bytes) for each in counted)


def _request(pod: Pod, name: str, container: str) -> float | None:
    """What is requested together; None where one of the containers requests nothing."""
    sidecars = [each for each in pod.spec.init_containers if each.restart_policy == "Always"]
    counted = [each for each in (*pod.spec.containers, *sidecars) if container in ("", each.name)]
    requests = [_request_of(each, name) for each in counted]
    known = [request for request in requests if request is not None]
    return sum(known) if known and len(known) == len(requests) else None


def _request_of(container: Container, name: str) -> float | None:
    text = container.resources.requests.get(name)
    return None if text is None else float(parse_quantity(text))


def _sample(pod: Pod, value: float | None, usage: PodUsage | None, request: float | None) -> PodSample:
    ready = pod.condition("Ready")
    since = parse_time(ready.last_transition_time) if ready is not None and ready.last_transition_time else 0.0
    return PodSample(
        pod.metadata.name,
        value,
        request,
        measured_at=usage.measured_at if usage is not None else 0.0,
        window_seconds=usage.window_seconds if usage is not None else 0.0,
        started_at=parse_time(pod.status.start_time) if pod.status.start_time else None,
        readiness=None if ready is None else Readiness(ready.status == "True", since),
        pending=pod.status.phase == "Pending",
        ended=pod.metadata.deletion_timestamp is not None or pod.status.phase == "Failed",
    )
