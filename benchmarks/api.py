"""The API: durable writes, lists, watch latency and fan-out, over HTTPS and in process, beside bare SQLite.

Run: `python benchmarks/api.py`. The server is a process of its own, as it is for its clients; they share the machine.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

import uvloop
from store import bare_sqlite
from table import Table, milliseconds, spread

from grandstand.api.server import ApiServer
from grandstand.api.store import Store
from grandstand.client import Client, DeleteOptions
from grandstand.client.remote import RemoteClient
from grandstand.engine import Engine
from grandstand.kinds import Object
from grandstand.kinds.resources import CONFIG_MAPS, PODS

SECONDS = 2.0
CLIENTS = 32
PODS_LISTED = 1000
WATCHERS = 100
CREATED = 300
FANNED_OUT = 100


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[ApiServer]:
    """An API over a store on disk."""
    directory.mkdir()
    engine = Engine(directory, IPv4Network("10.77.0.0/16"), 0, 0, 0)
    store = Store(engine.database)
    await store.open()
    server = ApiServer(engine, store)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await store.close()


async def serve(directory: Path) -> None:
    """Serve until stdin ends."""
    async with serving(directory):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def another_process(directory: Path) -> AsyncIterator[RemoteClient]:
    """A client of an API that a process of its own serves."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "serve", str(directory), stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert await process.stdout.readline(), "the server did not start"
        async with RemoteClient.from_kubeconfig(directory / "kubeconfig") as client:
            yield client
    finally:
        process.stdin.close()
        await process.wait()


def config_map(name: str) -> Object:
    """An object of some 1 KB."""
    data = {f"key-{number}": "some value of common length" for number in range(20)}
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def pod(name: str) -> Object:
    env = [{"name": f"VARIABLE_{number}", "value": "some value of common length"} for number in range(10)]
    container = {"name": "main", "image": "localhost/payment-app:v1", "env": env}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container]}}


async def writes_per_second(client: Client, clients: int) -> float:
    """Creations that were acknowledged, of so many clients that each wait for theirs."""
    finish = time.perf_counter() + SECONDS

    async def write(writer: int) -> int:
        written = 0
        while time.perf_counter() < finish:
            await client.create(CONFIG_MAPS, config_map(f"written-{clients}-{writer}-{written}"))
            written += 1
        return written

    started = time.perf_counter()
    total = sum(await asyncio.gather(*(write(number) for number in range(clients))))
    return total / (time.perf_counter() - started)


async def fill(client: Client) -> None:
    for start in range(0, PODS_LISTED, 50):
        await asyncio.gather(*(client.create(PODS, pod(f"pod-{n}")) for n in range(start, start + 50)))


async def list_seconds(client: Client, times: int = 20) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        assert len((await client.list(PODS, "default")).items) == PODS_LISTED
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


async def raw_list(client: RemoteClient, times: int = 20) -> tuple[float, int]:
    """Seconds until the last byte, without reading the JSON; and how many bytes."""
    taken, length = [], 0
    for _ in range(times):
        started = time.perf_counter()
        length = len(await client.raw("GET", "/api/v1/namespaces/default/pods"))
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), length


@dataclass
class Watched:
    """Creations, and how long after the call each of many watchers knew of them."""

    called: dict[str, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    async def follow(self, client: Client, version: str, count: int) -> None:
        watch = client.watch(CONFIG_MAPS, "default", resource_version=version)
        seen = 0
        async for event in watch:
            self.latencies.append(time.perf_counter() - self.called[event.object["metadata"]["name"]])
            seen += 1
            if seen == count:
                return


async def watch_seconds(client: Client, watchers: int, created: int) -> tuple[list[float], float]:
    """From the call of each creation until each watcher saw it; and how long all of it took."""
    watched = Watched()
    version = (await client.list(CONFIG_MAPS, "default", limit=1)).resource_version
    following = [asyncio.create_task(watched.follow(client, version, created)) for _ in range(watchers)]
    for _ in range(3):  # a watch over HTTPS that is asked for before the first creation is answered before it, too
        await client.list(PODS, "default", limit=1)
    started = time.perf_counter()
    for number in range(created):
        name = f"watched-{watchers}-{number}"
        watched.called[name] = time.perf_counter()
        await client.create(CONFIG_MAPS, config_map(name))
    await asyncio.gather(*following)
    return watched.latencies, time.perf_counter() - started


@dataclass(frozen=True)
class Figures:
    writes_of_one: float
    writes_of_many: float
    list_seconds: float
    latencies: list[float]
    fan_out: list[float]
    fan_out_seconds: float


async def figures(client: Client) -> Figures:
    one, many = await writes_per_second(client, 1), await writes_per_second(client, CLIENTS)
    for found in (await client.list(CONFIG_MAPS, "default")).items:
        await client.delete(CONFIG_MAPS, "default", found["metadata"]["name"], DeleteOptions())
    await fill(client)
    listed = await list_seconds(client)
    latencies, _ = await watch_seconds(client, 1, CREATED)
    fan_out, seconds = await watch_seconds(client, WATCHERS, FANNED_OUT)
    return Figures(one, many, listed, latencies, fan_out, seconds)


async def over_https(directory: Path) -> tuple[Figures, tuple[float, int]]:
    async with another_process(directory) as client:
        return await figures(client), await raw_list(client)


async def in_process(directory: Path) -> Figures:
    async with serving(directory) as server:
        return await figures(server.client)


def rows() -> Table:
    with tempfile.TemporaryDirectory(prefix="grandstand-bench-") as directory:
        bare = [bare_sqlite(Path(directory), group).value for group in (1, CLIENTS)]
        remote, (raw_seconds, raw_bytes) = uvloop.run(over_https(Path(directory) / "remote"))
        embedded = uvloop.run(in_process(Path(directory) / "embedded"))
    megabytes = raw_bytes / 1e6
    events = WATCHERS * FANNED_OUT

    def line(what: str, of: str, *figures_: str) -> tuple[str, ...]:
        return what, *figures_, of

    both = (remote, embedded)
    return Table(
        "The API",
        ("what", "over HTTPS", "in process", "bare SQLite, FULL"),
        (
            line("durable writes, 1 client", bare[0], *(f"{of.writes_of_one:,.0f} /s" for of in both)),
            line(f"durable writes, {CLIENTS} clients", bare[1], *(f"{of.writes_of_many:,.0f} /s" for of in both)),
            line(f"list of {PODS_LISTED:,} Pods, decoded", "", *(milliseconds(of.list_seconds) for of in both)),
            line(
                f"list of {PODS_LISTED:,} Pods, {megabytes:.1f} MB of JSON",
                "",
                f"{milliseconds(raw_seconds)}, {megabytes / raw_seconds:,.0f} MB/s",
                "",
            ),
            line("create called to seen by a watcher", "", *(spread(of.latencies) for of in both)),
            line(f"create called to seen by each of {WATCHERS}", "", *(spread(of.fan_out) for of in both)),
            line(
                f"fan-out to {WATCHERS} watchers", "", *(f"{events / of.fan_out_seconds:,.0f} events/s" for of in both)
            ),
        ),
        (
            "Clients and server share the machine: the clients are Python too, and each watcher decodes every event.",
            f"Bare SQLite commits one row, and {CLIENTS} rows, at a time, with nothing before or after it.",
        ),
    )


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(serve(Path(sys.argv[2])))
    else:
        sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
