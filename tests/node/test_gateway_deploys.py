"""No request is lost while Pods come, go, and die, and while the gateway reloads."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_world import Connection, Load, PodServer, World, world

from grandstand.gateway.haproxy import Home


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def start(here: World, replicas: int) -> list[PodServer]:
    pods = [await here.add_pod() for _ in range(replicas)]
    await here.add_service()
    await here.set_endpoints(*(pod.endpoint() for pod in pods))
    await here.gateway.start()
    return pods


@pytest.mark.parametrize("replicas", [1, 3])
async def test_a_rolling_update_loses_no_request(here: World, replicas: int) -> None:
    pods = await start(here, replicas)
    async with Load(here.engine.gateway_port) as load:
        for old in list(pods):
            pods.append(await here.add_pod())
            await here.set_endpoints(*(pod.endpoint() for pod in pods))
            await load.more()
            await here.set_endpoints(*(pod.endpoint(terminating=pod is old) for pod in pods))
            await here.gateway.drain(old.pod(), 5)
            asked = len(old.requests)
            old.stop()
            pods.remove(old)
            await load.more()
            assert len(old.requests) == asked
            await here.set_endpoints(*(pod.endpoint() for pod in pods))
            await load.more()
    assert load.failures == []
    assert all(load.by[pod.uid] > 0 for pod in pods)


async def test_a_single_pod_that_is_deleted_serves_until_its_replacement_is_ready(here: World) -> None:
    [old] = await start(here, 1)
    async with Load(here.engine.gateway_port) as load:
        await here.set_endpoints(old.endpoint(terminating=True))
        drain = asyncio.create_task(here.gateway.drain(old.pod(), 20))
        await load.more()
        assert not drain.done()
        new = await here.add_pod()
        await here.set_endpoints(old.endpoint(terminating=True), new.endpoint())
        await drain
        old.stop()
        await here.set_endpoints(new.endpoint())
        await load.more()
    assert load.failures == []


async def test_a_single_pod_that_nobody_asks_is_drained_at_once(here: World) -> None:
    [pod] = await start(here, 1)
    async with asyncio.timeout(1):
        await here.gateway.drain(pod.pod(), 20)
    assert (await here.get())[0] == 503


async def test_drain_waits_for_a_request_in_flight(here: World) -> None:
    arrived, finish = asyncio.Event(), asyncio.Event()

    async def slowly(head: str) -> str:
        if arrived.is_set():
            return "at once"
        arrived.set()
        await finish.wait()
        return "done"

    slow, other = await here.add_pod(slowly), await here.add_pod()
    await here.add_service()
    await here.set_endpoints(slow.endpoint())
    await here.gateway.start()
    request = asyncio.create_task(here.get())
    await arrived.wait()
    await here.set_endpoints(slow.endpoint(terminating=True), other.endpoint())
    drain = asyncio.create_task(here.gateway.drain(slow.pod(), 20))
    while (await here.get())[1] != other.uid:
        pass
    for _ in range(10):
        assert (await here.get()) == (200, other.uid)
    assert not drain.done()
    finish.set()
    assert await request == (200, "done")
    async with asyncio.timeout(1):
        await drain


async def test_drain_ends_when_its_time_is_over(here: World) -> None:
    arrived = asyncio.Event()

    async def never(head: str) -> str:
        arrived.set()
        await asyncio.Event().wait()
        return ""

    slow = await here.add_pod(never)
    await here.add_service()
    await here.set_endpoints(slow.endpoint())
    await here.gateway.start()
    request = asyncio.create_task(here.get())
    await arrived.wait()
    async with asyncio.timeout(3):
        await here.gateway.drain(slow.pod(), 0.2)
    request.cancel()


async def test_drain_returns_at_once_for_a_pod_that_it_does_not_know(here: World) -> None:
    await start(here, 1)
    stranger = PodServer(99, here.pod_port)
    async with asyncio.timeout(0.5):
        await here.gateway.drain(stranger.pod(), 20)


async def test_reloads_under_load_lose_nothing(here: World) -> None:
    [pod] = await start(here, 1)
    async with Load(here.engine.gateway_port, clients=20) as load:
        for number in range(5):
            name = f"other-{number}"
            await here.add_service(name)
            await here.set_endpoints(pod.endpoint(), service=name)
            assert await here.until(200, host=f"{name}.default.localhost") == pod.uid
            await load.more(100)
    assert load.failures == []


async def test_drain_waits_for_connections_from_before_a_reload(here: World) -> None:
    """They may bring one more request, and the old worker sends it to a Pod that it knew."""
    [old] = await start(here, 1)
    async with Connection(here.engine.gateway_port) as connection:
        assert await connection.ask() == (200, old.uid)
        await here.add_service("other")
        await here.until(503, host="other.default.localhost")
        new = await here.add_pod()
        await here.set_endpoints(old.endpoint(), new.endpoint())
        while (await here.get())[1] != new.uid:
            pass
        drain = asyncio.create_task(here.gateway.drain(old.pod(), 20))
        while {(await here.get())[1] for _ in range(4)} != {new.uid}:
            pass
        assert not drain.done()
        assert await connection.ask() == (200, old.uid)
        assert connection.closed
        async with asyncio.timeout(1):
            await drain


DYING_POD = """
import asyncio, sys
async def serve(reader, writer):
    while True:
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\ndying")
async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]))
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


