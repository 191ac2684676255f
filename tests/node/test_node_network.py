"""Real sandboxes, links, Services and host ports, in a network of their own on this machine. Needs root."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from pod_network import (
    Answering,
    Serve,
    World,
    answering,
    call,
    free_port,
    fresh_engine,
    inside,
    leftovers,
    outside_world,
    pod,
)

from grandstand.engine import Engine
from grandstand.errors import NetworkFailure, SandboxRefused
from grandstand.node.network import (
    HostPort,
    Network,
    Sandbox,
    destroy_network,
)
from grandstand.node.network.netlink import Netlink
from grandstand.node.network.sandboxes import link_name

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
def serve() -> Iterator[Serve]:
    with answering() as serve:
        yield serve


async def test_sandboxes_reach_each_other_with_their_own_addresses(network: Network, serve: Serve) -> None:
    a, b = await pod(network, "a"), await pod(network, "b")
    serve(b, 80)
    assert call(a, b.address, 80) == ("b", a.address)
    assert call(None, b.address, 80) == ("b", str(network.engine.bridge_address))


async def test_a_sandbox_has_its_own_hostname_and_loopback(network: Network, serve: Serve) -> None:
    a = await pod(network, "a")
    assert inside(a.uts, socket.gethostname) == "a"
    assert socket.gethostname() != "a"
    serve(a, 80)
    assert call(a, "127.0.0.1", 80) == ("a", "127.0.0.1")


async def test_the_namespaces_are_new(network: Network) -> None:
    a = await pod(network, "a")
    for kind, file in (("net", a.network), ("ipc", a.ipc), ("uts", a.uts)):
        assert file is not None
        assert file.stat().st_ino != Path(f"/proc/self/ns/{kind}").stat().st_ino


async def test_an_absent_pod_is_unreachable_at_once(network: Network) -> None:
    a = await pod(network, "a")
    with pytest.raises(OSError, match="No route to host"):
        call(a, str(network.engine.pods.network_address + 4000), 80)


async def test_a_sandbox_cannot_use_anothers_address(network: Network, serve: Serve) -> None:
    a, b, victim = [await pod(network, name) for name in "abv"]
    serve(b, 53, kind=socket.SOCK_DGRAM)
    heard = inside(b.network, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    heard.bind(("0.0.0.0", 5353))
    heard.settimeout(0.3)

    def spoof(source: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT: what a Pod with NET_ADMIN may do
            sender.bind((source, 0))
            sender.sendto(b"!", (b.address, 5353))

    inside(a.network, lambda: spoof(a.address))
    assert heard.recv(10) == b"!"
    inside(a.network, lambda: spoof(victim.address))
    with pytest.raises(TimeoutError):
        heard.recv(10)
    heard.close()


async def test_a_sandbox_cannot_reach_the_machines_loopback(network: Network, serve: Serve) -> None:
    await pod(network, "with-ports", host_ports=(HostPort("", free_port(), 80),))
    a = await pod(network, "a", host_ports=(HostPort("", free_port(), 80),))
    private = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    private.bind(("127.0.0.1", 0))
    private.settimeout(0.3)

    def reach() -> None:
        run = ("ip", "-batch", "-")
        lines = (
            f"addr flush dev lo\nroute add 127.0.0.0/8 via {network.engine.bridge_address} src {a.address} table 7\n"
        )
        subprocess.run(run, input=lines + "rule add prio 0 to 127.0.0.0/8 lookup 7\n", text=True, check=True)
        Path("/proc/sys/net/ipv4/conf/eth0/route_localnet").write_text("1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((a.address, 0))
            sender.sendto(b"!", private.getsockname())
        sent = Path("/proc/thread-self/net/dev").read_text().split("eth0:")[1].split()[9]
        assert int(sent) > 0, "the packet never left the Pod: the test tests nothing"

    inside(a.network, reach)
    with pytest.raises(TimeoutError):
        private.recv(10)
    private.close()


async def test_pods_of_another_engine_are_as_far_as_the_world(
    network: Network, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither its Pods nor its name server's address answer; a port that it publishes does."""
    port = free_port()
    served = await pod(network, "served", host_ports=(HostPort("", port, 8000),))
    serve(served, 8000)
    own_port = free_port()
    serve(None, own_port, "machine")
    with fresh_engine(tmp_path_factory.mktemp("other")) as other:
        theirs = Network(other)
        await theirs.start()
        stranger = await pod(theirs, "stranger")
        for address, number in ((served.address, 8000), (str(network.engine.bridge_address), own_port)):
            with pytest.raises(TimeoutError):
                inside(stranger.network, lambda to=(address, number): socket.create_connection(to, 0.3))
        assert call(stranger, str(other.bridge_address), port)[0] == "served"
        assert call(None, served.address, 8000)[0] == "served"
        await theirs.close()


