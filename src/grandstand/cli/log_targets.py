"""Choose the Pod whose log is meant by a Deployment, ReplicaSet or Service. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from grandstand.errors import BadRequest
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import DEPLOYMENTS, PODS, REPLICA_SETS, SERVICES

from .objects import named_resource

WITH_PODS = (DEPLOYMENTS, REPLICA_SETS, SERVICES)
PHASES = ("Running", "Unknown", "Pending")
OPERATORS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def target_of(text: str) -> tuple[Resource, str]:
    """Kind and name of `POD` or `TYPE/NAME`. Raises BadRequest for a kind that has no Pods."""
    kind, slash, name = text.rpartition("/")
    resource = named_resource(kind) if slash else PODS
    if not name or (resource is not PODS and resource not in WITH_PODS):
        served = ", ".join(each.singular for each in (PODS, *WITH_PODS))
        raise BadRequest(f"{text!r} has no logs: write POD, or TYPE/NAME with one of {served}.")
    return resource, name


def selector_text(resource: Resource, obj: Object) -> str:
    """The label selector of a workload's Pods, as text. Raises BadRequest for a Service without one."""
    selector = obj["spec"].get("selector") or {}
    labels = selector if resource is SERVICES else selector.get("matchLabels") or {}
    clauses = [f"{key}={value}" for key, value in labels.items()]
    for each in () if resource is SERVICES else selector.get("matchExpressions") or ():
        values = ",".join(each.get("values") or ())
        clauses.append(OPERATORS[each["operator"]].format(key=each["key"], values=values))
    if not clauses:
        raise BadRequest(f"{resource.singular}/{obj['metadata']['name']} selects no Pods: name a Pod instead.")
    return ",".join(clauses)


def best_pod(pods: Iterable[Object]) -> str | None:
    """The Pod to show, in kubectl's order: assigned to a node, running, ready, the oldest. None where there is none."""
    return min(pods, key=_rank)["metadata"]["name"] if (pods := list(pods)) else None


def _rank(pod: Object) -> tuple[bool, int, bool, str, str]:
    status, meta = pod.get("status", {}), pod["metadata"]
    phase = status.get("phase", "Pending")
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    order = PHASES.index(phase) if phase in PHASES else len(PHASES)
    return not pod["spec"].get("nodeName"), order, not ready, meta.get("creationTimestamp", ""), meta["name"]
