"""Names, asked from inside a sandbox."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from dnslib import DNSRecord
from pod_network import fresh_engine, inside, pod

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.engine import Engine
from grandstand.kinds.resources import ENDPOINT_SLICES, PODS, SERVICES
from grandstand.node.dns import NameServer, name_server
from grandstand.node.network import Network, Sandbox
from grandstand.reconcile.informer import Informer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with fresh_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def network(engine: Engine) -> AsyncIterator[Network]:
    network = Network(engine)
    await network.start()
    yield network
    await network.close()


@pytest.fixture
async def server(network: Network) -> AsyncIterator[NameServer]:
    client = FakeClient()
    spec = {"clusterIP": str(network.engine.api_address), "ports": [{"name": "https", "port": 443}]}
    await client.create(SERVICES, {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": spec})
    informers = [Informer(client, resource) for resource in (SERVICES, ENDPOINT_SLICES, PODS)]
    tasks = [asyncio.create_task(informer.run()) for informer in informers]
    for informer in informers:
        await informer.synced()
    server = name_server(network.engine, *informers, clock=SystemClock())
    await server.start()
    yield server
    await server.stop()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def ask(sandbox: Sandbox, server: str, name: str, *, tcp: bool = False) -> list[str]:
    def work() -> list[str]:
        packet = DNSRecord.question(name).send(server, 53, tcp=tcp, timeout=5)
        return [str(rr.rdata) for rr in DNSRecord.parse(packet).rr]

    return inside(sandbox.network, work)


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
async def test_a_pod_finds_a_service_by_its_name(network: Network, server: NameServer, tcp: bool) -> None:
    a = await pod(network, "a")
    address = str(network.engine.bridge_address)
    found = await asyncio.to_thread(ask, a, address, "kubernetes.default.svc.cluster.local", tcp=tcp)
    assert found == [str(network.engine.api_address)]


async def test_while_the_name_server_restarts_queries_wait_instead_of_failing(
    network: Network, server: NameServer
) -> None:
    a = await pod(network, "a")
    address = str(network.engine.bridge_address)
    await server.stop()

    def query(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            asking.connect((address, port))
            asking.send(b"?")
            asking.recv(10)

    with pytest.raises(TimeoutError):
        await asyncio.to_thread(inside, a.network, lambda: query(53))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(inside, a.network, lambda: query(54))
