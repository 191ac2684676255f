"""Look up why a Service that requests wait for does not start."""

from __future__ import annotations

from grandstand.client import Client
from grandstand.errors import NotFound
from grandstand.kinds import Condition, Deployment, Pod, Service, view
from grandstand.kinds.resources import DEPLOYMENTS, PODS

from .activator import ScaleTarget, StartFailure
from .activator.failures import start_failure


async def why_it_does_not_start(client: Client, service: Service, target: ScaleTarget | None) -> StartFailure | None:
    """None while somebody may serve soon. Asked while requests wait only, so no Pod is watched for it."""
    if not service.spec.selector:
        return None
    labels = ",".join(f"{key}={value}" for key, value in sorted(service.spec.selector.items()))
    found = await client.list(PODS, service.metadata.namespace, labels=labels)
    conditions: list[Condition] = []
    if not found.items and target is not None and target.kind == "Deployment":
        conditions = await _conditions(client, target)
    workload = "" if target is None else f"{target.kind} {target.key.name}"
    return start_failure((view(Pod, obj) for obj in found.items), workload, conditions)


async def _conditions(client: Client, target: ScaleTarget) -> list[Condition]:
    try:
        return view(Deployment, await client.get(DEPLOYMENTS, target.key.namespace, target.key.name)).status.conditions
    except NotFound:
        return []
