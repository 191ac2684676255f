"""Say which packets of Pods are translated, refused or dropped, apart from Services. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

from grandstand.engine import ENGINE_PREFIX, Engine

from .ruleset import Chain, Ruleset, SetDeclaration
from .sandboxes import HostPort, link_prefix

SERVICES_MAP, NODE_PORTS_MAP = "services", "node-ports"
HOST_PORTS_MAP, ADDRESS_HOST_PORTS_MAP = "host-ports", "address-host-ports"

# The mark is set and read within the way of one packet; Kubernetes' own marks are 0x4000 and 0x8000.
_HAIRPIN = "0x00100000"
_EVERY_ADDRESS = ("", "0.0.0.0")


def machine_rules(engine: Engine) -> Ruleset:
    """What stands in an engine's table from start to end, whatever Pods and Services there are."""
    return Ruleset(sets=_maps(), chains={**_guards(engine), **_destinations(engine), **_sources(engine)})


def _maps() -> dict[str, SetDeclaration]:
    portal = "type ipv4_addr . inet_proto . inet_service"
    machine_port = "type inet_proto . inet_service"
    return {
        SERVICES_MAP: SetDeclaration("map", f"{portal} : verdict;"),
        NODE_PORTS_MAP: SetDeclaration("map", f"{machine_port} : verdict;"),
        HOST_PORTS_MAP: SetDeclaration("map", f"{machine_port} : ipv4_addr . inet_service;"),
        ADDRESS_HOST_PORTS_MAP: SetDeclaration("map", f"{portal} : ipv4_addr . inet_service;"),
    }


def _guards(engine: Engine) -> dict[str, Chain]:
    from_pod = f'iifname "{link_prefix(engine)}*"'
    unserved = (
        f"ip daddr {engine.services} meta l4proto tcp reject with tcp reset",
        f"ip daddr {engine.services} reject with icmp type port-unreachable",
    )
    return {
        # 127.0.0.0/8 is routed for Pods with host ports (route_localnet): without the first rule such a Pod could
        # reach what the machine serves to itself only (CVE-2020-8558).
        # The second: a Pod has one source address, its own.
        # The third: Pods of another engine of this machine come in by what this one publishes, as the world does.
        "from-pods": Chain(
            (
                f"{from_pod} ip daddr 127.0.0.0/8 drop",
                f"{from_pod} fib saddr . iif oif missing drop",
                f'iifname "{ENGINE_PREFIX}*" iifname != "{engine.prefix}*" ip daddr {engine.network} drop',
            ),
            "type filter hook prerouting priority raw",
        ),
        # What conntrack does not know is not translated back: the peer would see the Pod's address, and reset.
        "forwarded": Chain(
            (f"ip saddr {engine.pods} ct state invalid drop", *unserved), "type filter hook forward priority filter"
        ),
        # Without the last rule, a query to a name server that is being restarted would fail at once ("port
        # unreachable"); unanswered, resolvers ask again after 2 to 5 s. In an ICMP error stands the packet that it is
        # about: its destination address begins at bit 192, its destination port at bit 240.
        "from-machine": Chain(
            (
                *unserved,
                f"icmp type destination-unreachable @th,192,32 {int(engine.bridge_address):#x} @th,240,16 53 drop",
            ),
            "type filter hook output priority filter",
        ),
    }


def _destinations(engine: Engine) -> dict[str, Chain]:
    portal, port = "ip daddr . meta l4proto . th dport", "meta l4proto . th dport"
    translated = "meta l4proto { tcp, udp, sctp }"
    api = f"ip daddr {engine.api_address} tcp dport 443 dnat to 127.0.0.1:{engine.api_port}"
    return {
        "portals": Chain((f"{portal} vmap @{SERVICES_MAP}",)),
        "host-ports": Chain(
            (
                f"{translated} dnat ip addr . port to {portal} map @{ADDRESS_HOST_PORTS_MAP}",
                f"{translated} dnat ip addr . port to {port} map @{HOST_PORTS_MAP}",
            )
        ),
        "machine-ports": Chain((f"{port} vmap @{NODE_PORTS_MAP}",)),
        "destination": Chain(
            (
                f"ip daddr {engine.services} goto portals",
                "fib daddr type local jump host-ports",
                "fib daddr type local goto machine-ports",
            ),
            "type nat hook prerouting priority dstnat",
        ),
        "own-destination": Chain(
            (
                api,
                f"ip daddr {engine.services} goto portals",
                "fib daddr type local jump host-ports",
                "ip daddr != 127.0.0.0/8 fib daddr type local goto machine-ports",
            ),
            "type nat hook output priority -100",
        ),
    }


def _sources(engine: Engine) -> dict[str, Chain]:
    pod_link = f'"{link_prefix(engine)}*"'
    return {
        # A Pod that reaches itself through a Service would get a packet from its own address, and drop it.
        "hairpin": Chain(
            (f"iifname {pod_link} ct status dnat fib daddr . iif oif exists meta mark set meta mark | {_HAIRPIN}",),
            "type filter hook prerouting priority -99",
        ),
        "source": Chain(
            (
                # Only our own links: the packets that another engine has marked are its own to translate.
                f"oifname {pod_link} meta mark & {_HAIRPIN} == {_HAIRPIN} snat to {engine.bridge_address}",
                f"ip saddr 127.0.0.0/8 oifname {pod_link} snat to {engine.bridge_address}",
                f"ip saddr {engine.pods} ip daddr != {engine.network} oifname != {pod_link} masquerade",
            ),
            "type nat hook postrouting priority srcnat",
        ),
    }


def host_port_rules(ports: Iterable[tuple[IPv4Address, HostPort]]) -> Ruleset:
    """The elements that lead ports of the machine to Pods: pairs of the Pod's address and the port."""
    elements = {}
    for address, port in ports:
        target = f"{address} . {port.container_port}"
        key = f"{port.protocol.lower()} . {port.host_port}"
        if port.host_ip in _EVERY_ADDRESS:
            elements[HOST_PORTS_MAP, key] = target
        else:
            elements[ADDRESS_HOST_PORTS_MAP, f"{port.host_ip} . {key}"] = target
    return Ruleset(elements=elements)
