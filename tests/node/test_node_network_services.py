"""Services, written by the kernel's real rules: from Pods, from the machine, and while endpoints come and go."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pod_network import Serve, answering, ask, call, free_port, fresh_engine, inside, outside_world, pod

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.engine import Engine
from grandstand.kinds.resources import ENDPOINT_SLICES, SERVICES
from grandstand.node.network import Network, Sandbox, ServiceRules
from grandstand.node.network.table import Table
from grandstand.reconcile.informer import Informer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


class Written(Table):
    """A table that tells when the kernel has taken a change."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.taken = asyncio.Condition()
        self.count = 0

    async def set(self, section: Any, ruleset: Any) -> None:
        await super().set(section, ruleset)
        async with self.taken:
            self.count += 1
            self.taken.notify_all()


class Cluster:
    """An API with Services, whose rules are kept for the network."""

    def __init__(self, network: Network, table: Written) -> None:
        self.network = network
        self.client = FakeClient()
        self.table = table

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        services, slices = Informer(self.client, SERVICES), Informer(self.client, ENDPOINT_SLICES)
        rules = ServiceRules(self.table, services, slices, clock=SystemClock())
        tasks = [asyncio.create_task(part.run()) for part in (services, slices, rules)]
        try:
            async with self.table.taken:
                await self.table.taken.wait()
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def address(self, number: int) -> str:
        return str(self.network.engine.services.network_address + number)

    async def service(self, name: str, number: int, *, port: int = 80, protocol: str = "TCP", **spec: Any) -> str:
        ports = [{"port": port, "protocol": protocol, **spec.pop("port_fields", {})}]
        spec = {"clusterIP": self.address(number), "ports": ports, **spec}
        meta = {"name": name, "namespace": "default"}
        obj = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
        await self._settled(self.client.create(SERVICES, obj))
        return self.address(number)

    async def endpoints(
        self, name: str, endpoints: Sequence[tuple[Sandbox, dict[str, bool]]], port: int = 80, protocol: str = "TCP"
    ) -> None:
        meta = {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}}
        obj = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": meta,
            "addressType": "IPv4",
            "ports": [{"name": "", "port": port, "protocol": protocol}],
            "endpoints": [{"addresses": [s.address], "conditions": conditions} for s, conditions in endpoints],
        }
        exists = any(found["metadata"]["name"] == name for found in self.client.all(ENDPOINT_SLICES))
        if exists:
            await self._settled(self.client.update(ENDPOINT_SLICES, obj))
        else:
            await self._settled(self.client.create(ENDPOINT_SLICES, obj))

    async def delete(self, name: str) -> None:
        await self._settled(self.client.delete(SERVICES, "default", name))

    async def _settled(self, change: Any) -> None:
        """Make a change, and return when the kernel has taken what follows from it."""
        async with self.table.taken:
            await change
            await asyncio.wait_for(self.table.taken.wait(), 5)


READY: dict[str, bool] = {"ready": True}
ENDING = {"ready": False, "serving": True, "terminating": True}
NOT_READY = {"ready": False, "serving": False, "terminating": False}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with fresh_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def network(engine: Engine) -> AsyncIterator[Network]:
    network = Network(engine, table=Written(engine.prefix))
    await network.start()
    yield network
    await network.close()


@pytest.fixture
async def cluster(network: Network) -> AsyncIterator[Cluster]:
    assert isinstance(network.table, Written)
    cluster = Cluster(network, network.table)
    async with cluster.running():
        yield cluster


@pytest.fixture
def serve() -> Iterator[Serve]:
    with answering() as serve:
        yield serve


