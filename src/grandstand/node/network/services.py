"""Say which endpoints each port of each Service leads to, and the rules for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from grandstand.kinds import Endpoint, EndpointSlice, Key, Service, ServicePort

from .rules import NODE_PORTS_MAP, SERVICES_MAP
from .ruleset import Chain, Ruleset, SetDeclaration, union

CHAIN_PREFIX, ENDPOINT_PREFIX, AFFINITY_PREFIX = "service-", "endpoint-", "affinity-"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """An endpoint's address and port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Portal:
    """One port of a Service: connections to it go to one of `targets`, chosen at random.

    With `affinity_seconds`, a client that was here within that time comes back to the same target.
    """

    address: str
    protocol: str
    port: int
    targets: tuple[Target, ...]
    affinity_seconds: int | None = None
    node_port: int | None = None

    @property
    def name(self) -> str:
        return f"{self.address}-{self.protocol}-{self.port}"


def rules_for(services: Iterable[Service], slices: Iterable[EndpointSlice]) -> Ruleset:
    """The rules of all Services; a port without endpoints has none, so that connections to it are refused."""
    return union(rules_of(portal) for portal in portals(services, slices) if portal.targets)


def portals(services: Iterable[Service], slices: Iterable[EndpointSlice]) -> list[Portal]:
    """Every port of every Service that has an address."""
    by_service: dict[Key, list[EndpointSlice]] = {}
    for piece in slices:
        if piece.address_type == "IPv4" and piece.service_name:
            by_service.setdefault(Key(piece.metadata.namespace, piece.service_name), []).append(piece)
    return [portal for service in services for portal in _portals_of(service, by_service.get(service.metadata.key, []))]


def _portals_of(service: Service, slices: Sequence[EndpointSlice]) -> Iterator[Portal]:
    spec = service.spec
    if spec.type == "ExternalName" or spec.headless or not spec.cluster_ip:
        return
    for port in spec.ports:
        yield Portal(
            address=spec.cluster_ip,
            protocol=port.protocol.lower(),
            port=port.port,
            targets=targets_of(port, slices),
            affinity_seconds=spec.affinity_seconds,
            node_port=port.node_port if spec.type in ("NodePort", "LoadBalancer") else None,
        )


def targets_of(port: ServicePort, slices: Iterable[EndpointSlice]) -> tuple[Target, ...]:
    """The ready endpoints of a Service's port; when there are none, those that still serve while they end."""
    found = [
        (endpoint, Target(endpoint.addresses[0], slice_port.port))
        for piece in slices
        for slice_port in piece.ports or ()
        if slice_port.name == port.name and slice_port.protocol == port.protocol and slice_port.port is not None
        for endpoint in piece.endpoints or ()
    ]
    ready = {target for endpoint, target in found if is_ready(endpoint)}
    return tuple(sorted(ready or {target for endpoint, target in found if _still_serves(endpoint)}))


def is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions.ready is not False


def _still_serves(endpoint: Endpoint) -> bool:
    return endpoint.conditions.serving is not False and endpoint.conditions.terminating is True


def rules_of(portal: Portal) -> Ruleset:
    """The chain of one portal, and the elements that lead to it."""
    chain = f"{CHAIN_PREFIX}{portal.name}"
    elements = {(SERVICES_MAP, f"{portal.address} . {portal.protocol} . {portal.port}"): f"goto {chain}"}
    if portal.node_port is not None:
        elements[NODE_PORTS_MAP, f"{portal.protocol} . {portal.node_port}"] = f"goto {chain}"
    if portal.affinity_seconds is not None:
        sticky = _sticky_rules(chain, portal, portal.affinity_seconds)
        return Ruleset(sticky.sets, sticky.chains, elements)
    return Ruleset(chains={chain: Chain((_spread(portal),))}, elements=elements)


def _spread(portal: Portal) -> str:
    match = f"meta l4proto {portal.protocol} dnat"
    if len(portal.targets) == 1:
        return f"{match} to {portal.targets[0].address}:{portal.targets[0].port}"
    choices = ", ".join(f"{number} : {t.address} . {t.port}" for number, t in enumerate(portal.targets))
    return f"{match} ip addr . port to numgen random mod {len(portal.targets)} map {{ {choices} }}"


def _sticky_rules(chain: str, portal: Portal, seconds: int) -> Ruleset:
    """A set of the recent clients, and a chain, per target; the portal's chain looks into the sets first."""
    names = {target: f"{portal.name}-{target.address}-{target.port}" for target in portal.targets}
    # The time is part of the name: a set's time-out cannot be changed, and another set starts empty.
    sets = {target: f"{AFFINITY_PREFIX}{name}-{seconds}" for target, name in names.items()}
    known = [f"ip saddr @{sets[target]} goto {ENDPOINT_PREFIX}{name}" for target, name in names.items()]
    choices = ", ".join(f"{number} : goto {ENDPOINT_PREFIX}{name}" for number, name in enumerate(names.values()))
    chains = {chain: Chain((*known, f"numgen random mod {len(names)} vmap {{ {choices} }}"))}
    for target, name in names.items():
        remember = f"update @{sets[target]} {{ ip saddr }}"
        to = f"dnat to {target.address}:{target.port}"
        chains[f"{ENDPOINT_PREFIX}{name}"] = Chain((f"meta l4proto {portal.protocol} {remember} {to}",))
    body = f"type ipv4_addr; flags dynamic, timeout; timeout {seconds}s;"
    return Ruleset(sets={name: SetDeclaration("set", body) for name in sets.values()}, chains=chains)
