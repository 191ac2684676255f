"""Keep the Node object of this machine, and its Lease, as a kubelet does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from grandstand.client import Client
from grandstand.clock import Clock, rfc3339, rfc3339_micro
from grandstand.engine import NODE_NAME, Engine
from grandstand.errors import AlreadyExists, GrandstandError, NotFound
from grandstand.kinds import Object
from grandstand.kinds.resources import LEASES, NODES

from . import machine
from .machine import Pressure

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
PERIOD_SECONDS = 10.0
HEARTBEAT_SECONDS = 300.0
"""How often the status is written although nothing changed."""
MOST_PODS = 500

_CONDITIONS = (
    ("MemoryPressure", "KubeletHasInsufficientMemory", "KubeletHasSufficientMemory", "memory"),
    ("DiskPressure", "KubeletHasDiskPressure", "KubeletHasNoDiskPressure", "disk"),
    ("PIDPressure", "KubeletHasInsufficientPID", "KubeletHasSufficientPID", "pids"),
)


def node_object() -> Object:
    """The Node as it is created: names and labels."""
    labels = {
        "kubernetes.io/arch": machine.architecture(),
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": "linux",
        "node-role.kubernetes.io/control-plane": "",
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE_NAME, "labels": labels}, "spec": {}}


def node_status(engine: Engine, runtime_version: str, pressure: Pressure, before: Object, now: float) -> Object:
    """The status; conditions keep the time of their last change."""
    size = machine.capacity()
    resources = {
        "cpu": str(size.cpu_millicores // 1000),
        "memory": f"{size.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{machine.disk_bytes(engine.data) // 1024}Ki",
        "pods": str(MOST_PODS),
    }
    return {
        "capacity": resources,
        "allocatable": resources,
        "conditions": conditions(pressure, before.get("conditions", []), now),
        "addresses": [
            {"type": "InternalIP", "address": str(engine.bridge_address)},
            {"type": "Hostname", "address": machine.host_name()},
        ],
        "nodeInfo": machine.node_info(runtime_version),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
    }


def conditions(pressure: Pressure, before: list[Object], now: float) -> list[Object]:
    """The pressures, and Ready."""
    known = {condition["type"]: condition for condition in before}
    shown = []
    for kind, bad, good, field in _CONDITIONS:
        short = bool(getattr(pressure, field))
        message = f"the machine {'is short of' if short else 'has enough'} {field}"
        shown.append((kind, "True" if short else "False", bad if short else good, message))
    shown.append(("Ready", "True", "KubeletReady", "Grandstand runs Pods"))
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": rfc3339(now),
            "lastTransitionTime": rfc3339(now)
            if known.get(kind, {}).get("status") != status
            else known[kind].get("lastTransitionTime", rfc3339(now)),
        }
        for kind, status, reason, message in shown
    ]


class NodeKeeper:
    """`register` once the API answers; `run` for as long as the node works."""

    def __init__(
        self,
        engine: Engine,
        client: Client,
        clock: Clock,
        runtime_version: str,
        pressure: Callable[[], Pressure] | None = None,
    ) -> None:
        self._engine = engine
        self._client = client
        self._clock = clock
        self._runtime_version = runtime_version
        self._pressure = pressure or (lambda: machine.pressure(engine.data))
        self._written: tuple[float, Pressure] | None = None

    async def register(self) -> None:
        """Make the Node and say what it is. Raises the API's errors."""
        try:
            await self._client.create(NODES, node_object())
        except AlreadyExists:
            log.debug("the node is known already")
        await self._write_status(self._pressure())

    async def run(self) -> None:
        """Renew the Lease every ten seconds, and write what changed. Never returns by itself: cancel it."""
        while True:
            try:
                await self.beat()
            except (GrandstandError, OSError) as error:
                log.warning("the node's lease was not renewed: %s; again in %g s", error, PERIOD_SECONDS)
            await self._clock.sleep(PERIOD_SECONDS)

    async def beat(self) -> None:
        await self._renew()
        pressure = await asyncio.to_thread(self._pressure)
        at, written = self._written or (0.0, None)
        if written != pressure or self._clock.now() - at >= HEARTBEAT_SECONDS:
            await self._write_status(pressure)

    async def _write_status(self, pressure: Pressure) -> None:
        try:
            node = await self._client.get(NODES, "", NODE_NAME)
        except NotFound:
            node = await self._client.create(NODES, node_object())
        now = self._clock.now()
        status = node_status(self._engine, self._runtime_version, pressure, node.get("status") or {}, now)
        await self._client.patch(NODES, "", NODE_NAME, {"status": status}, subresource="status")
        self._written = (now, pressure)

    async def _renew(self) -> None:
        times = {"renewTime": rfc3339_micro(self._clock.now())}
        try:
            await self._client.patch(LEASES, LEASE_NAMESPACE, NODE_NAME, {"spec": times})
        except NotFound:
            spec = {"holderIdentity": NODE_NAME, "leaseDurationSeconds": LEASE_SECONDS, **times}
            meta = {"name": NODE_NAME, "namespace": LEASE_NAMESPACE}
            lease = {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": meta, "spec": spec}
            await self._client.create(LEASES, lease)
