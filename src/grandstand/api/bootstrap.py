"""Make the objects that every cluster has from its first minute on."""

from __future__ import annotations

from grandstand.client import WriteOptions
from grandstand.engine import Engine
from grandstand.errors import AlreadyExists
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import NAMESPACES, SERVICES

from .lists import ListOptions
from .registry import Registry
from .registry.registry import IMMORTAL

MANAGER = WriteOptions(manager="grandstand")


async def bootstrap(registry: Registry, engine: Engine) -> None:
    """Create what is missing: namespaces, their ServiceAccounts, and the Service of the API."""
    for name in (*IMMORTAL, "kube-node-lease"):
        await _ensure(registry, NAMESPACES, "", {"metadata": {"name": name}})
    for stored in registry.list(NAMESPACES, "", ListOptions()).items:
        if "deletionTimestamp" not in stored.object["metadata"]:
            await registry.furnish(stored.key.name)
    await _ensure(registry, SERVICES, "default", api_service(engine))


def api_service(engine: Engine) -> Object:
    """The Service by which Pods find the API. It has no selector: the API is no Pod."""
    return {
        "metadata": {
            "name": "kubernetes",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": str(engine.api_address),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": engine.api_port}],
        },
    }


async def _ensure(registry: Registry, resource: Resource, namespace: str, obj: Object) -> None:
    try:
        await registry.create(resource, namespace, obj, WriteOptions(manager=MANAGER.manager))
    except AlreadyExists:
        return
