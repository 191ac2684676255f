"""Requests for a Service with nobody to serve wait in the activator, and are answered by the first replica."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import uvloop
from aiohttp import web
from gateway_world import HOST, Connection, PodServer, World, world

from grandstand.clock import SystemClock
from grandstand.gateway import Gateway
from grandstand.gateway.activator import Limits
from grandstand.kinds import Key, Object
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, PODS

WEB = Key("default", "web")
SPEC = {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}], "selector": {"app": "web"}}
MOST = 700
LIMITS = Limits(MOST, wait_seconds=3)
MEBIBYTE = bytes(1 << 20)


class ZeroWorld(World):
    """A gateway whose announcements are kept, and a Service that requests may wake."""

    def new_gateway(self) -> Gateway:
        self.announced: asyncio.Queue[Key] = asyncio.Queue()
        made = Gateway(self.engine, self.client, clock=SystemClock(), limits=LIMITS)
        made.traffic.on_demand(self.announced.put_nowait)
        return made

    async def at_zero(self, *, wakeable: bool = True) -> None:
        await self.add_service(spec=SPEC)
        await self.set_endpoints()
        if wakeable:
            await self.client.create(HORIZONTAL_POD_AUTOSCALERS, autoscaler())
        await self.gateway.start()

    async def wait_for(self, waiting: int) -> None:
        """There is no event to wait for: the number is what is asked for."""
        async with asyncio.timeout(10):
            while self.gateway.waiting(WEB) != waiting:
                await asyncio.sleep(0.002)


@pytest.fixture(params=[uvloop.EventLoopPolicy, asyncio.DefaultEventLoopPolicy], ids=["uvloop", "asyncio"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """The engine runs on uvloop, whose transports differ in small things."""
    policy: asyncio.AbstractEventLoopPolicy = request.param()
    return policy


def autoscaler() -> Object:
    described = {"apiVersion": "v1", "kind": "Service", "name": "web"}
    target = {"type": "AverageValue", "averageValue": "10"}
    metric = {"type": "Object", "object": {"describedObject": described, "metric": {"name": "x"}, "target": target}}
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"minReplicas": 0, "maxReplicas": 3, "scaleTargetRef": scaled, "metrics": [metric]}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[ZeroWorld]:
    tmp_path.chmod(0o700)
    async with world(tmp_path, ZeroWorld) as made:
        assert isinstance(made, ZeroWorld)
        yield made


class Program:
    """A program with bodies and WebSockets, at the address of a Pod."""

    def __init__(self, pod: PodServer) -> None:
        self.pod = pod
        self.seen: list[str] = []
        app = web.Application(client_max_size=1 << 40)
        self.read = asyncio.Event()
        app.router.add_get("/ws", self._socket)
        app.router.add_post("/later", self._later)
        app.router.add_route("*", "/early", self._early)
        app.router.add_route("*", "/{path:.*}", self._digest)
        self._runner = web.AppRunner(app)

    async def start(self) -> Program:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.pod.address, self.pod.port, backlog=1024).start()
        return self

    async def stop(self) -> None:
        self.read.set()
        await self._runner.cleanup()

    async def _digest(self, request: web.Request) -> web.Response:
        self.seen.append(f"{request.method} {request.path} {request.headers.get('X-Forwarded-For')}")
        digest, size = hashlib.sha256(), 0
        async for part in request.content.iter_chunked(1 << 16):
            digest.update(part)
            size += len(part)
        return web.Response(text=f"{size} {digest.hexdigest()}")

    async def _later(self, request: web.Request) -> web.Response:
        await self.read.wait()
        return await self._digest(request)

    async def _early(self, request: web.Request) -> web.Response:
        self.seen.append(f"{request.method} {request.path}")
        return web.Response(status=425, text="too early")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for message in answer:
            await answer.send_str(f"heard {message.data}")
        return answer


@pytest.fixture
async def program(here: ZeroWorld) -> AsyncIterator[Program]:
    made = await Program(PodServer(200, here.pod_port)).start()
    yield made
    await made.stop()


@pytest.fixture
async def session(here: ZeroWorld) -> AsyncIterator[aiohttp.ClientSession]:
    base = f"http://127.0.0.1:{here.engine.gateway_port}"
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base, connector=connector, headers={"Host": HOST}) as made:
        yield made


async def text_of(session: aiohttp.ClientSession, method: str, path: str = "/", **options: object) -> tuple[int, str]:
    async with session.request(method, path, **options) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.text()


def said(body: bytes) -> str:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"])
async def test_a_request_waits_and_is_answered_by_the_first_replica(
    here: ZeroWorld, program: Program, session: aiohttp.ClientSession, method: str
) -> None:
    await here.at_zero()
    body = bytes(range(256)) * 48 if method[0] == "P" else b""
    request = asyncio.create_task(text_of(session, method, "/path", data=body or None))
    assert await here.announced.get() == WEB
    assert here.gateway.waiting(WEB) == 1
    await here.set_endpoints(program.pod.endpoint())
    assert await request == (200, "" if method == "HEAD" else said(body))
    assert program.seen == [f"{method} /path 127.0.0.1"]
    assert here.gateway.waiting(WEB) == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_that_waited_counts_once(here: ZeroWorld, method: str) -> None:
    await here.at_zero()
    before = await counted(here, 0)
    requests = [asyncio.create_task(here.get(method=method)) for _ in range(20)]
    await here.wait_for(20)
    pod = await here.add_pod()
    await here.set_endpoints(pod.endpoint())
    assert {status for status, _ in await asyncio.gather(*requests)} == {200}
    assert await here.get() == (200, pod.uid)
    assert await counted(here, before + 21) == before + 21


async def test_a_request_that_waited_in_vain_counts_once(here: ZeroWorld) -> None:
    await here.at_zero()
    await counted(here, 0)
    assert (await here.get(method="POST"))[0] == 504
    assert await counted(here, 1) == 1
    assert here.gateway.traffic.totals[WEB].errors == 1


async def counted(here: ZeroWorld, at_least: int) -> int:
    """The requests of the Service so far, once they are so many and nothing is in flight."""
    async with asyncio.timeout(10):
        while (found := here.gateway.traffic.totals.get(WEB)) is None or found.requests < at_least or found.in_flight:
            await asyncio.sleep(0.01)
    return found.requests


async def test_a_gate_opens_and_closes_again_and_again(here: ZeroWorld) -> None:
    await here.at_zero()
    pod = await here.add_pod()
    for _ in range(9):
        request = asyncio.create_task(here.get())
        await here.wait_for(1)
        await here.set_endpoints(pod.endpoint())
        assert await request == (200, pod.uid)
        await here.set_endpoints()
        gate = here.gateway._activator._gates["default.web.80"]
        while gate.is_open or gate.switching:  # until HAProxy has been told, requests go to the Pod
            await asyncio.sleep(0.002)


async def test_a_large_body_is_streamed_through(
    here: ZeroWorld, program: Program, session: aiohttp.ClientSession
) -> None:
    await here.at_zero()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(150):
            yield MEBIBYTE

    request = asyncio.create_task(text_of(session, "POST", data=parts()))
    await here.announced.get()
    await here.set_endpoints(program.pod.endpoint())
    assert await request == (200, f"{150 << 20} {hash_of(150)}")


async def test_a_body_is_taken_no_faster_than_the_replica_takes_it(
    here: ZeroWorld, program: Program, session: aiohttp.ClientSession
) -> None:
    await here.at_zero()
    sent = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(150):
            yield MEBIBYTE
        sent.set()

    request = asyncio.create_task(text_of(session, "POST", "/later", data=parts()))
    await here.announced.get()
    await here.set_endpoints(program.pod.endpoint())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sent.wait(), 2)
    program.read.set()
    assert await request == (200, f"{150 << 20} {hash_of(150)}")


def hash_of(mebibytes: int) -> str:
    digest = hashlib.sha256()
    for _ in range(mebibytes):
        digest.update(MEBIBYTE)
    return digest.hexdigest()


async def test_a_websocket_waits_and_then_needs_no_engine(
    here: ZeroWorld, program: Program, session: aiohttp.ClientSession
) -> None:
    await here.at_zero()
    opening = asyncio.ensure_future(session.ws_connect("/ws"))
    await here.announced.get()
    await here.set_endpoints(program.pod.endpoint())
    socket = await opening
    await here.gateway.stop()
    for word in ("one", "two"):
        await socket.send_str(word)
        assert await socket.receive_str() == f"heard {word}"
    await socket.close()


async def test_a_burst_of_600_is_answered(here: ZeroWorld, program: Program, session: aiohttp.ClientSession) -> None:
    await here.at_zero()
    requests = [
        asyncio.create_task(text_of(session, "POST" if number % 3 == 0 else "GET", f"/{number}"))
        for number in range(600)
    ]
    await here.wait_for(600)
    start = time.perf_counter()
    await here.set_endpoints(program.pod.endpoint())
    assert {status for status, _ in await asyncio.gather(*requests)} == {200}
    print(f"600 answered within {time.perf_counter() - start:.2f} s")
    assert len(program.seen) == len(set(program.seen)) == 600


async def test_more_than_may_wait_are_refused(here: ZeroWorld) -> None:
    await here.at_zero()
    requests = [asyncio.create_task(here.get()) for _ in range(MOST)]
    await here.wait_for(MOST)
    status, body = await here.get()
    assert (status, "too many requests wait" in body) == (503, True)
    pod = await here.add_pod()
    await here.set_endpoints(pod.endpoint())
    assert await asyncio.gather(*requests) == [(200, pod.uid)] * MOST


@pytest.mark.parametrize("body", [0, 5000, 50_000])
async def test_a_client_that_goes_away_waits_no_longer(here: ZeroWorld, body: int) -> None:
    await here.at_zero()
    async with Connection(here.engine.gateway_port) as connection:
        length = f"Content-Length: {body}\r\n" if body else ""
        connection.writer.write(f"POST / HTTP/1.1\r\nHost: {HOST}\r\n{length}\r\n".encode() + bytes(body))
        await here.wait_for(1)
    await here.wait_for(0)


async def test_nobody_waits_where_nobody_is_woken(here: ZeroWorld) -> None:
    await here.at_zero(wakeable=False)
    expected = "nobody serves this at the moment: no Pod of the Service is ready, or none listens on its targetPort\n"
    async with asyncio.timeout(1):
        assert await here.get() == (503, expected)
    await here.client.create(HORIZONTAL_POD_AUTOSCALERS, autoscaler())
    request = asyncio.create_task(here.get())
    await here.wait_for(1)
    await here.client.delete(HORIZONTAL_POD_AUTOSCALERS, "default", "web")
    assert await request == (503, expected)


async def test_who_waits_is_told_when_it_has_been_too_long(here: ZeroWorld) -> None:
    await here.at_zero()
    expected = "nobody serves this: no Pod of the Service became ready within 3 s\n"
    assert await asyncio.gather(here.get(), here.get(method="POST")) == [(504, expected)] * 2
    assert here.gateway.waiting(WEB) == 0


async def test_who_waits_is_told_that_the_start_fails(here: ZeroWorld) -> None:
    await here.at_zero()
    request = asyncio.create_task(here.get())
    await here.wait_for(1)
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    status = {"phase": "Pending", "containerStatuses": [{"name": "c", "state": {"waiting": waiting}}]}
    meta = {"name": "web-1", "namespace": "default", "labels": {"app": "web"}}
    await here.client.create(PODS, {"metadata": meta, "spec": {"containers": []}, "status": status})
    expected = "nobody serves this, because the start fails: Pod web-1 is in ImagePullBackOff: no such image\n"
    assert await request == (503, expected)


async def test_who_waits_is_told_that_no_pod_can_be_made(here: ZeroWorld) -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": {}}
    meta = {"name": "web", "namespace": "default"}
    await here.client.create(DEPLOYMENTS, {"metadata": meta, "spec": spec, "status": {"conditions": [condition]}})
    await here.at_zero()
    assert await here.get() == (
        503,
        "nobody serves this, because the start fails: Deployment web is in FailedCreate: quota\n",
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_reload_loses_no_request_that_waits(here: ZeroWorld, method: str) -> None:
    """The worker from before does not learn of the new server: what it holds goes to the one after."""
    await here.at_zero()
    request = asyncio.create_task(here.get(method=method))
    await here.wait_for(1)
    await here.add_service("other")
    await here.until(503, host="other.default.localhost")
    pod = await here.add_pod()
    await here.set_endpoints(pod.endpoint())
    assert await request == (200, pod.uid)


async def test_who_waits_is_told_when_the_engine_ends_and_may_ask_again(here: ZeroWorld) -> None:
    await here.at_zero()
    request = asyncio.create_task(here.get())
    await here.wait_for(1)
    await here.gateway.stop()
    status, body = await request
    assert (status, "Ask once more" in body) == (503, True)
    here.gateway = here.new_gateway()
    await here.gateway.start()
    request = asyncio.create_task(here.get())
    await here.wait_for(1)
    pod = await here.add_pod()
    await here.set_endpoints(pod.endpoint())
    assert await request == (200, pod.uid)


async def test_without_an_engine_the_answer_is_that_nobody_serves(here: ZeroWorld) -> None:
    await here.at_zero()
    await here.gateway.stop()
    status, body = await here.get()
    assert (status, body[:12]) == (503, "nobody serve")


async def test_a_program_may_answer_425_itself(
    here: ZeroWorld, program: Program, session: aiohttp.ClientSession
) -> None:
    await here.at_zero()
    await here.set_endpoints(program.pod.endpoint())
    await here.until(200)
    assert await text_of(session, "POST", "/early") == (425, "too early")
    assert program.seen.count("POST /early") == 1
    assert await text_of(session, "GET", "/early") == (425, "too early")
    assert program.seen.count("GET /early") == 4, "a program that says so has done nothing, and is asked again"


async def test_a_dead_server_gets_the_answer_of_nobody(here: ZeroWorld) -> None:
    """A Pod that is called ready and refuses connections: no 425 comes through, and nothing goes round in circles."""
    await here.at_zero()
    requests = [asyncio.create_task(here.get()) for _ in range(20)]
    await here.wait_for(20)
    await here.set_endpoints(PodServer(90, here.pod_port).endpoint())
    assert {status for status, _ in await asyncio.gather(*requests)} == {503}
