"""Answer questions about the names of Services and Pods. Pure.

After the specification "Kubernetes DNS-Based Service Discovery", version 1.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address

from grandstand.kinds import Endpoint, EndpointSlice, Key, Service


class Type(StrEnum):
    """The record types that the zone has."""

    A = "A"
    SRV = "SRV"
    CNAME = "CNAME"
    PTR = "PTR"
    TXT = "TXT"
    SOA = "SOA"


@dataclass(frozen=True, slots=True)
class Srv:
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    type: Type
    data: str | Srv


@dataclass(frozen=True, slots=True)
class Answer:
    """`exists` False is NXDOMAIN. `elsewhere` is a name outside the zone that must be looked up to complete this."""

    exists: bool
    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class Zone:
    """What is known. Names come and go in lower case, without the dot at the end.

    `service_at` finds a Service by its ClusterIP, `hosts_at` the Services and host names of an endpoint's address,
    `pods_at` the namespaces of the Pods with an address.
    """

    domain: str
    services: Mapping[Key, Service] = field(default_factory=dict)
    slices: Mapping[Key, Sequence[EndpointSlice]] = field(default_factory=dict)
    service_at: Mapping[str, Key] = field(default_factory=dict)
    hosts_at: Mapping[str, Set[tuple[Key, str]]] = field(default_factory=dict)
    pods_at: Mapping[str, Set[str]] = field(default_factory=dict)
    namespaces: Mapping[str, int] = field(default_factory=dict)


NAME_ERROR = Answer(False)
NO_DATA = Answer(True)


def holds(zone: Zone, name: str) -> bool:
    """Whether a name is ours to answer: inside the zone, or the reverse name of an address that we gave away."""
    if name == zone.domain or name.endswith(f".{zone.domain}"):
        return True
    address = reversed_address(name)
    return address in zone.service_at or address in zone.hosts_at


def answer(zone: Zone, name: str, wanted: str) -> Answer:
    """The answer for a name that the zone holds; `wanted` is a record type ("A", "AAAA", "ANY", …)."""
    found = _find(zone, name)
    if not found.exists:
        return found
    aliases = [record for record in found.records if record.type == Type.CNAME]
    if aliases and wanted != Type.CNAME:
        return _followed(zone, aliases[0], wanted)
    records = tuple(record for record in found.records if wanted in (record.type, "ANY"))
    targets = {record.data.target for record in records if isinstance(record.data, Srv)}
    additional = (
        record
        for target in sorted(targets)
        for record in _find(zone, target).records
        if record.type == Type.A and record.name == target
    )
    return Answer(True, records, tuple(additional))


def _followed(zone: Zone, alias: Record, wanted: str) -> Answer:
    """An ExternalName: its alias and what that stands for, one step inside the zone, else for others to look up."""
    target = str(alias.data)
    if not holds(zone, target):
        return Answer(True, (alias,), elsewhere=target)
    found = tuple(record for record in _find(zone, target).records if record.type == wanted)
    return Answer(True, (alias, *found))


def _find(zone: Zone, name: str) -> Answer:
    """Every record of a name."""
    if not name.endswith(zone.domain):
        return _pointers(zone, name)
    labels = name[: -len(zone.domain)].strip(".").split(".") if name != zone.domain else []
    match labels:
        case [] | ["svc"] | ["pod"]:
            return NO_DATA
        case ["dns-version"]:
            return Answer(True, (Record(name, Type.TXT, "1.1.0"),))
        case [namespace, "svc" | "pod"]:
            return NO_DATA if namespace in zone.namespaces else NAME_ERROR
        case [dashed, namespace, "pod"]:
            return _pod(zone, name, dashed, namespace)
        case [*below, service_name, namespace, "svc"]:
            service = zone.services.get(Key(namespace, service_name))
            return _service(zone, name, service, below) if service else NAME_ERROR
        case _:
            return NAME_ERROR


def _pod(zone: Zone, name: str, dashed: str, namespace: str) -> Answer:
    address = dashed.replace("-", ".")
    if namespace not in zone.pods_at.get(address, ()):
        return NAME_ERROR
    return Answer(True, (Record(name, Type.A, address),))


def _service(zone: Zone, name: str, service: Service, below: list[str]) -> Answer:
    """`below` are the labels in front of the Service's name."""
    if service.spec.type == "ExternalName":
        alias = Record(name, Type.CNAME, service.spec.external_name.lower().rstrip("."))
        return NAME_ERROR if below else Answer(True, (alias,))
    base = ".".join(name.split(".")[len(below) :])
    hosts = sorted(_hosts(zone, service, base)) if service.spec.headless else []
    match below:
        case []:
            addresses = sorted(address for _, address in hosts) or [service.spec.cluster_ip]
            found = [Record(name, Type.A, address) for address in addresses if address not in ("", "None")]
            return Answer(True, (*dict.fromkeys(found), *_srv(zone, service, name, base, None)))
        case [port, protocol] if port.startswith("_") and protocol.startswith("_"):
            records = tuple(_srv(zone, service, name, base, (port[1:], protocol[1:])))
            return Answer(True, records) if records else NAME_ERROR
        case [host]:
            own = tuple(Record(name, Type.A, address) for host_name, address in hosts if host_name == f"{host}.{base}")
            return Answer(True, own) if own else NAME_ERROR
        case _:
            return NAME_ERROR


