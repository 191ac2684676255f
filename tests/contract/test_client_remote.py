"""The remote client against a small server that says what the test wants: TLS, credentials, streams, failures."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from grandstand.client import DEFAULT_WRITE, DeleteOptions, EventType, PatchType, WriteOptions
from grandstand.client.kubeconfig import Connection
from grandstand.client.remote import RemoteClient
from grandstand.errors import BadRequest, Expired, Invalid, NotFound, PeerError, PlatformError, Unavailable
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, PODS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Peer:
    """An API server of one handler; it keeps what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[web.Request, bytes]] = []
        self.handler: Handler = self.echo
        self.url = ""

    async def echo(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Echo"})

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        async def handler(request: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status, headers=headers)

        self.handler = handler

    def stream(self, *chunks: bytes, broken: bool = False) -> None:
        async def handler(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for chunk in chunks:
                await response.write(chunk)
            if broken and request.transport is not None:
                request.transport.abort()
            return response

        self.handler = handler

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request, await request.read()))
        return await self.handler(request)

    @property
    def last(self) -> tuple[str, str, dict[str, str], Any]:
        """Method, path, query and body of what was asked last."""
        request, body = self.seen[-1]
        return request.method, request.path, dict(request.query), json.loads(body) if body else None


async def served(peer: Peer, tls: ssl.SSLContext | None = None) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", peer.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    peer.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    return runner


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    runner = await served(peer)
    yield peer
    await runner.cleanup()


@pytest.fixture
async def client(peer: Peer) -> AsyncIterator[RemoteClient]:
    async with RemoteClient(Connection(peer.url, token="secret")) as client:
        yield client


async def test_reads_ask_the_right_address(peer: Peer, client: RemoteClient) -> None:
    assert await client.get(DEPLOYMENTS, "shop", "web", subresource="scale") == {"kind": "Echo"}
    assert peer.last == ("GET", "/apis/apps/v1/namespaces/shop/deployments/web/scale", {}, None)
    assert peer.seen[-1][0].headers["Authorization"] == "Bearer secret"
    await client.table(PODS, "shop", labels="a=b")
    assert peer.last == ("GET", "/api/v1/namespaces/shop/pods", {"labelSelector": "a=b"}, None)
    assert "as=Table" in peer.seen[-1][0].headers["Accept"]


async def test_lists_name_the_kind_of_each_item(peer: Peer, client: RemoteClient) -> None:
    peer.answer({"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]})
    found = await client.list(PODS, "shop", labels="a=b", fields="c=d", limit=1, continue_token="go")
    assert found.items == [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}]
    assert (found.resource_version, found.continue_token) == ("7", "more")
    query = {"labelSelector": "a=b", "fieldSelector": "c=d", "limit": "1", "continue": "go"}
    assert peer.last[2] == query
    peer.answer({"metadata": {"resourceVersion": "7"}, "items": None})
    assert (await client.list(PODS)).items == []


async def test_writes_carry_their_options_and_bring_warnings(peer: Peer, client: RemoteClient) -> None:
    options = WriteOptions(manager="me", force=True)
    peer.answer({"kind": "Deployment"}, Warning='299 - "unknown field"')
    obj = {"metadata": {"namespace": "shop", "name": "web"}}
    query = {"fieldManager": "me", "fieldValidation": "Warn"}
    await client.create(DEPLOYMENTS, obj, options=options)
    assert peer.last == ("POST", "/apis/apps/v1/namespaces/shop/deployments", query, obj)
    await client.update(DEPLOYMENTS, obj, subresource="status", options=options)
    assert peer.last == ("PUT", "/apis/apps/v1/namespaces/shop/deployments/web/status", query, obj)
    await client.patch(DEPLOYMENTS, "shop", "web", obj, PatchType.APPLY, options=options)
    assert peer.last[0::2] == ("PATCH", query | {"force": "true"})
    assert peer.seen[-1][0].content_type == "application/apply-patch+yaml"
    assert options.warnings == ["unknown field"] * 3
    await client.create(DEPLOYMENTS, obj)
    assert DEFAULT_WRITE.warnings == [], "which all callers share"
    await client.create(PODS, {"target": {}}, namespace="shop", name="a", subresource="binding")
    assert peer.last[1] == "/api/v1/namespaces/shop/pods/a/binding"


async def test_a_deletion_gives_an_object_also_where_the_server_gives_a_status(
    peer: Peer, client: RemoteClient
) -> None:
    peer.answer({"kind": "ConfigMap", "metadata": {"name": "a"}})
    assert (await client.delete(CONFIG_MAPS, "shop", "a"))["kind"] == "ConfigMap"
    peer.answer({"kind": "Status", "status": "Success", "details": {"name": "a", "uid": "u"}})
    deleted = await client.delete(CONFIG_MAPS, "shop", "a", DeleteOptions(grace_seconds=0))
    assert deleted == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "shop", "uid": "u"},
    }
    assert peer.last[3]["gracePeriodSeconds"] == 0


