"""Hosts, paths, TLS, headers and WebSockets through a real HAProxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from gateway_world import HOST, PodServer, World, world

from grandstand.errors import GatewayFailure
from grandstand.gateway.haproxy import Home
from grandstand.gateway.haproxy.master import Master
from grandstand.gateway.haproxy.process import find_program
from grandstand.kinds import Object
from grandstand.kinds.resources import INGRESSES, SERVICES


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def rule(host: str, **paths: str) -> Object:
    """An Ingress rule; each path as `service="Exact /path"`."""
    made = [
        {"pathType": text.split()[0], "path": text.split()[1], "backend": backend(service)}
        for service, texts in paths.items()
        for text in texts.split(", ")
    ]
    return {"http": {"paths": made}} | ({"host": host} if host else {})


def backend(service: str) -> Object:
    return {"service": {"name": service, "port": {"number": 80}}}


async def services(here: World, *names: str) -> dict[str, PodServer]:
    pods = {}
    for name in names:
        pods[name] = await here.add_pod()
        await here.add_service(name)
        await here.set_endpoints(pods[name].endpoint(), service=name)
    return pods


REQUESTS = [
    ("one.default.localhost", "/", "one"),
    ("ONE.default.localhost:8080", "/any/path?query", "one"),
    ("shop.example", "/exact", "one"),
    ("shop.example", "/exact?query=/x", "one"),
    ("shop.example", "/exact/", "two"),
    ("shop.example", "/exactly", "two"),
    ("shop.example", "/foo", "three"),
    ("shop.example", "/foo/", "three"),
    ("shop.example", "/foo/bar", "three"),
    ("shop.example", "/foobar", "two"),
    ("shop.example", "/foo/bar/deep", "four"),
    ("shop.example:443", "/", "two"),
    ("a.example", "/", "three"),
    ("a.example", "/only", "four"),
    ("b.a.example", "/", "five"),
    ("example", "/", "five"),
    ("unknown.host", "/", "five"),
    ("unknown.host", "/api/x", "one"),
]


async def test_requests_find_their_service(here: World) -> None:
    pods = await services(here, "one", "two", "three", "four", "five")
    shop = rule("shop.example", one="Exact /exact", two="Prefix /", three="Prefix /foo", four="Prefix /foo/bar/deep/")
    wildcard = rule("*.example", three="ImplementationSpecific /", four="Exact /only")
    await here.add_ingress("shop", {"rules": [shop, wildcard]})
    await here.add_ingress("rest", {"rules": [rule("", one="Prefix /api")], "defaultBackend": backend("five")})
    await here.gateway.start()
    found = [(host, path, (await here.get(path, host))[1]) for host, path, _ in REQUESTS]
    assert found == [(host, path, pods[service].uid) for host, path, service in REQUESTS]


@pytest.mark.parametrize(
    ("method", "path"),
    [("CONNECT", f"{HOST}:80"), ("CONNECT", HOST), ("OPTIONS", "*"), ("GET", "*"), ("GET", f"http://{HOST}")],
)
async def test_what_names_no_path_has_no_route(here: World, method: str, path: str) -> None:
    """A CONNECT that reached a Pod would be a tunnel through which requests pass unseen."""
    pods = await services(here, "web")
    await here.gateway.start()
    assert (await here.get(path, method=method))[0] in (400, 404)
    assert pods["web"].requests == []
    assert await here.get(f"http://{HOST}/path") == (200, pods["web"].uid)


async def test_what_has_no_route_or_no_endpoint(here: World) -> None:
    await here.add_service("empty")
    await here.add_ingress("lost", {"rules": [rule("lost.example", gone="Prefix /")]})
    await here.add_ingress(
        "foreign", {"ingressClassName": "other", "rules": [rule("foreign.example", empty="Exact /")]}
    )
    await here.gateway.start()
    assert await here.get(host="empty.default.localhost") == (
        503,
        "nobody serves this at the moment: no Pod of the Service is ready, or none listens on its targetPort\n",
    )
    assert (await here.get(host="lost.example"))[0] == 503
    assert await here.get(host="foreign.example") == (404, "no route for this host\n")
    for path in ("/api?timeout=32s", "/apis/apps/v1", "/openapi/v3", "/version"):
        status, said = await here.get(path, host="localhost")
        assert status == 404
        assert "export KUBECONFIG=$(grandstand kubeconfig --path)" in said
    assert (await here.get(host="*.example"))[0] == 404


async def test_a_route_whose_backend_is_missing_is_answered_503(here: World) -> None:
    """A map entry may be ahead of its backend: HAProxy then falls through to the default backend."""
    await services(here, "one")
    await here.gateway.start()
    master = Master(Home.of(here.engine).directory)
    worker = (await master.workers()).current
    await master.ask(["add map routes.map lost.example/ default.lost.80"], worker)
    status, said = await here.get(host="lost.example")
    master.close()
    assert (status, said.startswith("nobody serves this at the moment")) == (503, True)


async def test_routes_come_and_go_while_it_runs(here: World) -> None:
    pods = await services(here, "one", "two")
    await here.gateway.start()
    await here.add_ingress("shop", {"rules": [rule("shop.example", one="Prefix /")]})
    assert await here.until(200, host="shop.example") == pods["one"].uid
    await here.client.patch(INGRESSES, "default", "shop", {"spec": {"rules": [rule("shop.example", two="Prefix /")]}})
    while (await here.get(host="shop.example"))[1] != pods["two"].uid:
        pass
    await here.client.delete(INGRESSES, "default", "shop")
    await here.until(404, host="shop.example")
    await here.client.delete(SERVICES, "default", "one")
    await here.until(404, host="one.default.localhost")
    await here.add_service("one")
    assert await here.until(200, host="one.default.localhost") == pods["one"].uid


async def test_ingress_status_names_the_gateway(here: World) -> None:
    await here.gateway.start()
    await here.add_ingress("shop", {"rules": [rule("shop.example", one="Prefix /")]})
    async for event in here.client.watch(INGRESSES, resource_version="0"):
        if event.object.get("status"):
            break
    assert event.object["status"] == {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}


async def test_pods_are_told_who_asked(here: World) -> None:
    pods = await services(here, "web")
    await here.gateway.start()
    lies = ("X-Forwarded-For", "X-Forwarded-Host", "X_Forwarded_For", "Forwarded", "X-Real-IP", "X_Real_IP")
    headers = "".join(f"{name}: 6.6.6.6\r\n" for name in lies)
    await here.get("/path", headers=headers + "X-Request-Id: mine\r\n")
    (head,) = pods["web"].requests
    told = dict(line.split(": ", 1) for line in head.lower().splitlines()[1:] if line)
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["x-forwarded-proto"] == "http"
    assert told["host"] == HOST
    assert "6.6.6.6" not in told.values()
    assert told["x-request-id"] == "mine"


async def test_pods_are_told_nothing_that_the_asker_made_up(here: World) -> None:
    pods = await services(here, "web")
    await here.gateway.start()
    lies = ("Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "X-Forwarded-Port: 666")
    upgrade = ("Connection: Upgrade", "Upgrade: h2c")
    await here.get("/path", headers="".join(f"{line}\r\n" for line in (*lies, *upgrade)))
    (head,) = pods["web"].requests
    assert "666" not in head
    assert "6.6.6.6" not in head
    assert "h2c" not in head


async def served(here: World, host: str) -> bytes | None:
    """The certificate that is served for a host as DER, None where the handshake is refused."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = here.engine.gateway_tls_port
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    except (ssl.SSLError, ConnectionError):
        return None
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(found)


