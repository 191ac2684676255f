"""Ten minutes of constant load: how often an HPA changes the replicas after the first two (wanted: never).

Run as root: `python benchmarks/steady.py` (`MINUTES=3` for a shorter one).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import uvloop
from burner import Load, autoscaler, cpu, deployed, in_flight
from engines import Place, engine
from table import Table

from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS

MINUTES = float(os.environ.get("MINUTES", "10"))
SETTLING_SECONDS = min(120.0, MINUTES * 60 / 2)
BURN_SECONDS = 0.002
CLIENTS = 3
IDLE_SECONDS = 30
"""Ten times shorter than the default: with that, fewer replicas would not show within the ten minutes."""


async def changes(client: RemoteClient, name: str, seen: list[tuple[float, int]]) -> None:
    """Note when the replicas that are wanted change; runs until it is cancelled."""
    found = await client.list(DEPLOYMENTS, "default", fields=f"metadata.name={name}")
    seen.append((time.monotonic(), found.items[0]["spec"]["replicas"]))
    version = found.resource_version
    async for event in client.watch(DEPLOYMENTS, "default", fields=f"metadata.name={name}", resource_version=version):
        replicas = event.object["spec"]["replicas"]
        if replicas != seen[-1][1]:
            seen.append((time.monotonic(), replicas))


async def one(place: Place, client: RemoteClient, name: str, metric: Object) -> tuple[str, ...]:
    async with deployed(client, name, burn_seconds=BURN_SECONDS):
        warm = Load(place, name, 1)
        async with warm.running():  # before the first Pod is ready, there is nobody to answer
            await warm.until_answered_by(1, 60.0)
        hpa = autoscaler(name, metric, least=1, most=6, idle_seconds=IDLE_SECONDS)
        await client.create(HORIZONTAL_POD_AUTOSCALERS, hpa)
        seen: list[tuple[float, int]] = []
        watch = asyncio.create_task(changes(client, name, seen))
        load, begun = Load(place, name, CLIENTS), time.monotonic()
        async with load.running():
            await asyncio.sleep(MINUTES * 60)
        watch.cancel()
        late = [replicas for at, replicas in seen if at - begun > SETTLING_SECONDS]
        sizes = " → ".join(str(replicas) for _, replicas in seen)
        return name, str(len(late)), sizes, f"{load.answers:,} answers, {len(load.failed)} failed"


async def measure(place: Place) -> list[tuple[str, ...]]:
    async with place.client() as client:
        metrics = {"cpu": cpu(60), "in-flight": in_flight("in-flight", 2)}
        return list(await asyncio.gather(*(one(place, client, name, metric) for name, metric in metrics.items())))


def rows() -> Table:
    with engine() as place:
        measured = uvloop.run(measure(place))
    notes = (
        f"{MINUTES:.0f} minutes, {CLIENTS} closed-loop clients each, both at the same time, at the default period and"
        f" tolerance; scale-down after {IDLE_SECONDS} s; late is after {SETTLING_SECONDS:.0f} s. Wanted: 0.",
    )
    return Table("Constant load", ("metric", "late changes", "replicas", "load"), tuple(measured), notes)


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