def _hosts(zone: Zone, service: Service, base: str) -> set[tuple[str, str]]:
    """The name and address of each ready endpoint of a headless Service."""
    slices = zone.slices.get(service.metadata.key, ())
    return {(f"{host_of(endpoint)}.{base}", endpoint.addresses[0]) for endpoint in ready_endpoints(slices)}


def _srv(zone: Zone, service: Service, name: str, base: str, wanted: tuple[str, str] | None) -> Iterator[Record]:
    """One record per named port, and with a headless Service per endpoint; `wanted` is a port's name and protocol."""

    def fits(port_name: str, protocol: str) -> bool:
        return bool(port_name) and wanted in (None, (port_name, protocol.lower()))

    if not service.spec.headless:
        for port in service.spec.ports:
            if fits(port.name, port.protocol):
                yield Record(name, Type.SRV, Srv(port.port, base))
        return
    for piece in zone.slices.get(service.metadata.key, ()):
        for slice_port in piece.ports or ():
            if slice_port.port is not None and fits(slice_port.name, slice_port.protocol):
                for endpoint in ready_endpoints((piece,)):
                    yield Record(name, Type.SRV, Srv(slice_port.port, f"{host_of(endpoint)}.{base}"))


def _pointers(zone: Zone, name: str) -> Answer:
    address = reversed_address(name)
    service = zone.service_at.get(address or "")
    names = [f"{service.name}.{service.namespace}"] if service else []
    names += sorted(f"{host}.{key.name}.{key.namespace}" for key, host in zone.hosts_at.get(address or "", ()))
    if not names:
        return NAME_ERROR
    return Answer(True, tuple(Record(name, Type.PTR, f"{found}.svc.{zone.domain}") for found in names))


def ready_endpoints(slices: Iterable[EndpointSlice]) -> list[Endpoint]:
    """The endpoints that names may lead to; slices say "ready" of all when the Service publishes unready ones."""
    return [
        endpoint
        for piece in slices
        if piece.address_type == "IPv4"
        for endpoint in piece.endpoints or ()
        if endpoint.conditions.ready is not False
    ]


def host_of(endpoint: Endpoint) -> str:
    """The endpoint's host name, else its address with dashes."""
    return endpoint.hostname or endpoint.addresses[0].replace(".", "-")


def reversed_address(name: str) -> str | None:
    """The address whose reverse name (`4.3.2.1.in-addr.arpa`) this is."""
    if not name.endswith(".in-addr.arpa"):
        return None
    text = ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        return None
