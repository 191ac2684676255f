"""What stands before the API: credentials, certificates, limits, and a `Status` for whatever is wrong."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import stat
from ipaddress import IPv4Network
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from api_server_world import config_map, running, token_of, trust

from grandstand.api.server import ApiServer
from grandstand.api.store import Store
from grandstand.clock import SystemClock
from grandstand.engine import Engine
from grandstand.errors import PeerError

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DAY = 86400.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


class TestCredentials:
    @pytest.mark.parametrize(
        "authorization",
        [None, "Bearer", "Bearer wrong", "Basic YWRtaW46YWRtaW4=", "Bearer \udc80"],
        ids=["none", "empty", "wrong", "basic", "not text"],
    )
    async def test_without_a_valid_one(self, world, authorization):
        headers = {"Authorization": authorization} if authorization else {}
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust(world.engine))) as session,
            session.get(f"https://127.0.0.1:{world.server.port}/api/v1/pods", headers=headers) as answer,
        ):
            status = await answer.json()
            assert (answer.status, status["reason"], status["kind"]) == (401, "Unauthorized", "Status")
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        "path", ["/healthz", "/livez", "/readyz", "/version", "/version/", "/readyz/ping", "/livez?verbose"]
    )
    async def test_health_and_version_need_none(self, world, path):
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust(world.engine))) as session,
            session.get(f"https://localhost:{world.server.port}{path}") as answer,
        ):
            assert answer.status == 200
            assert "ok" in await answer.text() or path.startswith("/version")

    async def test_secrets_are_only_for_their_owner(self, world):
        data = world.engine.data
        for path in (data, data / "pki"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        for path in (data / "kubeconfig", data / "tokens.json", *(data / "pki").iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    async def test_the_token_is_stored_as_a_hash_only(self, world):
        token = token_of(world.engine)
        files = [path for path in world.engine.data.rglob("*") if path.is_file() and path.name != "kubeconfig"]
        assert len(files) >= 5
        assert not [path for path in files if token.encode() in path.read_bytes()]

    async def test_impersonation_is_refused(self, world):
        await world.ask("GET", "/api/v1/pods", Impersonate_User="somebody", expect=403)


class TestMetrics:
    @pytest.mark.parametrize("authorization", [None, "Bearer wrong"], ids=["none", "wrong"])
    async def test_they_need_a_credential(self, world, authorization):
        headers = {"Authorization": authorization} if authorization else {}
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust(world.engine))) as session,
            session.get(f"https://127.0.0.1:{world.server.port}/metrics", headers=headers) as answer,
        ):
            assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized")

    async def test_a_request_whose_client_goes_away_is_counted(self, world):
        head = f"POST {CONFIG_MAPS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token_of(world.engine)}\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", world.server.port, ssl=trust(world.engine))
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        wanted = 'apiserver_request_total{verb="create",resource="configmaps",code="499"} 1'
        async with asyncio.timeout(10):  # there is no event to wait for, but the number
            while wanted not in (await world.ask("GET", "/metrics", expect=200))[1]:
                await asyncio.sleep(0)


class TestCertificate:
    async def test_names_and_issuer(self, world):
        for name in ("localhost", "127.0.0.1", "kubernetes.default.svc", str(world.engine.api_address)):
            context = trust(world.engine)
            _, writer = await asyncio.open_connection("127.0.0.1", world.server.port, ssl=context, server_hostname=name)
            writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1", world.server.port, ssl=trust(world.engine), server_hostname="example.com"
            )


class LaterClock(SystemClock):
    """A clock that can be set forward; whoever sleeps wakes when it is."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._moved = asyncio.Condition()

    def now(self) -> float:
        return super().now() + self._ahead

    async def sleep(self, seconds: float) -> None:
        end = self.now() + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self.now() >= end)

    async def advance(self, seconds: float) -> None:
        async with self._moved:
            self._ahead += seconds
            self._moved.notify_all()


async def served_certificate(port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # By this machine's clock, what a clock set forward makes is not valid yet.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return certificate


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path, IPv4Network("10.78.0.0/16"), 0, 0, 0)


@pytest_asyncio.fixture(loop_scope="module")
async def store():
    store = Store(None)
    await store.open()
    yield store
    await store.close()


