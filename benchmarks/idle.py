"""What the control plane takes when nothing happens: 50 Services, each with a Pod, and 20 HPAs.

Run as root: `python benchmarks/idle.py`.
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop
from burner import autoscaler, cpu, in_flight, service
from engines import Place, Sight, engine, small_server
from table import Table

from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, SERVICES

SERVICE_COUNT = 50
AUTOSCALERS = 20
SETTLED_SECONDS = 20.0
MEASURED_SECONDS = 30.0


def deployment(name: str) -> Object:
    labels, pod = {"app": name}, small_server(name)
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "10m"}}
    template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def create_all(client: RemoteClient, sight: Sight) -> None:
    names = [f"idle-{number}" for number in range(SERVICE_COUNT)]
    for number, name in enumerate(names):
        await client.create(DEPLOYMENTS, deployment(name))
        await client.create(SERVICES, service(name))
        if number < AUTOSCALERS:
            metric = cpu(50) if number % 2 else in_flight(name, 10)
            await client.create(HORIZONTAL_POD_AUTOSCALERS, autoscaler(name, metric, least=1, most=5))
    async with asyncio.timeout(120.0):
        while len(sight.ready) < SERVICE_COUNT:
            await asyncio.sleep(0.2)


async def measure(place: Place) -> list[tuple[str, str]]:
    bare = place.usage()
    async with place.client() as client, Sight(client) as sight:
        await create_all(client, sight)
    # Without our watch: the engine is to do nothing for us.
    await asyncio.sleep(SETTLED_SECONDS)
    before, begun = place.usage(), time.monotonic()
    await asyncio.sleep(MEASURED_SECONDS)
    after = place.usage()
    share = (after.cpu_seconds - before.cpu_seconds) / (time.monotonic() - begun)
    return [
        ("engine's memory, with nothing", f"{bare.memory_bytes / 1e6:.0f} MB"),
        ("engine's memory (wanted: under 140 MB)", f"{after.memory_bytes / 1e6:.0f} MB"),
        ("engine's CPU (wanted: under 2% of a core)", f"{share * 100:.2f}% of a core"),
    ]


def rows() -> Table:
    with engine() as place:
        measured = uvloop.run(measure(place))
    what = f"{SERVICE_COUNT} Services with a Pod each, {AUTOSCALERS} HPAs, idle"
    return Table(what, ("what", "figure"), tuple(measured), (f"Over {MEASURED_SECONDS:.0f} s.",))


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
