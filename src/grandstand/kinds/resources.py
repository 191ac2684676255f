"""The resources that Grandstand knows: how each is named, and where in the API it lives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type, e.g. Deployments: group "apps", version "v1", plural "deployments", kind "Deployment"."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`apiVersion` as objects carry it: "v1" or "apps/v1"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """The name that error messages use: "pods" or "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False, ("ns",), ("status", "finalize"))
_OF_PODS = ("status", "log", "binding", "eviction", "exec", "attach", "portforward")
PODS = Resource("", "v1", "pods", "Pod", True, ("po",), _OF_PODS, ("all",))
SERVICES = Resource("", "v1", "services", "Service", True, ("svc",), ("status",), ("all",))
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", True, ("cm",))
SECRETS = Resource("", "v1", "secrets", "Secret")
EVENTS = Resource("", "v1", "events", "Event", True, ("ev",))
NODES = Resource("", "v1", "nodes", "Node", False, ("no",), ("status",))
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", True, ("sa",))
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True, ("deploy",), ("status", "scale"), ("all",))
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", True, ("rs",), ("status", "scale"), ("all",))
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress", True, ("ing",), ("status",))
HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, ("hpa",), ("status",), ("all",)
)
ARGO = ("argoproj.io", "v1alpha1")
"""Blue-green and canary as Argo Rollouts has them, so that a manifest runs here and there."""
ROLLOUTS = Resource(*ARGO, "rollouts", "Rollout", True, ("ro",), ("status", "scale"), ("all",))
ANALYSIS_TEMPLATES = Resource(*ARGO, "analysistemplates", "AnalysisTemplate", True, ("at",))
CLUSTER_ANALYSIS_TEMPLATES = Resource(*ARGO, "clusteranalysistemplates", "ClusterAnalysisTemplate", False, ("cat",))
ANALYSIS_RUNS = Resource(*ARGO, "analysisruns", "AnalysisRun", True, ("ar",), ("status",))
OWN = ("grandstand.dev", "v1alpha1")
"""The kinds that no other project has."""
FUNCTIONS = Resource(*OWN, "functions", "Function", True, ("fn",), ("status",), ("all",))
FUNCTION_VERSIONS = Resource(*OWN, "functionversions", "FunctionVersion", True, ("fnv",))
FUNCTION_LAYERS = Resource(*OWN, "functionlayers", "FunctionLayer", True, ("fnl",))
FUNCTION_TRIGGERS = Resource(*OWN, "functiontriggers", "FunctionTrigger", True, ("fnt",), ("status",))

RESOURCES: tuple[Resource, ...] = (
    NAMESPACES,
    PODS,
    SERVICES,
    CONFIG_MAPS,
    SECRETS,
    EVENTS,
    NODES,
    SERVICE_ACCOUNTS,
    DEPLOYMENTS,
    REPLICA_SETS,
    ENDPOINT_SLICES,
    LEASES,
    INGRESSES,
    HORIZONTAL_POD_AUTOSCALERS,
    ROLLOUTS,
    ANALYSIS_TEMPLATES,
    CLUSTER_ANALYSIS_TEMPLATES,
    ANALYSIS_RUNS,
    FUNCTIONS,
    FUNCTION_VERSIONS,
    FUNCTION_LAYERS,
    FUNCTION_TRIGGERS,
)

BY_PATH: dict[tuple[str, str, str], Resource] = {(r.group, r.version, r.plural): r for r in RESOURCES}
BY_KIND: dict[tuple[str, str], Resource] = {(r.api_version, r.kind): r for r in RESOURCES}