async def test_the_certificate_is_renewed_without_a_restart(engine, store):
    clock = LaterClock()
    server = ApiServer(engine, store, clock=clock)
    await server.start()
    try:
        first = await served_certificate(server.port)
        await clock.advance(30 * DAY)
        assert await served_certificate(server.port) == first
        await clock.advance(31 * DAY)
        async with asyncio.timeout(20):
            while await served_certificate(server.port) == first:
                await asyncio.sleep(0)
    finally:
        await server.stop()


async def test_a_second_start_keeps_token_and_certificates(engine, store):
    seen = []
    for _ in range(2):
        server = ApiServer(engine, store)
        await server.start()
        seen.append((token_of(engine), (engine.data / "pki" / "server.pem").read_bytes()))
        await server.stop()
    assert seen[0] == seen[1]


async def test_a_lost_kubeconfig_gets_another_token(engine, store):
    server = ApiServer(engine, store)
    await server.start()
    old = token_of(engine)
    await server.stop()
    engine.kubeconfig.unlink()
    await server.start()
    try:
        assert token_of(engine) != old
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust(engine))) as session:
            url = f"https://127.0.0.1:{server.port}/api"
            for token, status in ((old, 401), (token_of(engine), 200)):
                async with session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
                    assert answer.status == status
    finally:
        await server.stop()