async def test_nothing_is_asked_without_a_full_name(peer: Peer, client: RemoteClient) -> None:
    for call in (
        client.delete(PODS, "shop", ""),
        client.get(PODS, "", "a"),
        client.create(PODS, {"metadata": {"name": "a"}}),
    ):
        with pytest.raises(BadRequest):
            await call
    assert peer.seen == []


async def test_errors_keep_their_reason_message_and_causes(peer: Peer, client: RemoteClient) -> None:
    cause = {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.selector"}
    status = {"kind": "Status", "reason": "Invalid", "message": "is invalid", "details": {"causes": [cause]}}
    peer.answer(status, 422)
    with pytest.raises(Invalid, match="is invalid") as caught:
        await client.create(DEPLOYMENTS, {"metadata": {"namespace": "shop"}})
    assert caught.value.causes[0].field == "spec.selector"
    peer.answer({"kind": "Status", "code": 500, "message": "boom"}, 500)
    with pytest.raises(PlatformError, match="boom"):
        await client.get(PODS, "shop", "a")
    peer.answer([1])
    with pytest.raises(PeerError, match="address of a Kubernetes API"):
        await client.get(PODS, "shop", "a")


def event(kind: str, name: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"name": name}, **more}}).encode() + b"\n"


async def test_a_watch_yields_events_of_any_length_until_the_server_ends_it(peer: Peer, client: RemoteClient) -> None:
    long = event("MODIFIED", "a", padding="x" * 3_000_000)
    peer.stream(event("ADDED", "a") + long[:500_000], long[500_000:], b"\n", event("DELETED", "a"))
    events = [found async for found in client.watch(PODS, "shop", resource_version="5", bookmarks=True)]
    assert [found.type for found in events] == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]
    assert len(events[1].object["padding"]) == 3_000_000
    query = peer.last[2]
    assert query.pop("timeoutSeconds").isdigit()
    assert query == {"watch": "true", "resourceVersion": "5", "allowWatchBookmarks": "true"}


async def test_a_watch_whose_connection_breaks_ends_after_what_came(peer: Peer, client: RemoteClient) -> None:
    peer.stream(event("ADDED", "a"), b'{"type":"MODI', broken=True)
    assert [found.type async for found in client.watch(PODS)] == [EventType.ADDED]


async def test_a_watch_of_the_past_expires_before_and_within_the_stream(peer: Peer, client: RemoteClient) -> None:
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    peer.answer(expired, 410)
    with pytest.raises(Expired, match="too old"):
        await anext(client.watch(PODS))
    peer.stream(event("ADDED", "a"), json.dumps({"type": "ERROR", "object": expired}).encode() + b"\n")
    watch = client.watch(PODS)
    assert (await anext(watch)).type is EventType.ADDED
    with pytest.raises(Expired, match="too old"):
        await anext(watch)


async def test_events_come_as_they_are_sent(peer: Peer, client: RemoteClient) -> None:
    proceed = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(event("ADDED", "a"))
        await proceed.wait()
        await response.write(event("DELETED", "a"))
        return response

    peer.handler = handler
    watch = client.watch(PODS)
    assert (await anext(watch)).type is EventType.ADDED
    proceed.set()
    assert (await anext(watch)).type is EventType.DELETED