async def test_sysctls_are_the_sandboxes_own(network: Network) -> None:
    a = await pod(network, "a", sysctls={"net.core.somaxconn": "321", "kernel.shmmni": "77"})
    assert inside(a.network, lambda: Path("/proc/sys/net/core/somaxconn").read_text()).strip() == "321"
    assert inside(a.ipc, lambda: Path("/proc/sys/kernel/shmmni").read_text()).strip() == "77"
    assert Path("/proc/sys/net/core/somaxconn").read_text().strip() != "321"
    assert inside(a.network, lambda: Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()).strip() == "0"


async def test_a_refused_sysctl_leaves_nothing(network: Network) -> None:
    with pytest.raises(SandboxRefused, match="no_such"):
        await pod(network, "a", sysctls={"net.core.no_such": "1"})
    assert network.sandboxes() == {}
    a = await pod(network, "a")
    assert list(network.sandboxes()) == [a.pod_uid]


async def test_host_network_shares_what_it_should(network: Network) -> None:
    a = await pod(network, "a", host_network=True)
    assert (a.network, a.uts, a.address) == (None, None, str(network.engine.bridge_address))
    assert a.ipc is not None
    b = await pod(network, "b", host_network=True, host_ipc=True)
    assert (b.network, b.ipc, b.uts) == (None, None, None)
    for sandbox in (a, b):
        await network.remove(sandbox.pod_uid)
    assert network.sandboxes() == {}


async def test_two_hundred_at_once(network: Network, serve: Serve) -> None:
    sandboxes = await asyncio.gather(*(pod(network, f"p{number}") for number in range(200)))
    assert len({sandbox.address for sandbox in sandboxes}) == 200
    serve(sandboxes[0], 80)
    assert call(sandboxes[199], sandboxes[0].address, 80) == ("p0", sandboxes[199].address)
    await asyncio.gather(*(network.remove(sandbox.pod_uid) for sandbox in sandboxes))
    with Netlink() as machine:
        assert [link.name for link in machine.links() if network.engine.prefix in link.name] == [network.engine.prefix]
    assert list((network.engine.data / "run" / "ns").iterdir()) == []


async def test_remove_is_idempotent_and_create_too(network: Network) -> None:
    a = await pod(network, "a")
    assert await pod(network, "a") == a
    await asyncio.gather(network.remove(a.pod_uid), network.remove(a.pod_uid))
    await network.remove(a.pod_uid)
    b = await pod(network, "b")
    assert b.address != a.address, "an address rests before it is given again"


async def test_what_a_cancelled_caller_left_can_be_removed(network: Network) -> None:
    creation = asyncio.create_task(pod(network, "a"))
    await asyncio.sleep(0)
    creation.cancel()
    await asyncio.wait((creation,))
    await network.remove("uid-a")
    assert network.sandboxes() == {}


