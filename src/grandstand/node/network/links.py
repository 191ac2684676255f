"""Connect sandboxes with the machine: one veth pair and one route each; every packet between Pods is routed.

Not bridged: a reply that a bridge carries from Pod to Pod never meets the address translation that sent the request to
a Service's endpoint, unless the module br_netfilter is loaded. Routes also make a wrong source address visible (its
route leads elsewhere), and tell at once that a Pod is gone, instead of waiting 3 s for an ARP reply that never comes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from grandstand.engine import Engine

from . import messages
from .messages import End
from .netlink import Netlink
from .sandboxes import link_group, link_name, link_prefix, macs

POD_LINK = "eth0"
DEFAULT_MTU = 1500
_ANYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """How one Pod is connected. `localnet` lets connections from 127.0.0.1 of the machine reach its host ports."""

    name: str
    address: IPv4Address
    gateway: IPv4Address
    group: int
    mtu: int
    localnet: bool
    ipv6: bool


def plan(engine: Engine, address: IPv4Address, *, mtu: int, localnet: bool) -> LinkPlan:
    return LinkPlan(
        name=link_name(engine, address),
        address=address,
        gateway=engine.bridge_address,
        group=link_group(engine),
        mtu=mtu,
        localnet=localnet,
        ipv6=Path("/proc/sys/net/ipv6").exists(),
    )


def connect(wanted: LinkPlan, machine: Netlink) -> None:
    """Connect the calling thread's network namespace with the one that `machine` belongs to."""
    host_mac, pod_mac = macs(wanted.address)
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        pair = messages.new_veth(
            End(wanted.name, host_mac),
            End(POD_LINK, pod_mac),
            peer_namespace=here,
            mtu=wanted.mtu,
            group=wanted.group,
        )
        settings = {messages.SEND_REDIRECTS: 0, messages.ROUTE_LOCALNET: int(wanted.localnet)}
        machine.request(
            [pair, messages.configure(wanted.name, settings, ipv6=wanted.ipv6), messages.set_up(wanted.name)]
        )
    finally:
        os.close(here)
    _configure_pod(wanted, host_mac)
    index = machine.index(wanted.name)
    machine.request(
        [
            messages.new_neighbour(index, wanted.address, pod_mac),
            messages.new_route(IPv4Network(wanted.address), index=index, source=wanted.gateway),
        ]
    )


def _configure_pod(wanted: LinkPlan, host_mac: bytes) -> None:
    with Netlink() as pod:
        pod.request([messages.set_up("lo"), messages.set_up(POD_LINK)])
        index = pod.index(POD_LINK)
        pod.request(
            [
                messages.new_address(index, wanted.address),
                messages.new_neighbour(index, wanted.gateway, host_mac),
                messages.new_route(IPv4Network(wanted.gateway), index=index),
                messages.new_route(_ANYWHERE, index=index, gateway=wanted.gateway),
            ]
        )


def bring_up_loopback() -> None:
    """Bring up `lo` in the calling thread's network namespace."""
    with Netlink() as here:
        here.request([messages.set_up("lo")])


def prepare_machine(engine: Engine) -> None:
    """Give the machine its own address on the Pod network, and tell senders to absent Pods so at once."""
    with Netlink() as machine:
        machine.request([messages.new_bridge(engine.prefix)], exists_ok=True)
        index = machine.index(engine.prefix)
        machine.request(
            [
                messages.new_address(index, engine.bridge_address),
                messages.set_up(engine.prefix),
                messages.new_route(engine.pods),
                messages.new_route(engine.services, index=index, source=engine.bridge_address),
            ]
        )


def clear_machine(engine: Engine) -> None:
    """Remove every link and route of an engine."""
    with Netlink() as machine:
        delete_links(engine, pod_links(engine))
        machine.request([messages.delete_link(engine.prefix)], absent_ok=True)
        machine.request([messages.delete_unreachable(engine.pods)], absent_ok=True)


def pod_links(engine: Engine) -> list[str]:
    """The names of all Pod links of an engine on the machine."""
    with Netlink() as machine:
        return [link.name for link in machine.links() if link.name.startswith(link_prefix(engine))]


def delete_links(engine: Engine, names: Iterable[str]) -> None:
    """Delete links; those that are gone already do not matter.

    Through a group of their own: 100 links take 55 ms at once and 1.6 s one by one.
    """
    doomed = link_group(engine) | 0x08000000
    with Netlink() as machine:
        machine.request([messages.set_group(name, doomed) for name in names], absent_ok=True)
        machine.request([messages.delete_group(doomed)], absent_ok=True)


def outgoing_mtu() -> int:
    """The MTU of the link that the default route takes, so that what Pods send is not fragmented on the way out."""
    with Netlink() as machine:
        mtus = {link.index: link.number(messages.IFLA_MTU) for link in machine.links()}
        for route in machine.routes():
            if route.prefix_length == 0 and messages.RTA_OIF in route.attributes:
                return mtus.get(route.number(messages.RTA_OIF), DEFAULT_MTU)
    return DEFAULT_MTU


def taken_networks() -> list[IPv4Network]:
    """Every network that the machine has an address on or a route to, but for the default route."""
    with Netlink() as machine:
        addresses = [_network(a.attributes.get(messages.IFA_ADDRESS), a.prefix_length) for a in machine.addresses()]
        routes = [_network(r.attributes.get(messages.RTA_DST), r.prefix_length) for r in machine.routes()]
    return sorted({network for network in addresses + routes if network is not None and network.prefixlen > 0})


def _network(packed: bytes | None, length: int) -> IPv4Network | None:
    return None if packed is None else IPv4Network((packed, length), strict=False)