async def test_logs_are_passed_on_as_bytes(peer: Peer, client: RemoteClient) -> None:
    peer.stream(b"one\n\xff", b"two\n")
    logs = client.pod_logs("shop", "a", container="c", follow=True, since_seconds=0, tail_lines=0, timestamps=True)
    assert b"".join([chunk async for chunk in logs]) == b"one\n\xfftwo\n"
    assert peer.last[1] == "/api/v1/namespaces/shop/pods/a/log"
    assert peer.last[2] == {
        "container": "c",
        "follow": "true",
        "timestamps": "true",
        "sinceSeconds": "0",
        "tailLines": "0",
    }
    peer.answer({"kind": "Status", "reason": "NotFound", "message": "no a"}, 404)
    with pytest.raises(NotFound, match="no a"):
        await anext(client.pod_logs("shop", "a"))


async def test_broken_logs_are_an_error(peer: Peer, client: RemoteClient) -> None:
    peer.stream(b"one\n", broken=True)
    logs = client.pod_logs("shop", "a", follow=True)
    with pytest.raises(Unavailable, match="broke"):
        [chunk async for chunk in logs]


async def test_raw_requests(peer: Peer, client: RemoteClient) -> None:
    peer.stream(b"ok")
    assert await client.raw("PUT", "/readyz", query={"verbose": ""}, body=b"{}", accept="text/plain") == b"ok"
    assert peer.last == ("PUT", "/readyz", {"verbose": ""}, {})


async def test_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with RemoteClient(Connection(f"http://127.0.0.1:{taken.getsockname()[1]}")) as client:
            with pytest.raises(Unavailable, match=r"no API server answers .* Is it running"):
                await client.get(PODS, "shop", "a")


async def test_a_connection_that_breaks_is_not_taken_for_an_answer(peer: Peer, client: RemoteClient) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    peer.handler = handler
    with pytest.raises(Unavailable, match="may have been done or not"):
        await client.create(PODS, {"metadata": {"namespace": "shop"}})


async def test_a_client_that_was_not_entered_says_so() -> None:
    with pytest.raises(Unavailable, match="async with"):
        await RemoteClient(Connection("http://127.0.0.1:1")).get(PODS, "shop", "a")


Identity = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def identity(name: str, issuer: Identity | None = None) -> Identity:
    """A certificate and key; without an issuer, an authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(of: Identity) -> tuple[str, str]:
    key = of[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return of[0].public_bytes(serialization.Encoding.PEM).decode(), key.decode()


AUTHORITY = identity("authority")


@pytest.fixture
async def secure_peer(tmp_path: Path) -> AsyncIterator[Peer]:
    """A server that wants a client certificate of the same authority."""
    certificate, key = pem(identity("server", AUTHORITY))
    (tmp_path / "server.pem").write_text(certificate + key)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=pem(AUTHORITY)[0])
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(tmp_path / "server.pem")
    peer = Peer()
    runner = await served(peer, tls)
    yield peer
    await runner.cleanup()


async def test_a_kubeconfig_with_certificates_is_enough(secure_peer: Peer, tmp_path: Path) -> None:
    certificate, key = (b64encode(text.encode()).decode() for text in pem(identity("admin", AUTHORITY)))
    authority = b64encode(pem(AUTHORITY)[0].encode()).decode()
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": secure_peer.url, "certificate-authority-data": authority}}],
        "users": [{"name": "u", "user": {"client-certificate-data": certificate, "client-key-data": key}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    async with RemoteClient.from_kubeconfig(path) as client:
        assert await client.get(PODS, "shop", "a") == {"kind": "Echo"}


@pytest.mark.parametrize(
    ("trusted", "insecure", "accepted"),
    [(AUTHORITY, False, True), (identity("stranger"), False, False), (None, False, False), (None, True, True)],
    ids=["ours", "a stranger's", "the machine's", "unchecked"],
)
async def test_the_servers_certificate_is_checked(
    secure_peer: Peer, trusted: Identity | None, insecure: bool, accepted: bool
) -> None:
    certificate, key = pem(identity("admin", AUTHORITY))
    connection = Connection(
        secure_peer.url, pem(trusted)[0] if trusted else None, insecure, certificate=certificate, key=key
    )
    async with RemoteClient(connection) as client:
        if accepted:
            await client.get(PODS, "shop", "a")
        else:
            with pytest.raises(PeerError, match="certificate-authority"):
                await client.get(PODS, "shop", "a")
    assert bool(secure_peer.seen) is accepted


async def test_certificates_that_are_none_are_refused_with_advice() -> None:
    with pytest.raises(BadRequest, match="new kubeconfig"):
        async with RemoteClient(Connection("https://127.0.0.1:1", authority="nonsense")):
            pass