async def test_connections_are_spread_over_the_endpoints(network: Network, cluster: Cluster, serve: Serve) -> None:
    a, b, client = [await pod(network, name) for name in ("a", "b", "client")]
    serve(a, 8000)
    serve(b, 8000)
    address = await cluster.service("web", 10)
    await cluster.endpoints("web", [(a, READY), (b, READY)], port=8000)
    for caller, source in ((client, client.address), (None, str(network.engine.bridge_address))):
        answers = [call(caller, address, 80) for _ in range(40)]
        names = Counter(name for name, _ in answers)
        assert set(names) == {"a", "b"}
        assert min(names.values()) >= 5  # 40 fair throws fall below 5 once in 10^8
        assert {peer for _, peer in answers} == {source}


async def test_a_pod_reaches_itself_through_its_service(network: Network, cluster: Cluster, serve: Serve) -> None:
    a = await pod(network, "a")
    serve(a, 80)
    address = await cluster.service("web", 10)
    await cluster.endpoints("web", [(a, READY)])
    assert call(a, address, 80) == ("a", str(network.engine.bridge_address))


async def test_another_engine_leaves_such_packets_alone(
    network: Network, cluster: Cluster, serve: Serve, tmp_path: Path
) -> None:
    """Its rules may come first, and know the mark too: it must not give the packets its own address."""
    (tmp_path / "other").mkdir()
    with fresh_engine(tmp_path / "other") as neighbour:
        other = Network(neighbour)
        await other.start()
        try:
            a = await pod(network, "a")
            serve(a, 80)
            address = await cluster.service("web", 10)
            await cluster.endpoints("web", [(a, READY)])
            assert call(a, address, 80) == ("a", str(network.engine.bridge_address))
        finally:
            await other.close()


async def test_without_endpoints_connections_are_refused_at_once(network: Network, cluster: Cluster) -> None:
    client = await pod(network, "client")
    address = await cluster.service("web", 10)
    for caller in (client, None):
        with pytest.raises(ConnectionRefusedError):
            call(caller, address, 80)
        assert any(_is_refused(caller, address) for _ in range(5)), "the kernel limits how often it says so"


def _is_refused(caller: Sandbox | None, address: str) -> bool:
    """Over UDP; PermissionError is what a local sender gets."""
    try:
        ask(caller, address, 80)
    except (ConnectionRefusedError, PermissionError):
        return True
    except TimeoutError:
        return False
    raise AssertionError("somebody answered")


async def test_an_endpoint_that_leaves_gets_no_more(network: Network, cluster: Cluster, serve: Serve) -> None:
    a, b, client = [await pod(network, name) for name in ("a", "b", "client")]
    serve(a, 80)
    serve(b, 80)
    address = await cluster.service("web", 10)
    await cluster.endpoints("web", [(a, READY), (b, READY)])
    await cluster.endpoints("web", [(a, ENDING), (b, READY)])
    assert {call(client, address, 80)[0] for _ in range(20)} == {"b"}
    await cluster.endpoints("web", [(a, ENDING), (b, NOT_READY)])
    assert {call(client, address, 80)[0] for _ in range(20)} == {"a"}, "better one that ends than none"
    await cluster.delete("web")
    with pytest.raises(ConnectionRefusedError):
        call(client, address, 80)


async def test_an_open_connection_outlives_the_removal_of_its_endpoint(network: Network, cluster: Cluster) -> None:
    a, client = await pod(network, "a"), await pod(network, "client")
    listening = inside(a.network, lambda: socket.create_server(("0.0.0.0", 80)))
    address = await cluster.service("web", 10)
    await cluster.endpoints("web", [(a, READY)])
    connection = inside(client.network, lambda: socket.create_connection((address, 80), 5))
    accepted, _ = listening.accept()
    await cluster.endpoints("web", [(a, NOT_READY)])
    with connection, accepted, listening:
        connection.settimeout(5)
        connection.sendall(b"still here")
        assert accepted.recv(100) == b"still here"
        accepted.sendall(b"yes")
        assert connection.recv(100) == b"yes"


