"""Tell a Pod's quality-of-service class from its requests and limits."""

from __future__ import annotations

from grandstand.api.rules.fields import items, part
from grandstand.api.rules.quantities import quantity
from grandstand.kinds import Object

_COUNTED = ("cpu", "memory")


def quality_of_service(spec: Object) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`; zero amounts count as absent. Expects defaulted requests."""
    containers = [*items(spec, "containers"), *items(spec, "initContainers")]
    amounts = [_amounts(container) for container in containers]
    if not any(requests or limits for requests, limits in amounts):
        return "BestEffort"
    if all(len(limits) == len(_COUNTED) and requests == limits for requests, limits in amounts):
        return "Guaranteed"
    return "Burstable"


def _amounts(container: Object) -> tuple[Object, Object]:
    resources = part(container, "resources")
    requests, limits = (
        {name: amount for name in _COUNTED if (amount := quantity(part(resources, which).get(name, 0)))}
        for which in ("requests", "limits")
    )
    return requests, limits
