"""A service whose every request costs CPU time, and the load that finds out which of its Pods answer when."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from engines import Place

from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, PODS, SERVICES

PORT = 8000
# Threads in one interpreter: a request burns its share of the one core that the Pod may use a part of.
PROGRAM = r"""
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
pod, seconds = os.uname().nodename.encode(), float(os.environ["BURN_SECONDS"])
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass
        self.send_response(200)
        self.send_header("Content-Length", str(len(pod)))
        self.end_headers()
        self.wfile.write(pod)
    def log_message(self, *_):
        pass
class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 1024
Server(("", 8000), Handler).serve_forever()
"""


def deployment(name: str, *, burn_seconds: float) -> Object:
    """One replica that requests a tenth of a core, and may use two."""
    labels = {"app": name}
    container = {
        "name": "burner",
        "image": "localhost/debian-python:12",
        "command": ["python3", "-S", "-E", "-c", PROGRAM],
        "env": [{"name": "BURN_SECONDS", "value": str(burn_seconds)}],
        "ports": [{"containerPort": PORT}],
        "resources": {"requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"cpu": "200m"}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def service(name: str) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def cpu(percent: int) -> Object:
    """A metric: CPU, of what Pods request."""
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}},
    }


def in_flight(name: str, per_replica: int) -> Object:
    """A metric: requests in flight at a Service, for each replica."""
    return {
        "type": "Object",
        "object": {
            "metric": {"name": "requests_in_flight"},
            "describedObject": {"apiVersion": "v1", "kind": "Service", "name": name},
            "target": {"type": "AverageValue", "averageValue": str(per_replica)},
        },
    }


def autoscaler(
    name: str, metric: Object, *, least: int, most: int, idle_seconds: int = 300, period: str = ""
) -> Object:
    """An HPA for the Deployment of the same name; without `period`, at the engine's default."""
    annotations = {"autoscaling.grandstand.dev/period": period} if period else {}
    return {
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": idle_seconds}},
        },
    }


@asynccontextmanager
async def deployed(client: RemoteClient, name: str, *, burn_seconds: float) -> AsyncIterator[None]:
    """A Deployment and its Service, gone with all Pods afterwards."""
    await client.create(DEPLOYMENTS, deployment(name, burn_seconds=burn_seconds))
    await client.create(SERVICES, service(name))
    try:
        yield
    finally:
        for resource in (HORIZONTAL_POD_AUTOSCALERS, SERVICES, DEPLOYMENTS):
            with contextlib.suppress(Exception):
                await client.delete(resource, "default", name)
        await until_pods(client, name, 0)


async def until_pods(client: RemoteClient, name: str, count: int, seconds: float = 120.0) -> None:
    """Return when so many Pods of a Deployment are left, by a watch. Raises TimeoutError."""
    labels = f"app={name}"
    async with asyncio.timeout(seconds):
        while True:
            found = await client.list(PODS, "default", labels=labels)
            names = {pod["metadata"]["name"] for pod in found.items}
            if len(names) == count:
                return
            version = found.resource_version
            async for event in client.watch(PODS, "default", labels=labels, resource_version=version):
                change = names.discard if event.type == "DELETED" else names.add
                change(event.object["metadata"]["name"])
                if len(names) == count:
                    return


class Load:
    """Closed-loop clients of a service; `first` says when each Pod first answered, `failed` what went wrong."""

    def __init__(self, place: Place, name: str, clients: int) -> None:
        self._url = f"http://127.0.0.1:{place.gateway_port}/"
        self._host = {"Host": f"{name}.default.localhost"}
        self._clients = clients
        self._answered = asyncio.Event()
        self.first: dict[str, float] = {}
        self.answers = 0
        self.failed: list[str] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Load]:
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            tasks = [asyncio.create_task(self._ask_on(session)) for _ in range(self._clients)]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def until_answer_of(self, who: str, seconds: float) -> float:
        """Return when somebody has answered: the time of the first answer. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while who not in self.first:
                self._answered.clear()
                await self._answered.wait()
        return self.first[who]

    async def until_answered_by(self, count: int, seconds: float) -> float:
        """Return when so many Pods have answered: the time of the last's first answer. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.first) < count:
                self._answered.clear()
                await self._answered.wait()
        return sorted(self.first.values())[count - 1]

    async def _ask_on(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with session.get(self._url, headers=self._host) as answer:
                    said = await answer.text()
                    if answer.status != 200:
                        self.failed.append(f"{answer.status} {said}")
                        continue
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failed.append(repr(error))
                continue
            self.answers += 1
            self.first.setdefault(self.told_by(said), time.monotonic())
            self._answered.set()

    def told_by(self, said: str) -> str:
        """Who gave an answer: the burner says nothing but its Pod's name."""
        return said
