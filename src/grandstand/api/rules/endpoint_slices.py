"""What the API does with EndpointSlices."""

from __future__ import annotations

from grandstand.kinds import Object

from . import names
from .fields import (
    Causes,
    check_choice,
    check_name,
    check_optional_choice,
    check_port_number,
    check_unchanged,
    duplicate,
    fill,
    forbidden,
    indexed,
    items,
    required,
    too_many,
)
from .kind_rules import KindRules

_ENDPOINTS_MAX, _ADDRESSES_MAX, _PORTS_MAX = 1000, 100, 20000
_UNUSED_TYPES = ("IPv6", "FQDN")


def _default(endpoint_slice: Object) -> None:
    endpoint_slice.setdefault("endpoints", [])
    for port in items(endpoint_slice, "ports"):
        port.setdefault("name", "")
        fill(port, protocol="TCP")


def _check(endpoint_slice: Object) -> Causes:
    kind = endpoint_slice.get("addressType") or ""
    if kind in _UNUSED_TYPES:
        yield forbidden(
            "addressType", f"endpoints of the type {kind} are not served: Services have IPv4 addresses only"
        )
    else:
        yield from check_choice(endpoint_slice, "addressType", "", ("IPv4", *_UNUSED_TYPES))
    if len(items(endpoint_slice, "endpoints")) > _ENDPOINTS_MAX:
        yield too_many("endpoints", len(endpoint_slice["endpoints"]), _ENDPOINTS_MAX)
    for index, endpoint in enumerate(items(endpoint_slice, "endpoints")):
        yield from _check_endpoint(endpoint, f"endpoints[{index}]")
    yield from _check_ports(endpoint_slice)


def _check_endpoint(endpoint: Object, path: str) -> Causes:
    addresses = items(endpoint, "addresses")
    if not addresses:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    elif len(addresses) > _ADDRESSES_MAX:
        yield too_many(f"{path}.addresses", len(addresses), _ADDRESSES_MAX)
    for where, address in indexed(endpoint, "addresses", path):
        yield from check_name(where, address, names.ipv4(address))
    for key, rule in (("nodeName", names.dns_subdomain), ("hostname", names.dns_label)):
        if text := endpoint.get(key):
            yield from check_name(f"{path}.{key}", text, rule(text))


def _check_ports(endpoint_slice: Object) -> Causes:
    ports = items(endpoint_slice, "ports")
    if len(ports) > _PORTS_MAX:
        yield too_many("ports", len(ports), _PORTS_MAX)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"ports[{index}]", port.get("name") or ""
        if name:
            yield from check_name(f"{where}.name", name, names.dns_label(name))
        if name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)
        yield from check_optional_choice(port, "protocol", where, ("SCTP", "TCP", "UDP"))
        if port.get("port") is not None:
            yield from check_port_number(f"{where}.port", port["port"])
        if application := port.get("appProtocol"):
            yield from check_name(f"{where}.appProtocol", application, names.qualified_name(application))


def _check_update(new: Object, old: Object) -> Causes:
    return check_unchanged(new, old, "", "addressType")


RULES = KindRules(
    default=_default,
    check=_check,
    check_update=_check_update,
    has_generation=True,
    described_by=("endpoints", "ports"),
)