async def test_tls_by_host_from_secrets(here: World) -> None:
    pods = await services(here, "one", "two")
    one, two = await here.set_secret("one", "one.example"), await here.set_secret("two", "two.example")
    for name in ("one", "two"):
        host = f"{name}.example"
        tls = [{"hosts": [host], "secretName": name}]
        await here.add_ingress(name, {"rules": [rule(host, **{name: "Prefix /"})], "tls": tls})
    await here.add_ingress("broken", {"rules": [], "tls": [{"hosts": ["broken.example"], "secretName": "none"}]})
    await here.gateway.start()
    assert await served(here, "one.example") == one
    assert await served(here, "two.example") == two
    assert await served(here, "broken.example") is None
    new = await here.set_secret("one", "one.example")
    async with asyncio.timeout(5):
        while await served(here, "one.example") != new:
            pass
    async with asyncio.timeout(5):
        while len(keys := list((here.engine.data / "gateway" / "certificates").iterdir())) > 2:
            await here.until(404, host="unknown.host")
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"https://127.0.0.1:{here.engine.gateway_tls_port}/"
        headers = {"Host": "one.example", "X-Forwarded-Proto": "lies"}
        async with session.get(url, headers=headers, server_hostname="one.example") as answer:
            assert answer.status == 200
    await here.get(host="one.example", headers="X-Forwarded-Proto: https\r\n")
    told = [line for head in pods["one"].requests for line in head.lower().splitlines() if "proto" in line]
    assert told == ["x-forwarded-proto: https", "x-forwarded-proto: http"]


async def test_websockets_and_drain(here: World) -> None:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    application = web.Application()
    application.router.add_get("/", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    pod = PodServer(77, here.pod_port)
    await web.TCPSite(runner, pod.address, pod.port).start()
    await here.add_service()
    await here.set_endpoints(pod.endpoint())
    await here.gateway.start()
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{here.engine.gateway_port}/"
        async with session.ws_connect(url, headers={"Host": HOST}) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
            other = await here.add_pod()
            await here.set_endpoints(pod.endpoint(terminating=True), other.endpoint())
            drain = asyncio.create_task(here.gateway.drain(pod.pod(), 10))
            while (await here.get())[1] != other.uid:
                pass
            await socket.send_str("still there")
            assert await socket.receive_str() == "still there"
            assert not drain.done()
        async with asyncio.timeout(2):
            await drain
    await runner.cleanup()


async def test_session_affinity_keeps_a_client_at_its_pod(here: World) -> None:
    pods = [await here.add_pod() for _ in range(4)]
    await here.add_service(spec={"sessionAffinity": "ClientIP", "ports": [{"port": 80, "name": "http"}]})
    await here.set_endpoints(*(pod.endpoint() for pod in pods))
    await here.gateway.start()
    assert len({(await here.get())[1] for _ in range(12)}) == 1


async def test_a_port_that_is_taken_is_named_with_the_option_to_change_it(here: World) -> None:
    holder = await asyncio.start_server(lambda *_: None, "127.0.0.1", here.engine.gateway_port)
    async with holder:
        with pytest.raises(GatewayFailure, match=f"(?s){here.engine.gateway_port}.*--gateway-port"):
            await here.gateway.start()


async def test_a_missing_program_is_named_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(GatewayFailure, match="apt-get install haproxy"):
        find_program(str(tmp_path))
