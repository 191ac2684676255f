"""What HAProxy counts, and what becomes of it: requests without an answer, Pods by name, workers that leave."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from gateway_world import Connection, World, world

from grandstand.exposition import Family
from grandstand.gateway.haproxy import Home
from grandstand.gateway.haproxy.master import Master
from grandstand.kinds import Key

WEB = Key("default", "web")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        await made.add_service()
        yield made


async def until(true: Callable[[], bool]) -> None:
    """There is no event to wait for, but ten looks a second."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def families(here: World) -> dict[str, Family]:
    return {family.name: family for family in here.gateway.families()}


async def serve(here: World, answer: bytes) -> asyncio.Server:
    """A Pod that gives this answer to every request, and closes the connection."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() not in (b"\r\n", b""):
            pass
        writer.write(answer)
        await writer.drain()
        writer.close()

    pod = await here.add_pod()
    pod.stop()
    server = await asyncio.start_server(answered, pod.address, pod.port)
    await here.set_endpoints(pod.endpoint())
    return server


@pytest.mark.parametrize(
    ("answer", "status", "service", "pod"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, 0),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, 1, 1),
        (b"", 502, 1, 1),
        (b"rubbish\r\n\r\n", 502, 1, 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", None, 0, 1),
    ],
    ids=["answered", "an error", "nothing", "rubbish", "broken off"],
)
async def test_errors_of_a_service_and_of_its_pod(
    here: World, answer: bytes, status: int | None, service: int, pod: int
) -> None:
    async with await serve(here, answer):
        await here.gateway.start()
        await until(lambda: WEB in here.gateway.traffic.totals)
        if status is None:
            with pytest.raises(asyncio.IncompleteReadError):
                await here.get(method="POST")
        else:
            async with Connection(here.engine.gateway_port) as connection:
                connection.writer.write(b"POST / HTTP/1.1\r\nHost: web.default.localhost\r\n\r\n")
                assert int((await connection.reader.readline()).split()[1]) == status
        await until(lambda: here.gateway.traffic.totals[WEB].requests == 1 and not here.gateway.traffic.busy)
        assert here.gateway.traffic.totals[WEB].errors == service
        assert here.gateway.traffic.pod_totals(WEB)["pod-0"].errors == pod


async def test_pods_are_named_and_workers_that_leave_are_counted(here: World) -> None:
    go = asyncio.Event()

    async def answer(head: str) -> str:
        await go.wait()
        return "late"

    pod = await here.add_pod(answer)
    await here.set_endpoints(pod.endpoint())
    await here.gateway.start()
    await until(lambda: bool(families(here)["grandstand_pod_requests_total"].samples))
    labels = [sample.labels for sample in families(here)["grandstand_pod_requests_total"].samples]
    assert labels == [{"namespace": "default", "service": "web", "pod": "pod-0"}]

    def workers() -> list[float]:
        return [sample.value for sample in families(here)["grandstand_gateway_workers"].samples]

    assert workers() == [1]
    request = asyncio.create_task(here.get())
    await until(lambda: here.gateway.traffic.totals[WEB].in_flight == 1)
    await here.add_service("other")
    await until(lambda: workers() == [2])
    go.set()
    assert await request == (200, "late")
    await until(lambda: workers() == [1])


async def test_an_old_worker_that_does_not_answer_is_counted_once(here: World) -> None:
    go = asyncio.Event()

    async def answer(head: str) -> str:
        if "/slow" in head:
            await go.wait()
        return "here"

    pod = await here.add_pod(answer)
    await here.set_endpoints(pod.endpoint())
    await here.gateway.start()
    traffic = here.gateway.traffic
    await until(lambda: WEB in traffic.totals)
    for _ in range(10):
        await here.get()
    slow = asyncio.create_task(here.get("/slow"))
    await until(lambda: traffic.totals[WEB].requests == 10 and traffic.totals[WEB].in_flight == 1)
    await here.add_service("other")
    await here.until(503, host="other.default.localhost")
    master = Master(Home.of(here.engine).directory)
    [old] = (await master.workers()).old
    master.close()
    try:
        os.kill(old, signal.SIGSTOP)
        await here.get()
        await until(lambda: traffic.totals[WEB].requests == 11)
        assert traffic.totals[WEB].in_flight == 1
    finally:
        os.kill(old, signal.SIGCONT)
    looked_at = traffic.totals[WEB].at
    await until(lambda: traffic.totals[WEB].at > looked_at)
    assert traffic.totals[WEB].requests == 11
    go.set()
    assert await slow == (200, "here")
