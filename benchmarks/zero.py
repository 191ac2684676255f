"""From zero: the first answer beside the program's own start, and a burst of 500 requests at nobody.

Run as root: `python benchmarks/zero.py`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from statistics import median

import aiohttp
import uvloop
from bare import program, until_accepted
from burner import autoscaler, in_flight, service, until_pods
from engines import Place, Sight, container_id, engine, small_server
from table import Table, milliseconds

from grandstand.client import PatchType
from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, SERVICES

ROUNDS = int(os.environ.get("ROUNDS", "15"))
BURST = 500
PER_REPLICA = 50
MOST = 10
OTHER_PORT = 9000
NAME = "zero"
WANTED_SECONDS = 0.060


def deployment(name: str) -> Object:
    """The small server, at zero."""
    labels, pod = {"app": name}, small_server(name)
    template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


class Zero:
    """One Deployment that goes to zero when it is told to, and wakes by itself."""

    def __init__(self, place: Place, client: RemoteClient, sight: Sight, session: aiohttp.ClientSession, name: str):
        self._place, self._client, self._sight, self._session, self._name = place, client, sight, session, name

    async def create(self) -> None:
        hpa = autoscaler(self._name, in_flight(self._name, PER_REPLICA), least=0, most=MOST, idle_seconds=3600)
        await self._client.create(DEPLOYMENTS, deployment(self._name))
        await self._client.create(SERVICES, service(self._name))
        await self._client.create(HORIZONTAL_POD_AUTOSCALERS, hpa)

    async def ask(self) -> int:
        url, host = f"http://127.0.0.1:{self._place.gateway_port}/", {"Host": f"{self._name}.default.localhost"}
        try:
            async with self._session.get(url, headers=host) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    async def until_served(self) -> None:
        while await self.ask() != 200:
            await asyncio.sleep(0.2)

    async def put_to_zero(self) -> None:
        await self._client.patch(
            DEPLOYMENTS, "default", self._name, {"spec": {"replicas": 0}}, PatchType.MERGE, subresource="scale"
        )
        await until_pods(self._client, self._name, 0)
        await asyncio.sleep(1.5)  # longer than the window of the gateway's metrics

    def start_alone(self) -> float:
        """Seconds from the start of the same program, without a runtime, to its first connection."""
        gone = self._sight.gone.keys()
        pod = next(pod for name, pod in self._sight.pods.items() if name.startswith(self._name) and name not in gone)
        bundle = self._place.data / "containers" / container_id(pod)
        network = self._place.data / "run/ns" / pod["metadata"]["uid"] / "net"
        with program(bundle, network, OTHER_PORT) as begun:
            return until_accepted(pod["status"]["podIP"], OTHER_PORT) - begun


async def first_answers(zero: Zero) -> list[tuple[str, str]]:
    """A request at zero, and then the program of the Pod that answered it by itself, in turn."""
    took, alone = [], []
    for _ in range(ROUNDS):
        await zero.put_to_zero()
        begun = time.monotonic()
        status = await zero.ask()
        took.append(time.monotonic() - begun)
        if status != 200:
            raise SystemExit(f"a request at zero was answered {status or 'not at all'}")
        alone.append(await asyncio.to_thread(zero.start_alone))
    beyond = median(took) - median(alone)
    return [
        ("program alone: started to accepting", milliseconds(median(alone))),
        ("first answer from zero, p50", milliseconds(median(took))),
        ("first answer from zero, longest", milliseconds(max(took))),
        (f"  beyond the program, p50 (wanted: under {milliseconds(WANTED_SECONDS)})", milliseconds(beyond)),
    ]


async def burst(zero: Zero, client: RemoteClient) -> list[tuple[str, str]]:
    """Many requests at once, at nobody."""
    await zero.put_to_zero()
    begun = time.monotonic()
    statuses = Counter(await asyncio.gather(*(zero.ask() for _ in range(BURST))))
    took = time.monotonic() - begun
    replicas = (await client.get(DEPLOYMENTS, "default", NAME))["spec"]["replicas"]
    said = ", ".join(f"{count} answered {status or 'not at all'}" for status, count in statuses.most_common())
    return [(f"{BURST} requests at zero (wanted: all 200)", f"{said}; all after {took:.2f} s; {replicas} replicas")]


async def measure(place: Place) -> list[tuple[str, str]]:
    timeout, connector = aiohttp.ClientTimeout(total=60), aiohttp.TCPConnector(limit=0)
    async with (
        place.client() as client,
        Sight(client) as sight,
        aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
    ):
        zero = Zero(place, client, sight, session, NAME)
        await zero.create()
        await zero.until_served()
        return [*await first_answers(zero), *await burst(zero, client)]


def rows() -> Table:
    with engine() as place:
        measured = uvloop.run(measure(place))
    notes = (f"Medians of {ROUNDS}, in turn with the peer; {PER_REPLICA} requests in flight wanted per replica.",)
    return Table("From zero", ("what", "figure"), tuple(measured), notes)


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
