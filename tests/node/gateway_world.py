"""A gateway with a real HAProxy over the API in memory, small servers that stand for Pods, and load."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.engine import Engine
from grandstand.gateway import Gateway, destroy_gateway
from grandstand.kinds import Object, Pod, view
from grandstand.kinds.resources import ENDPOINT_SLICES, INGRESSES, SECRETS, SERVICES

HOST = "web.default.localhost"

Answer = Callable[[str], Awaitable[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PodServer:
    """An HTTP/1.1 server with keep-alive at an address of its own; `answer` gives the body for a path."""

    def __init__(self, number: int, port: int, answer: Answer | None = None) -> None:
        self.port = port
        self.uid = f"pod-{number}"
        self.address = f"127.77.{number // 250}.{number % 250 + 1}"
        self.requests: list[str] = []
        self._answer = answer
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> PodServer:
        self._server = await asyncio.start_server(self._serve, self.address, self.port)
        return self

    def stop(self) -> None:
        """Refuse connections, and break those that are open, whatever they do."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(head)
                body = self.uid if self._answer is None else await self._answer(head)
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def endpoint(self, *, ready: bool = True, terminating: bool = False) -> Object:
        conditions = {"ready": ready and not terminating, "serving": ready, "terminating": terminating}
        return {
            "addresses": [self.address],
            "conditions": conditions,
            "targetRef": {"kind": "Pod", "name": self.uid, "uid": self.uid},
        }

    def pod(self) -> Pod:
        meta = {"name": self.uid, "namespace": "default", "uid": self.uid}
        return view(Pod, {"metadata": meta, "spec": {"containers": []}, "status": {"podIP": self.address}})


class World:
    """An engine's gateway, and what it watches."""

    def __init__(self, data: Path) -> None:
        self.engine = Engine(data, IPv4Network("10.99.0.0/16"), free_port(), free_port(), free_port())
        self.client = FakeClient()
        self.pod_port = free_port()
        self.gateway = self.new_gateway()
        self.pods: list[PodServer] = []

    def new_gateway(self) -> Gateway:
        return Gateway(self.engine, self.client, clock=SystemClock())

    async def add_pod(self, answer: Answer | None = None) -> PodServer:
        server = await PodServer(len(self.pods), self.pod_port, answer).start()
        self.pods.append(server)
        return server

    async def add_service(self, name: str = "web", spec: Object | None = None) -> None:
        spec = spec or {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
        await self.client.create(SERVICES, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def set_endpoints(self, *endpoints: Object, service: str = "web") -> None:
        made = {
            "metadata": {
                "name": f"{service}-slice",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "endpoints": list(endpoints),
            "ports": [{"name": "http", "port": self.pod_port, "protocol": "TCP"}],
        }
        if any(obj["metadata"]["name"] == f"{service}-slice" for obj in self.client.all(ENDPOINT_SLICES)):
            await self.client.update(ENDPOINT_SLICES, made)
        else:
            await self.client.create(ENDPOINT_SLICES, made)

    async def add_ingress(self, name: str, spec: Object) -> None:
        await self.client.create(INGRESSES, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def set_secret(self, name: str, host: str) -> bytes:
        """A self-signed certificate for a host as a Secret; returns it as DER."""
        der, data = certificate(host)
        secret = {"metadata": {"name": name, "namespace": "default"}, "type": "kubernetes.io/tls", "data": data}
        if any(obj["metadata"]["name"] == name for obj in self.client.all(SECRETS)):
            await self.client.update(SECRETS, secret)
        else:
            await self.client.create(SECRETS, secret)
        return der

    async def get(self, path: str = "/", host: str = HOST, method: str = "GET", headers: str = "") -> tuple[int, str]:
        async with Connection(self.engine.gateway_port) as connection:
            return await connection.ask(path, host, method, headers)

    async def until(self, status: int, path: str = "/", host: str = HOST) -> str:
        """Ask until the gateway answers so: there is no event to wait for, but its answers."""
        async with asyncio.timeout(10):
            while True:
                found, body = await self.get(path, host)
                if found == status:
                    return body


@contextlib.asynccontextmanager
async def world(data: Path, kind: type[World] | None = None) -> AsyncIterator[World]:
    data.chmod(0o700)
    made = (kind or World)(data)
    try:
        yield made
    finally:
        await made.gateway.stop()
        await destroy_gateway(made.engine)
        for pod in made.pods:
            pod.stop()


class Connection:
    """One client connection, kept alive: any request on it that gets no whole answer raises."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(self, path: str = "/", host: str = HOST, method: str = "GET", headers: str = "") -> tuple[int, str]:
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        self.closed = "connection: close" in head
        length = int(head.split("content-length:")[1].split()[0])
        return int(head.split()[1]), (await self.reader.readexactly(length)).decode()


class Load:
    """Clients that ask all the time over kept-alive connections, and count what failed."""

    def __init__(self, port: int, clients: int = 8, host: str = HOST) -> None:
        self._port = port
        self._host = host
        self._clients = clients
        self._stop = asyncio.Event()
        self._progress = asyncio.Event()
        self.answered = 0
        self.by: dict[str, int] = {}
        self.failures: list[str] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(self._clients)]
        await self.more(self._clients)
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def more(self, requests: int = 200) -> None:
        """Return when so many more requests have been answered."""
        wanted = self.answered + requests
        async with asyncio.timeout(20):
            while self.answered < wanted:
                self._progress.clear()
                await self._progress.wait()

    async def _ask(self) -> None:
        while not self._stop.is_set():
            async with Connection(self._port) as connection:
                await self._ask_on(connection)

    async def _ask_on(self, connection: Connection) -> None:
        while not self._stop.is_set():
            try:
                status, body = await connection.ask(host=self._host)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures.append(repr(error))
                return
            self.answered += 1
            self.by[body] = self.by.get(body, 0) + 1
            self._progress.set()
            if status != 200:
                self.failures.append(f"{status} {body}")
            if connection.closed:
                return


def certificate(host: str) -> tuple[bytes, dict[str, str]]:
    """A self-signed certificate as DER, and as the data of a TLS Secret."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    data = {name: base64.b64encode(text).decode() for name, text in (("tls.crt", pem), ("tls.key", private))}
    return made.public_bytes(serialization.Encoding.DER), data
