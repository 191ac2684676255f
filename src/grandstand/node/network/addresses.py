"""Give every Pod an address of its own."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network

from grandstand.errors import AddressesExhausted


def next_address(network: IPv4Network, taken: Collection[IPv4Address], last: IPv4Address) -> IPv4Address:
    """The first free address after `last`, starting over at the end.

    An address rests as long as possible before it is given again: proxies, resolvers and the kernel's connection
    table may still know its last owner. The network's first address, the one after (the machine's own) and its last are
    never given. Raises AddressesExhausted when all are taken.
    """
    first, count = int(network.network_address) + 2, network.num_addresses - 3
    start = int(last) - first + 1
    for step in range(count):
        candidate = IPv4Address(first + (start + step) % count)
        if candidate not in taken:
            return candidate
    raise AddressesExhausted(f"all {count} addresses of {network} are in use: delete some Pods")