async def test_a_pod_that_is_killed_costs_no_idempotent_request(here: World) -> None:
    dying = PodServer(50, here.pod_port)
    process = subprocess.Popen(
        [sys.executable, "-c", DYING_POD, dying.address, str(dying.port)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        other = await here.add_pod()
        await here.add_service()
        await here.set_endpoints(dying.endpoint(), other.endpoint())
        await here.gateway.start()
        async with Load(here.engine.gateway_port, clients=16) as load:
            await load.more()
            process.send_signal(signal.SIGKILL)
            await load.more(1000)
            await here.set_endpoints(other.endpoint())
            await load.more()
        assert load.failures == []
        assert load.by["dying"] > 0
    finally:
        process.kill()
        process.wait()


async def test_haproxy_is_started_again_when_it_is_killed(here: World) -> None:
    [pod] = await start(here, 1)
    before = Home.of(here.engine).process()
    assert before is not None
    signal_process(before)
    async with asyncio.timeout(10):
        while True:
            try:
                if await here.get() == (200, pod.uid) and Home.of(here.engine).process() not in (None, before):
                    break
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)


def signal_process(pid: int) -> None:
    subprocess.run(["kill", "-9", str(pid)], check=True)


DRIVER = """
import asyncio, json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from gateway_world import PodServer, World
from grandstand.gateway import Gateway
from grandstand.clock import SystemClock
from grandstand import engine as engines
async def main():
    world = World(Path(sys.argv[1]))
    world.engine, world.pod_port = engines.load(Path(sys.argv[1])), int(sys.argv[3])
    await world.add_service()
    await world.set_endpoints(PodServer(0, world.pod_port).endpoint())
    gateway = Gateway(world.engine, world.client, clock=SystemClock())
    await gateway.start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_it_serves_on_when_grandstand_is_killed_and_is_taken_over(here: World) -> None:
    here.engine.save()
    pod = await here.add_pod()
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(here.engine.data), str(Path(__file__).parent), str(here.pod_port)],
        stdout=subprocess.PIPE,
    )
    try:
        assert driver.stdout is not None
        assert await asyncio.to_thread(driver.stdout.readline) == b"ready\n"
        process = Home.of(here.engine).process()
        async with Load(here.engine.gateway_port) as load:
            driver.kill()
            driver.wait()
            await load.more()
            await here.add_service()
            new = await here.add_pod()
            await here.set_endpoints(pod.endpoint(), new.endpoint())
            await here.gateway.start()
            await load.more()
            await here.gateway.drain(pod.pod(), 5)
            pod.stop()
            await load.more()
        assert load.failures == []
        assert load.by[new.uid] > 0
        assert Home.of(here.engine).process() == process
    finally:
        driver.kill()
        driver.wait()
