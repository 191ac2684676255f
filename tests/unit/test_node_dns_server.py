"""The name server over real sockets on loopback, and the resolvers that it asks."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.errors import NetworkFailure
from grandstand.kinds import Key, Service, view
from grandstand.kinds.resources import ENDPOINT_SLICES, PODS, SERVICES
from grandstand.node.dns import Forwarder, Names, NameServer, ResolverFile
from grandstand.node.dns.forwarder import Resolver
from grandstand.node.dns.messages import query
from grandstand.node.dns.server import MOST_CONNECTIONS_OF_ONE
from grandstand.node.dns.shares import Shares
from grandstand.node.dns.zone import Type, Zone, answer
from grandstand.reconcile.informer import Informer

LOOPBACK = "127.0.0.1"


def named(name: str, **spec: object) -> dict[Key, Service]:
    service = view(Service, {"metadata": {"name": name, "namespace": "shop"}, "spec": spec})
    return {service.metadata.key: service}


ZONE = Zone(
    "cluster.local",
    services=named("web", clusterIP="10.1.128.9") | named("out", type="ExternalName", externalName="example.com"),
    namespaces={"shop": 2},
)


class Upstream(asyncio.DatagramProtocol):
    """A resolver that knows example.com; `reply` turns a query into what is sent, None for silence."""

    def __init__(self, reply: Callable[[bytes], list[bytes]]) -> None:
        self.reply = reply
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: object) -> None:
        self.asked.append(data)
        for packet in self.reply(data):
            self.transport.sendto(packet, peer)


def knows(packet: bytes) -> list[bytes]:
    record = DNSRecord.parse(packet)
    made = record.reply()
    if str(record.q.qname) == "example.com." and record.q.qtype == QTYPE.A:
        made.add_answer(RR("example.com", QTYPE.A, ttl=60, rdata=A("192.0.2.80")))
    return [made.pack()]


@asynccontextmanager
async def upstream(reply: Callable[[bytes], list[bytes]] = knows) -> AsyncIterator[tuple[Resolver, Upstream]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Upstream(reply), local_addr=(LOOPBACK, 0)
    )
    try:
        yield transport.get_extra_info("sockname"), protocol
    finally:
        transport.close()


def forwarder(*resolvers: Resolver, timeout_seconds: float = 2.0) -> Forwarder:
    return Forwarder(lambda: list(resolvers), clock=SystemClock(), timeout_seconds=timeout_seconds)


def server(*resolvers: Resolver, timeout_seconds: float = 2.0) -> NameServer:
    return NameServer(ZONE, forwarder(*resolvers, timeout_seconds=timeout_seconds), LOOPBACK, 0)


async def replied(asked: NameServer, name: str, kind: str = "A") -> DNSRecord:
    packet = await asked.reply_to(query(4711, name, kind))
    assert packet is not None
    record = DNSRecord.parse(packet)
    assert record.header.id == 4711
    return record


async def test_our_own_names() -> None:
    record = await replied(server(), "web.shop.svc.cluster.local")
    assert [str(rr.rdata) for rr in record.rr] == ["10.1.128.9"]
    assert (await replied(server(), "no.shop.svc.cluster.local")).header.rcode == RCODE.NXDOMAIN


async def test_other_names_are_asked_elsewhere() -> None:
    async with upstream() as (resolver, seen):
        record = await replied(server(resolver), "example.com")
        assert [str(rr.rdata) for rr in record.rr] == ["192.0.2.80"]
        assert seen.asked[0][:2] != (4711).to_bytes(2), "a number of our own, that an attacker cannot know"


async def test_an_external_name_is_followed() -> None:
    async with upstream() as (resolver, _):
        record = await replied(server(resolver), "out.shop.svc.cluster.local")
    assert [QTYPE[rr.rtype] for rr in record.rr] == ["CNAME", "A"]
    assert str(record.rr[1].rdata) == "192.0.2.80"


async def test_the_next_resolver_is_asked_when_one_is_silent_gone_or_forged() -> None:
    def forged(packet: bytes) -> list[bytes]:
        other = bytes((packet[0] ^ 1, packet[1]))
        return [other + knows(packet)[0][2:], b"garbage", packet]

    async with upstream(lambda _: []) as (silent, _), upstream(forged) as (forging, _), upstream() as (good, _):
        gone = (LOOPBACK, 9)
        asked = server(silent, forging, gone, good, timeout_seconds=0.05)
        assert [str(rr.rdata) for rr in (await replied(asked, "example.com")).rr] == ["192.0.2.80"]


@pytest.mark.parametrize("name", ["example.com", "out.shop.svc.cluster.local"])
async def test_without_a_resolver_it_fails_at_once(name: str) -> None:
    assert (await replied(server(), name)).header.rcode == RCODE.SERVFAIL


async def test_udp_and_tcp_on_real_sockets() -> None:
    async with serving() as (address, port):
        reader, writer = await asyncio.open_connection(address, port)
        for number in (1, 2):
            packet = query(number, "web.shop.svc.cluster.local", "A")
            writer.write(struct.pack("!H", len(packet)) + packet)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            assert DNSRecord.parse(await reader.readexactly(size)).header.id == number
        writer.write(struct.pack("!H", 4) + b"junk")
        assert await reader.read() == b""
        writer.close()

        found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        class Asker(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, peer: object) -> None:
                found.set_result(data)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Asker, remote_addr=(address, port))
        transport.sendto(b"junk")
        transport.sendto(query(3, "web.shop.svc.cluster.local", "A"))
        assert DNSRecord.parse(await asyncio.wait_for(found, 5)).header.id == 3
        transport.close()


async def test_idle_connections_of_one_asker_leave_room_for_queries_and_other_askers() -> None:
    """Several times what one may have: the rest is closed, nothing is held up, and another address is served."""
    async with serving() as (address, port):
        idle = [await asyncio.open_connection(address, port) for _ in range(MOST_CONNECTIONS_OF_ONE * 3)]
        closed = asyncio.gather(
            *(reader.read() for reader, _ in idle[MOST_CONNECTIONS_OF_ONE:]), return_exceptions=True
        )
        await asyncio.wait_for(closed, 5)
        reader, writer = await asyncio.open_connection(address, port, local_addr=("127.0.0.2", 0))
        packet = query(1, "web.shop.svc.cluster.local", "A")
        writer.write(struct.pack("!H", len(packet)) + packet)
        assert await asyncio.wait_for(reader.readexactly(2), 5)
        for _, each in (*idle, (reader, writer)):
            each.transport.abort()


async def test_queries_larger_than_any_are_not_waited_for() -> None:
    async with serving() as (address, port):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(struct.pack("!H", 65535))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


def test_shares_are_limited_for_each_and_for_all() -> None:
    shares = Shares(most=3, most_of_one=2)
    assert [shares.take("a"), shares.take("a"), shares.take("a")] == [True, True, False]
    assert [shares.take("b"), shares.take("b")] == [True, False]
    shares.give_back("a")
    assert [shares.take("b"), shares.take("a")] == [True, False]


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, int]]:
    async with upstream() as (resolver, _):
        probe = await asyncio.start_server(lambda r, w: w.close(), LOOPBACK, 0)
        port = int(probe.sockets[0].getsockname()[1])
        probe.close()
        await probe.wait_closed()
        running = NameServer(ZONE, forwarder(resolver), LOOPBACK, port)
        await running.start()
        try:
            with pytest.raises(NetworkFailure, match="cannot listen"):
                await NameServer(ZONE, forwarder(), LOOPBACK, port).start()
            yield LOOPBACK, port
        finally:
            await running.stop()


def test_the_resolver_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    resolvers = ResolverFile(("10.1.0.1",), path)
    assert resolvers() == []
    path.write_text("nameserver 10.1.0.1\nnameserver not-an-address\nnameserver 192.0.2.53\n")
    assert resolvers() == [("192.0.2.53", 53)]
    new = tmp_path / "new"
    new.write_text("nameserver 192.0.2.54\nnameserver ::1\n")
    new.replace(path)
    assert resolvers() == [("192.0.2.54", 53), ("::1", 53)]


async def test_names_follow_the_api() -> None:
    client = FakeClient()
    informers = [Informer(client, resource) for resource in (SERVICES, ENDPOINT_SLICES, PODS)]
    names = Names(*informers)
    changed = asyncio.Condition()

    def wake(*_: object) -> None:
        tasks.append(asyncio.create_task(notify()))

    async def notify() -> None:
        async with changed:
            changed.notify_all()

    async def until(check: Callable[[], bool]) -> None:
        async with changed:
            await asyncio.wait_for(changed.wait_for(check), 5)

    def addresses(name: str, kind: str = "A") -> list[str]:
        return [str(record.data) for record in answer(names.zone, name, kind).records]

    tasks = [asyncio.create_task(informer.run()) for informer in informers]
    for informer in informers:
        informer.subscribe(wake)
    meta = {"name": "db", "namespace": "shop"}
    await client.create(SERVICES, {"metadata": meta, "spec": {"clusterIP": "None"}})
    labels = {"kubernetes.io/service-name": "db"}
    endpoints = [{"addresses": ["10.1.0.5"], "hostname": "db-0"}]
    piece = {"metadata": {**meta, "labels": labels}, "addressType": "IPv4", "ports": [], "endpoints": endpoints}
    await client.create(ENDPOINT_SLICES, piece)
    await client.create(PODS, {"metadata": {**meta}, "spec": {}, "status": {"podIP": "10.1.0.5"}})
    await until(lambda: addresses("10-1-0-5.shop.pod.cluster.local") == ["10.1.0.5"])
    await until(lambda: addresses("db-0.db.shop.svc.cluster.local") == ["10.1.0.5"])
    assert addresses("5.0.1.10.in-addr.arpa", Type.PTR) == ["db-0.db.shop.svc.cluster.local"]

    await client.update(ENDPOINT_SLICES, {**piece, "endpoints": [{"addresses": ["10.1.0.6"]}]})
    await until(lambda: addresses("db.shop.svc.cluster.local") == ["10.1.0.6"])
    assert addresses("5.0.1.10.in-addr.arpa", Type.PTR) == []
    await client.delete(SERVICES, "shop", "db")
    await until(lambda: not answer(names.zone, "db.shop.svc.cluster.local", "A").exists)
    assert names.zone.hosts_at == {}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
