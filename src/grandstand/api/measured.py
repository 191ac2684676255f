"""Show what Pods and Nodes use, as `metrics.k8s.io` does: what `kubectl top` reads. Nothing of it is stored."""

from __future__ import annotations

from math import ceil

from grandstand.clock import rfc3339
from grandstand.errors import NotFound
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import NODES, PODS
from grandstand.measurements import NodeUsage, PodUsage, ResourceMeasurements, Usage

from .lists import ListOptions
from .refusals import about
from .registry import Registry

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
POD_METRICS = Resource(GROUP, VERSION, "pods", "PodMetrics")
NODE_METRICS = Resource(GROUP, VERSION, "nodes", "NodeMetrics", False)
MEASURED = {POD_METRICS: PODS, NODE_METRICS: NODES}
"""What is measured of which resource."""


class Measured:
    """Joins stored Pods and Nodes with what was measured of them."""

    def __init__(self, registry: Registry, measurements: ResourceMeasurements) -> None:
        self._registry = registry
        self._measurements = measurements

    def one(self, resource: Resource, namespace: str, name: str) -> Object:
        """Raises NotFound also for what is there and not measured (yet), as Kubernetes does."""
        stored = self._registry.get(MEASURED[resource], namespace, name, "")
        found = self._shown(resource, stored.object)
        if found is None:
            where = f"{namespace}/{name}" if namespace else name
            why = f'{resource.qualified} "{where}" not found: it does not run, or has only just begun to'
            raise about(NotFound(why), resource, name)
        return found

    def all(self, resource: Resource, namespace: str, options: ListOptions) -> Object:
        page = self._registry.list(MEASURED[resource], namespace, options)
        shown = (self._shown(resource, stored.object) for stored in page.items)
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": {},
            "items": [each for each in shown if each is not None],
        }

    def _shown(self, resource: Resource, obj: Object) -> Object | None:
        meta = obj["metadata"]
        if resource is POD_METRICS:
            usage = self._measurements.pod_usage(meta["uid"])
            return None if usage is None else pod_metrics(meta, usage)
        node = self._measurements.node_usage(meta["name"])
        return None if node is None else node_metrics(meta, node)


def pod_metrics(meta: Object, usage: PodUsage) -> Object:
    containers = [{"name": name, "usage": _usage(each)} for name, each in sorted(usage.containers.items())]
    return _head(POD_METRICS, meta, usage) | {"containers": containers}


def node_metrics(meta: Object, usage: NodeUsage) -> Object:
    return _head(NODE_METRICS, meta, usage) | {"usage": _usage(usage.usage)}


def _head(resource: Resource, meta: Object, usage: PodUsage | NodeUsage) -> Object:
    kept = ("name", "namespace", "labels", "creationTimestamp")
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {name: meta[name] for name in kept if name in meta},
        "timestamp": rfc3339(usage.measured_at),
        "window": f"{usage.window_seconds:.3f}s",
    }


def _usage(usage: Usage) -> Object:
    """As the metrics server writes them: nanocores, and kibibytes."""
    return {"cpu": f"{round(usage.cpu_cores * 1e9)}n", "memory": f"{ceil(usage.memory_bytes / 1024)}Ki"}


class NoMeasurements:
    """For an API server without a node."""

    def pod_usage(self, uid: str) -> PodUsage | None:
        return None

    def node_usage(self, name: str) -> NodeUsage | None:
        return None
