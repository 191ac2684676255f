"""Requests that fail while a Deployment is updated and rolled back, and while the engine is killed: none may.

Run as root: `python benchmarks/rollout.py` (needs `wrk`). wrk keeps its connections alive, and counts a connection that
is closed under a request as an error. The peer is the same load with nothing going on, in the same run.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import uvloop
from engines import PAYMENT_PORT, Place, container_id, engine, ready, start
from table import Table

from grandstand.client import PatchType
from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import DEPLOYMENTS, PODS, SERVICES

CALM_SECONDS = 10
LOAD_SECONDS = 35
"""For one replica, and for three: over a minute of updates in all."""
KILL_SECONDS = 15
CONNECTIONS = 8
"""Few: the load is there to notice a request lost, not to take the CPU from the update."""
ROLLOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk says of one run."""

    requests: int
    failed: int
    p99: str

    def __str__(self) -> str:
        return f"{self.requests:,} requests, {self.failed} failed, p99 {self.p99}"


def objects(name: str, replicas: int) -> tuple[Object, Object]:
    labels, meta = {"app": name}, {"name": name, "namespace": "default"}
    container = {
        "name": "payment",
        "image": "payment-app:v1",
        "ports": [{"containerPort": PAYMENT_PORT}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": PAYMENT_PORT}, "periodSeconds": 1},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    ports = [{"name": "http", "port": 80, "targetPort": PAYMENT_PORT}]
    return {"metadata": meta, "spec": spec}, {"metadata": meta, "spec": {"selector": labels, "ports": ports}}


def complete(deployment: Object) -> bool:
    """Every replica is of the newest template and available, and no other is left."""
    status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
    counts = (status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas"))
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return seen and all(count == wanted for count in counts)


async def rolled_out(client: RemoteClient, name: str) -> None:
    found = await client.list(DEPLOYMENTS, "default", fields=f"metadata.name={name}")
    if complete(found.items[0]):
        return
    version, fields = found.resource_version, f"metadata.name={name}"
    async with asyncio.timeout(ROLLOUT_SECONDS):
        async for event in client.watch(DEPLOYMENTS, "default", fields=fields, resource_version=version):
            if complete(event.object):
                return
    raise SystemExit("the API ended the watch of the rollout")


async def wrk(place: Place, name: str, seconds: int) -> Load:
    host = f"Host: {name}.default.localhost"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-H", host]
    process = await asyncio.create_subprocess_exec(
        *command, f"http://127.0.0.1:{place.gateway_port}/", stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    total, p99 = re.search(r"(\d+) requests in", said), re.search(r"99%\s+(\S+)", said)
    if total is None or p99 is None:
        raise SystemExit(f"wrk said:\n{said}")
    failed = re.findall(r"(?:connect|read|write|timeout|Non-2xx or 3xx responses:) (\d+)", said)
    return Load(int(total[1]), sum(map(int, failed)), p99[1])


async def loaded(place: Place, name: str, seconds: int, act: Callable[[], Awaitable[str]]) -> tuple[Load, str]:
    """wrk's figures, and what was done meanwhile."""
    load = asyncio.create_task(wrk(place, name, seconds))
    await asyncio.sleep(1.0)
    said = await act()
    if load.done():
        raise SystemExit(f"the load ended before what was to happen under it: {said}")
    return await load, said


async def updates(client: RemoteClient, name: str, seconds: float) -> str:
    """Update, and roll back, again and again."""
    begun, took = time.monotonic(), []
    while time.monotonic() - begun < seconds - 10 or not took:
        for version in ("v2", "v1"):
            asked = time.monotonic()
            containers = [
                {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": f"payment-app:{version}"}
            ]
            await client.patch(DEPLOYMENTS, "default", name, containers, PatchType.JSON)
            await rolled_out(client, name)
            took.append(time.monotonic() - asked)
    return f"{len(took)} updates and rollbacks, {min(took):.1f} to {max(took):.1f} s each"


async def pods_of(client: RemoteClient, name: str) -> dict[str, int]:
    """The containers of a Deployment, and how often each was restarted."""
    found = await client.list(PODS, "default", labels=f"app={name}")
    alive = [pod for pod in found.items if ready(pod)]
    return {container_id(pod): pod["status"]["containerStatuses"][0]["restartCount"] for pod in alive}


async def killed(place: Place, client: RemoteClient, name: str) -> str:
    """kill -9 of the engine; a new one a moment later, and what has become of the containers."""
    before = await pods_of(client, name)
    os.kill(place.pid, signal.SIGKILL)
    await asyncio.sleep(2.0)
    begun = time.monotonic()
    await asyncio.to_thread(start, place.data)
    up = time.monotonic() - begun
    async with place.client() as again:
        await rolled_out(again, name)
        after = await pods_of(again, name)
    same = "none replaced or restarted" if after == before else f"containers before {before}, after {after}"
    return f"{len(before)} containers, {same}; `up` to ready {up:.2f} s"


async def deploy(client: RemoteClient, name: str, replicas: int) -> None:
    deployment, service = objects(name, replicas)
    await client.create(DEPLOYMENTS, deployment)
    await client.create(SERVICES, service)
    await rolled_out(client, name)


async def measure(place: Place) -> list[tuple[str, str]]:
    rows = []
    async with place.client() as client:
        for replicas in (1, 3):
            name = f"payment-{replicas}"
            await deploy(client, name, replicas)
            rows.append((f"{replicas} replicas, nothing going on", str(await wrk(place, name, CALM_SECONDS))))
            load, said = await loaded(place, name, LOAD_SECONDS, lambda name=name: updates(client, name, LOAD_SECONDS))  # type: ignore[misc]
            rows += [(f"{replicas} replicas, updated under load", str(load)), ("", said)]
            load, said = await loaded(place, name, KILL_SECONDS, lambda name=name: killed(place, client, name))  # type: ignore[misc]
            rows += [(f"{replicas} replicas, engine killed under load", str(load)), ("", said)]
            await client.delete(DEPLOYMENTS, "default", name)
    return rows


def rows() -> Table:
    with engine() as place:
        measured = uvloop.run(measure(place))
    notes = (f"wrk with {CONNECTIONS} keep-alive connections through the gateway; wanted: 0 failed.",)
    return Table("Updates and crashes under load", ("what", "figure"), tuple(measured), notes)


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
