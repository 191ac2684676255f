"""Build and read rtnetlink messages: links, addresses, neighbours, routes. Pure.

Numbers are those of `linux/netlink.h`, `rtnetlink.h`, `if_link.h` and `neighbour.h`.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

NEW_LINK, DELETE_LINK, GET_LINK, SET_LINK = 16, 17, 18, 19
NEW_ADDRESS, GET_ADDRESS = 20, 22
NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26
NEW_NEIGHBOUR = 28

REQUEST, MULTI, ACK, REPLACE, EXCLUSIVE, CREATE, DUMP = 0x1, 0x2, 0x4, 0x100, 0x200, 0x400, 0x300
DONE, ERROR = 3, 2

UP = 0x1
MAIN_TABLE, STATIC, UNICAST, UNREACHABLE = 254, 4, 1, 7
SCOPE_UNIVERSE, SCOPE_LINK = 0, 253
PERMANENT = 0x80

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_AF_SPEC, IFLA_GROUP, IFLA_NET_NS_FD = 1, 3, 4, 18, 26, 27, 28
LINK_KIND, LINK_DATA, VETH_PEER = 1, 2, 1
INET_CONF, INET6_ADDRESS_GENERATION, NO_ADDRESSES = 1, 8, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFERRED_SOURCE = 1, 4, 5, 7
NDA_DST, NDA_LLADDR = 1, 2
NESTED = 0x8000
TYPE_MASK = 0x3FFF

SEND_REDIRECTS, ROUTE_LOCALNET = 6, 26
"""Indexes of `net.ipv4.conf.<link>` settings (`linux/ip.h`)."""

HEADER = struct.Struct("=IHHII")
"""Length, type, flags, sequence number, port: before every message."""

FIXED_SIZES = {NEW_LINK: 16, NEW_ADDRESS: 8, NEW_ROUTE: 12}
"""Bytes of the fixed structure of each type of answer."""


@dataclass(frozen=True, slots=True)
class Message:
    """One request: `body` is the type's fixed structure and its attributes; `what` names it in errors."""

    type: int
    flags: int
    body: bytes
    what: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a dump or a get: `fixed` is the type's structure, `attributes` by number."""

    fixed: bytes
    attributes: dict[int, bytes]

    @property
    def index(self) -> int:
        """The link's index, of an answer about links."""
        return int(struct.unpack_from("=i", self.fixed, 4)[0])

    @property
    def prefix_length(self) -> int:
        """The length of the network, of an answer about addresses or routes."""
        return self.fixed[1]

    def number(self, attribute: int) -> int:
        return int(struct.unpack("=I", self.attributes[attribute])[0])

    @property
    def name(self) -> str:
        return self.attributes[IFLA_IFNAME].rstrip(b"\0").decode()


