"""An API server on a free port with a store in memory, and the requests that tests send to it."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import aiohttp

from grandstand.api.logs import LogOptions
from grandstand.api.server import ApiServer
from grandstand.api.store import Store
from grandstand.engine import Engine
from grandstand.errors import BadRequest

_numbers = itertools.count()


class WrittenLogs:
    """Logs as the node would read them: three lines, and for the Pod "waiting" one that comes when it is told."""

    def __init__(self) -> None:
        self.asked: list[LogOptions] = []
        self.more = asyncio.Event()

    async def read(self, namespace: str, name: str, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append(options)
        if options.container == "missing":
            raise BadRequest(f"container missing is not valid for pod {name}")
        if name == "waiting":
            await self.more.wait()
        yield b"one\n"
        yield b"two\n"
        yield b"three\n"


class World:
    """A running server and a session with the administrator's token."""

    def __init__(self, engine: Engine, server: ApiServer, session: aiohttp.ClientSession, logs: WrittenLogs) -> None:
        self.engine = engine
        self.server = server
        self.session = session
        self.logs = logs
        self.client = server.client

    async def ask(
        self, method: str, path: str, body: Any = None, *, expect: int | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Send a request, and give the status and the decoded answer."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        async with self.session.request(method, path, data=data, headers=sent) as answer:
            text = await answer.read()
            found = json.loads(text) if answer.content_type == "application/json" else text.decode()
            if expect is not None:
                assert answer.status == expect, found
            return answer.status, found

    async def namespace(self) -> str:
        """A new namespace."""
        name = f"test-{next(_numbers)}"
        await self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}}, expect=201)
        return name


@asynccontextmanager
async def running(data: Path, history: int = 20_000) -> AsyncIterator[World]:
    """A server on a store in memory that remembers so many changes."""
    engine = Engine(data, IPv4Network("10.77.0.0/16"), 0, 0, 0)
    store = Store(None, history=history)
    await store.open()
    logs = WrittenLogs()
    server = ApiServer(engine, store, pod_logs=logs)
    await server.start()
    try:
        async with aiohttp.ClientSession(
            base_url=f"https://127.0.0.1:{server.port}",
            headers={"Authorization": f"Bearer {token_of(engine)}"},
            connector=aiohttp.TCPConnector(ssl=trust(engine)),
        ) as session:
            yield World(engine, server, session, logs)
    finally:
        await server.stop()
        await store.close()


def token_of(engine: Engine) -> str:
    return str(json.loads(engine.kubeconfig.read_bytes())["users"][0]["user"]["token"])


def trust(engine: Engine) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(engine.data / "pki" / "ca.crt"))


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "app:v1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "main", "image": "app:v1"}]},
    }


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "1"}}
