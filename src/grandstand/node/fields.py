"""What a Pod can be told about itself: the downward API. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from grandstand.kinds import Container, Pod, parse_quantity
from grandstand.kinds.pods import ResourceFieldSelector

from .records import all_containers

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Pod runs: what fields can ask for beside the object itself. Memory in bytes, CPU in millicores."""

    node: str
    host_address: str
    pod_address: str
    memory_bytes: int
    cpu_millicores: int


class NoSuchField(ValueError):
    """A `fieldRef` or `resourceFieldRef` names something that does not exist."""


def field_value(pod: Pod, place: Place, path: str) -> str:
    """The value of a `fieldRef`. Raises NoSuchField for a path that Kubernetes does not know either."""
    meta = pod.metadata
    if match := _SUBSCRIPT.fullmatch(path):
        return (meta.labels if match[1] == "labels" else meta.annotations).get(match[2], "")
    if path in ("metadata.labels", "metadata.annotations"):
        return _lines(meta.labels if path == "metadata.labels" else meta.annotations)
    known = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": place.host_address,
        "status.hostIPs": place.host_address,
        "status.podIP": place.pod_address,
        "status.podIPs": place.pod_address,
    }
    if path in known:
        return known[path]
    raise NoSuchField(
        f"unsupported fieldPath {path!r}: see `kubectl explain pod.spec.containers.env.valueFrom.fieldRef`"
    )


def _lines(values: Mapping[str, str]) -> str:
    return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(values.items()))


def _escaped(value: str) -> str:
    return (
        value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )


def resource_value(pod: Pod, place: Place, selector: ResourceFieldSelector, own: Container | None) -> str:
    """The value of a `resourceFieldRef`, in units of its divisor, rounded up; without a limit, the node's capacity."""
    container = next((c for c in all_containers(pod) if c.name == selector.container_name), own)
    if container is None:
        raise NoSuchField(f"container {selector.container_name!r} not found: resourceFieldRef needs a containerName")
    kind, _, resource = selector.resource.partition(".")
    amounts = {"limits": container.resources.limits, "requests": container.resources.requests}.get(kind)
    if amounts is None or resource not in ("cpu", "memory", "ephemeral-storage"):
        raise NoSuchField(f"unsupported resource {selector.resource!r}: use limits.cpu, limits.memory, requests.cpu…")
    amount = parse_quantity(amounts[resource]) if resource in amounts else _default(kind, resource, place)
    divisor = parse_quantity(selector.divisor or 1) or Decimal(1)
    return str(int((amount / divisor).to_integral_value(ROUND_CEILING)))


def _default(kind: str, resource: str, place: Place) -> Decimal:
    if kind == "requests" or resource == "ephemeral-storage":
        return Decimal(0)
    return Decimal(place.cpu_millicores) / 1000 if resource == "cpu" else Decimal(place.memory_bytes)