def attribute(number: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", len(payload) + 4, number) + payload + bytes(-len(payload) % 4)


def _text(number: int, value: str) -> bytes:
    return attribute(number, value.encode() + b"\0")


def _number(number: int, value: int) -> bytes:
    return attribute(number, struct.pack("=I", value))


def _link(index: int = 0, *, up: bool = False) -> bytes:
    flags = UP if up else 0
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def new_bridge(name: str) -> Message:
    """A bridge without ports is the link without a cable that every kernel has; `dummy` is often left out."""
    info = attribute(IFLA_LINKINFO | NESTED, _text(LINK_KIND, "bridge"))
    return Message(NEW_LINK, CREATE | EXCLUSIVE, _link() + _text(IFLA_IFNAME, name) + info, f"create the link {name}")


@dataclass(frozen=True, slots=True)
class End:
    """One end of a veth pair."""

    name: str
    mac: bytes


def new_veth(host: End, peer: End, *, peer_namespace: int, mtu: int, group: int) -> Message:
    """A veth pair, one end here, the other one in the namespace behind a descriptor; both are down."""
    ends = _text(IFLA_IFNAME, peer.name) + attribute(IFLA_ADDRESS, peer.mac) + _number(IFLA_MTU, mtu)
    peer_attributes = _link() + ends + _number(IFLA_NET_NS_FD, peer_namespace)
    data = attribute(LINK_DATA | NESTED, attribute(VETH_PEER | NESTED, peer_attributes))
    body = (
        _link()
        + _text(IFLA_IFNAME, host.name)
        + attribute(IFLA_ADDRESS, host.mac)
        + _number(IFLA_MTU, mtu)
        + _number(IFLA_GROUP, group)
        + attribute(IFLA_LINKINFO | NESTED, _text(LINK_KIND, "veth") + data)
    )
    return Message(NEW_LINK, CREATE | EXCLUSIVE, body, f"create the veth pair {host.name}")


def set_up(name: str) -> Message:
    return Message(SET_LINK, 0, _link(up=True) + _text(IFLA_IFNAME, name), f"bring up the link {name}")


def set_group(name: str, group: int) -> Message:
    body = _link() + _text(IFLA_IFNAME, name) + _number(IFLA_GROUP, group)
    return Message(SET_LINK, 0, body, f"put the link {name} into the group {group}")


def configure(name: str, settings: dict[int, int], *, ipv6: bool) -> Message:
    """Set `net.ipv4.conf.<link>` settings by index; with `ipv6`, give the link no link-local address."""
    conf = b"".join(_number(index, value) for index, value in settings.items())
    families = attribute(socket.AF_INET | NESTED, attribute(INET_CONF | NESTED, conf)) if settings else b""
    if ipv6:
        mode = attribute(INET6_ADDRESS_GENERATION, bytes((NO_ADDRESSES,)))
        families += attribute(socket.AF_INET6 | NESTED, mode)
    body = _link() + _text(IFLA_IFNAME, name) + attribute(IFLA_AF_SPEC | NESTED, families)
    return Message(SET_LINK, 0, body, f"configure the link {name}")


def delete_link(name: str) -> Message:
    return Message(DELETE_LINK, 0, _link() + _text(IFLA_IFNAME, name), f"delete the link {name}")


def delete_group(group: int) -> Message:
    """Delete every link of a group at once: the kernel waits for its readers once, not once a link."""
    return Message(DELETE_LINK, 0, _link() + _number(IFLA_GROUP, group), f"delete the links of the group {group}")


def new_address(index: int, address: IPv4Address) -> Message:
    """A /32, so that the kernel adds no route of its own."""
    fixed = struct.pack("=BBBBi", socket.AF_INET, 32, 0, SCOPE_UNIVERSE, index)
    body = fixed + attribute(IFA_LOCAL, address.packed) + attribute(IFA_ADDRESS, address.packed)
    return Message(NEW_ADDRESS, CREATE | REPLACE, body, f"give the link {index} the address {address}")


def find_link(name: str) -> Message:
    return Message(GET_LINK, 0, _link() + _text(IFLA_IFNAME, name), f"find the link {name}")


def list_links() -> Message:
    return Message(GET_LINK, 0, _link(), "list the links")


def list_addresses() -> Message:
    return Message(GET_ADDRESS, 0, struct.pack("=BBBBi", socket.AF_INET, 0, 0, 0, 0), "list the addresses")


def list_routes() -> Message:
    return Message(GET_ROUTE, 0, struct.pack("=8BI", socket.AF_INET, *bytes(7), 0), "list the routes")


def new_route(
    network: IPv4Network,
    *,
    index: int | None = None,
    gateway: IPv4Address | None = None,
    source: IPv4Address | None = None,
) -> Message:
    """A route to a network through a link and perhaps a gateway; without a link, one that says "unreachable"."""
    scope = SCOPE_UNIVERSE if gateway or index is None else SCOPE_LINK
    kind = UNREACHABLE if index is None else UNICAST
    fixed = struct.pack("=8BI", socket.AF_INET, network.prefixlen, 0, 0, MAIN_TABLE, STATIC, scope, kind, 0)
    body = fixed + attribute(RTA_DST, network.network_address.packed)
    if index is not None:
        body += _number(RTA_OIF, index)
    if gateway is not None:
        body += attribute(RTA_GATEWAY, gateway.packed)
    if source is not None:
        body += attribute(RTA_PREFERRED_SOURCE, source.packed)
    return Message(NEW_ROUTE, CREATE | REPLACE, body, f"route {network}")


def delete_unreachable(network: IPv4Network) -> Message:
    route = new_route(network)
    return Message(DELETE_ROUTE, 0, route.body, f"remove the route to {network}")


def new_neighbour(index: int, address: IPv4Address, mac: bytes) -> Message:
    """Who has an address, known for good: no ARP before the first packet."""
    fixed = struct.pack("=BxxxiHBB", socket.AF_INET, index, PERMANENT, 0, 0)
    body = fixed + attribute(NDA_DST, address.packed) + attribute(NDA_LLADDR, mac)
    return Message(NEW_NEIGHBOUR, CREATE | REPLACE, body, f"make {address} known")


def parse_attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by number, from the bytes that follow a fixed structure."""
    found = {}
    at = 0
    while at + 4 <= len(data):
        size, number = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[number & TYPE_MASK] = data[at + 4 : at + size]
        at += size + (-size % 4)
    return found
