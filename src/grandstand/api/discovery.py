"""Tell clients which resources there are: the classic lists of `/api` and `/apis`, and the aggregated one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from grandstand import __version__
from grandstand.errors import NotFound
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import NAMESPACES, RESOURCES

from .measured import MEASURED
from .reviews import REVIEWS

KUBERNETES_MINOR = 37
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
ALL = (*RESOURCES, *REVIEWS, *MEASURED)
DESCRIBED = (*RESOURCES, *MEASURED)
"""What OpenAPI describes."""


@dataclass(frozen=True, slots=True)
class Subresource:
    """What a subresource answers with, and what can be done with it; `kind` "" is the resource's own."""

    verbs: tuple[str, ...]
    group: str = ""
    version: str = "v1"
    kind: str = ""


SUBRESOURCES = {
    "status": Subresource(("get", "patch", "update")),
    "scale": Subresource(("get", "patch", "update"), "autoscaling", "v1", "Scale"),
    "log": Subresource(("get",)),
    "exec": Subresource(("create", "get"), "", "v1", "PodExecOptions"),
    "attach": Subresource(("create", "get"), "", "v1", "PodAttachOptions"),
    "portforward": Subresource(("create", "get"), "", "v1", "PodPortForwardOptions"),
    "binding": Subresource(("create",), "", "v1", "Binding"),
    "eviction": Subresource(("create",), "policy", "v1", "Eviction"),
    "finalize": Subresource(("update",)),
}


def verbs_of(resource: Resource) -> tuple[str, ...]:
    if resource in REVIEWS:
        return ("create",)
    if resource in MEASURED:
        return ("get", "list")
    return tuple(verb for verb in VERBS if verb != "deletecollection" or resource is not NAMESPACES)


@cache
def groups() -> tuple[str, ...]:
    """The named groups, each once."""
    return tuple(dict.fromkeys(resource.group for resource in ALL if resource.group))


def versions_of(group: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(resource.version for resource in ALL if resource.group == group))


def version(compiler: str, platform: str) -> Object:
    """`/version`: the Kubernetes release whose API this is, and which Grandstand."""
    return {
        "major": "1",
        "minor": str(KUBERNETES_MINOR),
        "gitVersion": f"v1.{KUBERNETES_MINOR}.0+grandstand.{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": compiler,
        "compiler": compiler,
        "platform": platform,
    }


def core_versions(address: str) -> Object:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list() -> Object:
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups()]}


def group(name: str) -> Object:
    """Raises NotFound."""
    if name not in groups():
        raise NotFound
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def _group(name: str) -> Object:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions_of(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(group: str, version: str) -> Object:
    """The resources and subresources of a group version. Raises NotFound."""
    found = [resource for resource in ALL if (resource.group, resource.version) == (group, version)]
    if not found:
        raise NotFound
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [entry for resource in found for entry in _entries(resource)],
    }


def _entries(resource: Resource) -> Iterable[Object]:
    yield {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(verbs_of(resource)),
        **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
        **({"categories": list(resource.categories)} if resource.categories else {}),
    }
    for name in resource.subresources:
        sub = SUBRESOURCES[name]
        yield {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **({"group": sub.group, "version": sub.version} if sub.group else {}),
            "kind": sub.kind or resource.kind,
            "verbs": list(sub.verbs),
        }


def aggregated(names: Iterable[str]) -> Object:
    """Everything about some groups in one answer, as clients since Kubernetes 1.26 ask for it."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(name) for name in names],
    }


def _aggregated_group(name: str) -> Object:
    return {
        "metadata": {"name": name} if name else {},
        "versions": [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated(r) for r in ALL if (r.group, r.version) == (name, version)],
            }
            for version in versions_of(name)
        ],
    }


def _aggregated(resource: Resource) -> Object:
    own_kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    subresources = [
        {
            "subresource": name,
            "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind} if sub.kind else own_kind,
            "verbs": list(sub.verbs),
        }
        for name in resource.subresources
        for sub in [SUBRESOURCES[name]]
    ]
    return {
        "resource": resource.plural,
        "responseKind": own_kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(verbs_of(resource)),
        **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
        **({"categories": list(resource.categories)} if resource.categories else {}),
        **({"subresources": subresources} if subresources else {}),
    }