async def test_a_taken_port_is_named(store, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = ApiServer(Engine(tmp_path, IPv4Network("10.78.0.0/16"), port, 0, 0), store)
        with pytest.raises(PeerError, match=rf"127\.0\.0\.1:{port}.*--api-port"):
            await server.start()
        await server.stop()


async def test_stopping_ends_watches(engine, store):
    server = ApiServer(engine, store)
    await server.start()
    headers = {"Authorization": f"Bearer {token_of(engine)}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=trust(engine))) as session:
        url = f"https://127.0.0.1:{server.port}/api/v1/namespaces?watch=1"
        async with session.get(url) as answer:
            await answer.content.readline()
            async with asyncio.timeout(3):
                await server.stop()


MALFORMED = {
    "not JSON": (b"{", "application/json", 400),
    "no object": (b"[]", "application/json", 400),
    "empty": (b"", "application/json", 400),
    "not UTF-8": (b'{"a":"\xff"}', "application/json", 400),
    "half a surrogate": (b'{"metadata":{"name":"a"},"data":{"a":"\\ud800"}}', "application/json", 400),
    "NaN": (b'{"metadata":{"name":"a"},"data":NaN}', "application/json", 400),
    "deep": (b'{"metadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "application/json", 400),
    "deep lists": (b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400),
    "metadata is a list": (b'{"metadata":[]}', "application/json", 400),
    "labels are a number": (b'{"metadata":{"name":"a","labels":3}}', "application/json", 400),
    "another kind": (b'{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"}}', "application/json", 400),
    "another version": (b'{"kind":"ConfigMap","apiVersion":"v9","metadata":{"name":"a"}}', "application/json", 400),
    "not YAML": (b"a: [", "application/yaml", 400),
    "YAML aliases": (b"metadata: &a {name: a}\ndata: *a", "application/yaml", 400),
    "YAML keys": (b"1: 2", "application/yaml", 400),
    "not protobuf": (b"k8s\0\xff\xff\xff", "application/vnd.kubernetes.protobuf", 400),
    "no protobuf at all": (b"abc", "application/vnd.kubernetes.protobuf", 400),
    "unknown type": (b"<a/>", "application/xml", 415),
    "too large": (b'{"data":"' + b"x" * (3 * 2**20) + b'"}', "application/json", 413),
}


@pytest.mark.parametrize(("body", "content_type", "status"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_bodies(world, body, content_type, status):
    answered, answer = await world.ask("POST", CONFIG_MAPS, body, Content_Type=content_type)
    assert (answered, answer["kind"], answer["code"]) == (status, "Status", status)


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("application/json-patch+json", {"a": 1}),
        ("application/json-patch+json", [{"op": "jump", "path": "/a"}]),
        ("application/json-patch+json", [1]),
        ("application/json-patch+json", [{"op": "replace", "path": "", "value": 3}]),
        ("application/json-patch+json", [{"op": "remove", "path": "/metadata"}]),
        ("application/merge-patch+json", []),
        ("application/merge-patch+json", {"metadata": 3}),
        ("application/merge-patch+json", {"metadata": None}),
        ("application/strategic-merge-patch+json", {"metadata": {"finalizers": 3}}),
        ("application/strategic-merge-patch+json", "text"),
        ("application/strategic-merge-patch+json", {"metadata": {"ownerReferences": [{"$patch": "explode"}]}}),
    ],
)
async def test_malformed_patches(world, kind, patch):
    await world.ask("POST", CONFIG_MAPS, config_map("patched"))
    answered, answer = await world.ask("PATCH", f"{CONFIG_MAPS}/patched", patch, Content_Type=kind)
    assert answered in (400, 422), answer
    assert answer["kind"] == "Status"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/unicorns", 404),
        ("GET", "/apis/example.com/v1/unicorns", 404),
        ("GET", "/apis/apps/v2/deployments", 404),
        ("GET", "/api/v1/namespaces/default/pods/a/b/c", 404),
        ("GET", "/api/v1/namespaces/default/pods/a/teleport", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/pods/a", 404),
        ("GET", "/api/v1//pods", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/versions", 404),
        ("GET", "/version/more", 404),
        ("GET", "/openapi/v3/apis/nope/v1", 404),
        ("PUT", "/api/v1/namespaces/default/pods", 405),
        ("PATCH", "/api/v1/namespaces/default/pods", 405),
        ("POST", "/api/v1/namespaces/default/pods/a", 405),
        ("DELETE", "/api/v1/pods", 405),
        ("DELETE", "/api/v1/namespaces/default/pods/a/status", 405),
        ("HEAD", "/api/v1/pods", 405),
        ("POST", "/api", 405),
        ("POST", "/healthz", 405),
        ("GET", "/api/v1/namespaces/default/pods/a/binding", 404),
        ("POST", "/api/v1/namespaces/default/pods/a/exec", 404),
        ("GET", "/api/v1/namespaces/default/pods/a/exec?command=ls", 404),
        ("POST", "/api/v1/namespaces/default/pods/a/portforward", 404),
        ("GET", "/api/v1/namespaces/default/configmaps/a/exec", 404),
    ],
)
async def test_what_is_not_there(world, method, path, status):
    async with world.session.request(method, path) as answer:
        assert answer.status == status
        if method != "HEAD":
            assert (await answer.json())["code"] == status


async def test_an_answer_for_every_kind_of_garbage_is_no_500(world):
    """Every resource is sent values of the wrong type in every top-level place."""
    _, groups = await world.ask("GET", "/apis", expect=200)
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups["groups"])]
    worst = []
    for root in roots:
        _, found = await world.ask("GET", root, expect=200)
        for resource in found["resources"]:
            if "create" not in resource["verbs"] or "/" in resource["name"]:
                continue
            place = f"{root}/namespaces/default" if resource["namespaced"] else root
            for value in (3, "x", [], {}, [1], {"a": {}}, None, True):
                for field in ("metadata", "spec", "status", "data", "subsets", "endpoints", "ports", "involvedObject"):
                    body = {"metadata": {"name": "garbage"}, field: value}
                    status, answer = await world.ask("POST", f"{place}/{resource['name']}?dryRun=All", body)
                    if status >= 500:
                        worst.append((resource["name"], field, value, answer["message"]))
    assert worst == []


async def test_protobuf_bodies(world):
    body = (Path(__file__).parents[1] / "unit/data/wire/kubectl-1.37-configmap.bin").read_bytes()
    protobuf = "application/vnd.kubernetes.protobuf"
    path = f"/api/v1/namespaces/{await world.namespace()}/configmaps"
    _, made = await world.ask("POST", path, body, Content_Type=protobuf, expect=201)
    assert made["data"]


async def test_a_body_announced_with_expect(world):
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", world.server.port, ssl=trust(world.engine), server_hostname="localhost"
    )
    body = json.dumps(config_map("expected")).encode()
    head = (
        f"POST {CONFIG_MAPS}?dryRun=All HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token_of(world.engine)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(5):
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        await reader.readline()
        writer.write(body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    writer.close()


async def test_a_long_selector(world):
    selector = ",".join(f"key-{i}!=value" for i in range(1000))
    async with world.session.get("/api/v1/pods", params={"labelSelector": selector}) as answer:
        assert answer.status == 200
