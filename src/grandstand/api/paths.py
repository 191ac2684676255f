"""Read what a path addresses: `/apis/apps/v1/namespaces/default/deployments/web/scale`."""

from __future__ import annotations

from dataclasses import dataclass

from grandstand.errors import NotFound
from grandstand.kinds import Resource
from grandstand.kinds.resources import BY_PATH, NAMESPACES, PODS, SERVICE_ACCOUNTS

from .measured import MEASURED
from .refusals import about
from .reviews import REVIEWS

ADDRESSED = {**BY_PATH, **{(each.group, each.version, each.plural): each for each in (*REVIEWS, *MEASURED)}}

STREAMS = ("exec", "attach", "portforward")
"""Subresources of Pods that are streams (see `streams.py`)."""

NOT_SERVED = {
    (PODS, "ephemeralcontainers"): "ephemeral containers are not supported: add a container to the Pod's own",
    (SERVICE_ACCOUNTS, "token"): "no service account tokens are issued: use the credential of the kubeconfig",
}
"""Subresources that people ask for, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; `name` "" is the collection, `namespace` "" all namespaces."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def target_of(path: str) -> Target:
    """What a path below /api or /apis addresses. Raises NotFound where it addresses nothing."""
    steps = path.strip("/").split("/")
    if steps[0] == "api" and len(steps) >= 3:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[0] == "apis" and len(steps) >= 4:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        raise NotFound
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in NAMESPACES.subresources:
        return _target(group, version, rest[2:], rest[1])
    return _target(group, version, rest, "")


def _target(group: str, version: str, rest: list[str], namespace: str) -> Target:
    resource = ADDRESSED.get((group, version, rest[0]))
    if resource is None:
        raise _not_served(group, version, rest[0])
    if len(rest) > 3 or "" in rest:
        raise NotFound
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if (namespace and not resource.namespaced) or (name and resource.namespaced and not namespace):
        raise NotFound
    if subresource and not _has(resource, subresource):
        why = NOT_SERVED.get((resource, subresource), f"{resource.qualified} have no subresource {subresource}")
        # Without a name in the details kubectl takes it for a missing feature; without details it crashes.
        raise about(NotFound(why), resource, "")
    return Target(resource, namespace, name, subresource)


def _not_served(group: str, version: str, plural: str) -> NotFound:
    asked = f"{plural}.{group}/{version}" if group else f"{plural}/{version}"
    error = NotFound(
        f"the server could not find the requested resource: {asked} is not served here; "
        "`kubectl api-resources` lists what is"
    )
    error.details = {"group": group, "kind": plural} if group else {"kind": plural}
    return error


def _has(resource: Resource, subresource: str) -> bool:
    return subresource in resource.subresources