async def test_session_affinity_sends_a_client_to_the_same_endpoint(
    network: Network, cluster: Cluster, serve: Serve
) -> None:
    pods = [await pod(network, f"p{number}") for number in range(3)]
    clients = [await pod(network, f"c{number}") for number in range(8)]
    for each in pods:
        serve(each, 80)
    address = await cluster.service("web", 10, sessionAffinity="ClientIP")
    await cluster.endpoints("web", [(each, READY) for each in pods])
    homes = {}
    for client in clients:
        names = {call(client, address, 80)[0] for _ in range(10)}
        assert len(names) == 1
        homes[client] = names.pop()
    assert len(set(homes.values())) > 1
    await cluster.endpoints("web", [(each, READY) for each in pods[1:]])
    for client, home in homes.items():
        if home != "p0":
            assert call(client, address, 80)[0] == home, "a client moves only when its endpoint goes"


async def test_udp(network: Network, cluster: Cluster, serve: Serve) -> None:
    a, client = await pod(network, "a"), await pod(network, "client")
    serve(a, 5300, kind=socket.SOCK_DGRAM)
    address = await cluster.service("dns", 10, port=53, protocol="UDP")
    await cluster.endpoints("dns", [(a, READY)], port=5300, protocol="UDP")
    assert ask(client, address, 53) == "a"
    assert ask(None, address, 53) == "a"


async def test_node_ports_lead_to_the_service(network: Network, cluster: Cluster, serve: Serve) -> None:
    a = await pod(network, "a")
    serve(a, 80)
    port = free_port()
    await cluster.service("web", 10, type="NodePort", port_fields={"nodePort": port})
    await cluster.endpoints("web", [(a, READY)])
    assert call(None, str(network.engine.bridge_address), port)[0] == "a"
    with outside_world(network.engine) as world:
        outsider = Sandbox("", world.namespace, None, None, "", "world")
        assert call(outsider, world.machine_address, port) == ("a", world.address)


async def test_the_machine_reaches_the_api_at_its_service_address(engine: Engine, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as api:
        own = Engine(engine.data, engine.network, api.getsockname()[1], 8080, 8443)
        network = Network(own)
        await network.start()
        client = await pod(network, "client")
        with socket.create_connection((str(own.api_address), 443), 5), suppress(OSError):
            api.accept()[0].close()
        with pytest.raises(ConnectionRefusedError):
            call(client, str(own.api_address), 443)
        await network.close()


async def test_a_restart_keeps_services_until_it_knows_better(
    engine: Engine, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as first:
        network = Network(engine, table=Written(engine.prefix))
        await network.start()
        assert isinstance(network.table, Written)
        cluster = Cluster(network, network.table)
        await first.enter_async_context(cluster.running())
        a, client = await pod(network, "a"), await pod(network, "client")
        serve(a, 80)
        kept = await cluster.service("kept", 10, sessionAffinity="ClientIP")
        await cluster.endpoints("kept", [(a, READY)])
        gone = await cluster.service("gone", 11)
        await cluster.endpoints("gone", [(a, READY)])
    await network.close()
    again = Network(engine, table=Written(engine.prefix))
    await again.start()
    assert (call(client, kept, 80)[0], call(client, gone, 80)[0]) == ("a", "a")
    assert isinstance(again.table, Written)
    successor = Cluster(again, again.table)
    successor.client = cluster.client
    await successor.client.delete(SERVICES, "default", "gone")
    async with successor.running():
        assert call(client, kept, 80)[0] == "a"
        with pytest.raises(ConnectionRefusedError):
            call(client, gone, 80)
    await again.close()
    assert "anew" not in caplog.text, "to write the whole table again would forget which client belongs where"


async def test_two_hundred_services(network: Network, cluster: Cluster, serve: Serve) -> None:
    a, client = await pod(network, "a"), await pod(network, "client")
    serve(a, 80)
    for number in range(200):
        await cluster.service(f"s{number}", 10 + number)
        await cluster.endpoints(f"s{number}", [(a, READY)])
    assert call(client, cluster.address(10), 80)[0] == "a"
    assert call(client, cluster.address(209), 80)[0] == "a"