async def test_a_restart_adopts_whole_sandboxes_and_removes_broken_ones(network: Network, serve: Serve) -> None:
    a, b, c = [await pod(network, name) for name in "abc"]
    serve(a, 80)
    await network.close()
    subprocess.run(("umount", str(b.network)), check=True)
    subprocess.run(("ip", "link", "del", link_name(network.engine, IPv4Address(c.address))), check=True)
    again = Network(network.engine)
    await again.start()
    assert again.sandboxes() == {a.pod_uid: a}
    assert call(None, a.address, 80)[0] == "a"
    d = await pod(again, "d")
    assert call(d, a.address, 80) == ("a", d.address)
    await again.remove(a.pod_uid)
    await again.close()


async def test_the_outside_world_sees_the_machines_address(network: Network, serve: Serve) -> None:
    a = await pod(network, "a")
    with outside_world(network.engine) as world:
        server = Answering(Sandbox("", world.namespace, None, None, "", "world"), 80)
        try:
            assert call(a, world.address, 80) == ("world", world.machine_address)
        finally:
            server.close()


async def test_host_ports_lead_to_the_pod(network: Network, serve: Serve) -> None:
    anywhere, locally, outside = free_port(), free_port(), free_port()
    ports = (
        HostPort("", anywhere, 80),
        HostPort("127.0.0.1", locally, 80),
        HostPort(World.machine_address, outside, 80),
    )
    a = await pod(network, "a", host_ports=ports)
    b = await pod(network, "b")
    serve(a, 80)
    bridge = str(network.engine.bridge_address)
    assert call(None, "127.0.0.1", anywhere) == ("a", bridge)
    assert call(None, "127.0.0.1", locally)[0] == "a"
    assert call(None, bridge, anywhere)[0] == "a"
    assert call(b, bridge, anywhere) == ("a", b.address)
    assert call(a, bridge, anywhere) == ("a", bridge), "a Pod reaches itself through its host port"
    with outside_world(network.engine) as world:
        outsider = Sandbox("", world.namespace, None, None, "", "world")
        assert call(outsider, world.machine_address, anywhere) == ("a", world.address)
        assert call(outsider, world.machine_address, outside) == ("a", world.address)
        with pytest.raises(ConnectionRefusedError):
            call(outsider, world.machine_address, locally)
    await network.remove(a.pod_uid)
    with pytest.raises(ConnectionRefusedError):
        call(None, "127.0.0.1", anywhere)


async def test_a_host_port_is_given_once(network: Network) -> None:
    await pod(network, "a", host_ports=(HostPort("", 18090, 80),))
    with pytest.raises(SandboxRefused, match="18090 is taken by the Pod uid-a"):
        await pod(network, "b", host_ports=(HostPort("127.0.0.1", 18090, 80),))
    await pod(network, "c", host_ports=(HostPort("", 18090, 80, "UDP"),))


async def test_destroy_leaves_nothing(network: Network) -> None:
    await pod(network, "a", host_ports=(HostPort("", 18091, 80),))
    assert leftovers(network.engine)
    await network.destroy()
    assert leftovers(network.engine) == []
    destroy_network(network.engine)


async def test_destroy_waits_for_what_was_begun(network: Network) -> None:
    begun = [asyncio.create_task(pod(network, f"p{number}")) for number in range(20)]
    await asyncio.sleep(0)
    await network.destroy()
    assert leftovers(network.engine) == []
    assert len(await asyncio.gather(*begun)) == 20


async def test_pins_that_lost_their_mount_are_cleaned_up(network: Network) -> None:
    a = await pod(network, "a")
    pins = network.engine.data / "run" / "ns"
    await network.close()
    subprocess.run(("umount", "--lazy", str(pins)), check=True)
    (pins / a.pod_uid).mkdir(exist_ok=True)
    (pins / a.pod_uid / "net").touch()
    subprocess.run(("mount", "--bind", "/proc/self/ns/net", str(pins / a.pod_uid / "net")), check=True)
    again = Network(network.engine)
    await again.start()
    assert again.sandboxes() == {}
    await pod(again, "a")
    await again.close()


async def test_a_network_that_is_not_started_says_so(engine: Engine) -> None:
    with pytest.raises(NetworkFailure, match="is not up"):
        await pod(Network(engine), "a", host_ports=(HostPort("", 18092, 80),))
