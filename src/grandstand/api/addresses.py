"""Give every Service a ClusterIP of its own. Pure: what is taken is an argument."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from grandstand.errors import Cause
from grandstand.kinds import Object

HEADLESS = "None"


def taken_by(services: Iterable[Object]) -> set[str]:
    """The ClusterIPs that Services have."""
    addresses = {service.get("spec", {}).get("clusterIP", "") for service in services}
    return addresses - {"", HEADLESS}


def needs_address(service: Object) -> bool:
    return str(service["spec"].get("type", "ClusterIP")) != "ExternalName"


def wanted_address(service: Object) -> str:
    """The ClusterIP that a Service asks for: "" for any, "None" for none."""
    spec = service["spec"]
    return str(spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), ""))


def with_address(service: Object, address: str) -> Object:
    """A copy of a Service that has this ClusterIP."""
    return {**service, "spec": {**service["spec"], "clusterIP": address, "clusterIPs": [address]}}


def carried_over(new: Object, old: Object) -> Object:
    """A copy of an updated Service that keeps its ClusterIP where the update leaves it out, as Kubernetes does."""
    address = wanted_address(old)
    if not needs_address(new) or not address or wanted_address(new):
        return new
    return with_address(new, address)


def free_address(network: IPv4Network, taken: Collection[str], seed: str) -> str | None:
    """An address that is not taken, or None where all are; the search starts where the seed (a uid) says.

    So an address is not given to the next Service right after its last owner is gone: clients may still remember it.
    """
    # The first is the network, the second the API's, the last the broadcast address.
    usable = network.num_addresses - 3
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % usable
    first = int(network.network_address) + 2
    for step in range(usable):
        address = str(IPv4Address(first + (start + step) % usable))
        if address not in taken:
            return address
    return None


def refusal(address: str, network: IPv4Network, taken: Collection[str]) -> Cause | None:
    """Why a Service cannot have the ClusterIP that it asks for, or None when it can."""
    try:
        in_range = IPv4Address(address) in network
    except AddressValueError:
        return Cause(
            "FieldValueInvalid", f'Invalid value: ["{address}"]: must be a valid IPv4 address', "spec.clusterIPs"
        )
    if not in_range:
        why = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}"
    elif address in taken:
        why = "provided IP is already allocated"
    else:
        return None
    message = f'Invalid value: ["{address}"]: failed to allocate IP {address}: {why}'
    return Cause("FieldValueInvalid", message, "spec.clusterIPs")
