"""A blue-green switch and the way back under load: requests lost, and how long each takes to the first answer.

Run as root: `python benchmarks/blue_green.py`. The peer is a rolling update of a Deployment in the same run.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from statistics import median

import uvloop
from burner import Load, until_pods
from engines import Place, engine
from rollout import objects as deployment_objects
from rollout import rolled_out
from table import Table, milliseconds

from grandstand.client import PatchType
from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import DEPLOYMENTS, REPLICA_SETS, ROLLOUTS, SERVICES

ROUNDS = int(os.environ.get("ROUNDS", "10"))
CLIENTS = 4
SWITCH_SECONDS, BACK_SECONDS = 1.0, 0.2
NAME = "green"


def rollout(name: str) -> tuple[Object, Object]:
    """A Rollout of three replicas that waits to be promoted, and its Service."""
    deployment, service = deployment_objects(name, 3)
    strategy = {"blueGreen": {"activeService": name, "autoPromotionEnabled": False, "scaleDownDelaySeconds": 600}}
    return deployment | {"spec": deployment["spec"] | {"strategy": strategy}}, service


async def until_phase(client: RemoteClient, name: str, phase: str) -> None:
    """Return when a Rollout is in a phase, and has seen its newest template."""

    def reached(obj: Object) -> bool:
        status = obj.get("status") or {}
        seen = status.get("observedGeneration") == str(obj["metadata"]["generation"])
        return seen and status.get("phase") == phase

    fields = f"metadata.name={name}"
    async with asyncio.timeout(60):
        found = await client.list(ROLLOUTS, "default", fields=fields)
        if reached(found.items[0]):
            return
        async for event in client.watch(ROLLOUTS, "default", fields=fields, resource_version=found.resource_version):
            if reached(event.object):
                return


async def set_image(client: RemoteClient, version: str) -> None:
    path = "/spec/template/spec/containers/0/image"
    patch = [{"op": "replace", "path": path, "value": f"payment-app:{version}"}]
    await client.patch(ROLLOUTS, "default", NAME, patch, PatchType.JSON)


class Versions(Load):
    """The load, told apart by version."""

    def told_by(self, said: str) -> str:
        return "v2" if '"v2"' in said else "v1"


async def switches(client: RemoteClient, load: Versions) -> tuple[list[float], list[float]]:
    """Promote, and go back, again and again: seconds from the write to the first answer of the other version."""
    there, back = [], []
    for _ in range(ROUNDS):
        await set_image(client, "v2")
        await until_phase(client, NAME, "Paused")
        load.first.clear()
        begun = time.monotonic()
        await client.patch(ROLLOUTS, "default", NAME, {"status": {"pauseConditions": None}}, subresource="status")
        there.append(await load.until_answer_of("v2", 30.0) - begun)
        await until_phase(client, NAME, "Healthy")
        load.first.clear()
        begun = time.monotonic()
        await set_image(client, "v1")
        back.append(await load.until_answer_of("v1", 30.0) - begun)
        await until_phase(client, NAME, "Healthy")
        # Without the other version the next round is an update again, and not a way back.
        for each in (await client.list(REPLICA_SETS, "default", labels=f"app={NAME}")).items:
            if "v2" in str(each["spec"]["template"]):
                await client.delete(REPLICA_SETS, "default", each["metadata"]["name"])
        await until_pods(client, NAME, 3)
    return there, back


async def rolling(client: RemoteClient, load: Versions, name: str) -> list[float]:
    """The peer: from the new image to the first answer of the new version, and until nobody else answers."""
    took = []
    for number in range(ROUNDS):
        version = "v2" if number % 2 == 0 else "v1"
        load.first.clear()
        begun = time.monotonic()
        path = "/spec/template/spec/containers/0/image"
        patch = [{"op": "replace", "path": path, "value": f"payment-app:{version}"}]
        await client.patch(DEPLOYMENTS, "default", name, patch, PatchType.JSON)
        await rolled_out(client, name)
        took.append(time.monotonic() - begun)
    return took


async def measure(place: Place) -> list[tuple[str, str]]:
    async with place.client() as client:
        made, service = rollout(NAME)
        await client.create(SERVICES, service)
        await client.create(ROLLOUTS, made)
        await until_phase(client, NAME, "Healthy")
        load = Versions(place, NAME, CLIENTS)
        async with load.running():
            await load.until_answered_by(1, 30.0)
            there, back = await switches(client, load)
        await client.delete(ROLLOUTS, "default", NAME)
        deployment, service = deployment_objects("rolling", 3)
        await client.create(DEPLOYMENTS, deployment)
        await client.create(SERVICES, service)
        await rolled_out(client, "rolling")
        peer = Versions(place, "rolling", CLIENTS)
        async with peer.running():
            await peer.until_answered_by(1, 30.0)
            updates = await rolling(client, peer, "rolling")
    return [
        ("promoted to first answer of the new version, p50", milliseconds(median(there))),
        (f"  longest (wanted: under {milliseconds(SWITCH_SECONDS)})", milliseconds(max(there))),
        ("undone to first answer of the version before, p50", milliseconds(median(back))),
        (f"  longest (wanted: under {milliseconds(BACK_SECONDS)})", milliseconds(max(back))),
        ("requests meanwhile (wanted: 0 failed)", f"{load.answers:,} answered, {len(load.failed)} failed"),
        ("a rolling update of the same Pods, p50", milliseconds(median(updates))),
        ("requests meanwhile", f"{peer.answers:,} answered, {len(peer.failed)} failed"),
    ]


def rows() -> Table:
    with engine() as place:
        measured = uvloop.run(measure(place))
    notes = (f"{CLIENTS} closed-loop clients, 3 replicas, {ROUNDS} rounds.",)
    return Table("Blue-green under load", ("what", "figure"), tuple(measured), notes)


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
