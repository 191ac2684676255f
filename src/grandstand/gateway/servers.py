"""Say which servers a backend has, and which of them may get new requests: EndpointSlices in, servers out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from grandstand.kinds import Endpoint, EndpointSlice

from .routes import Backend


class Duty(StrEnum):
    """What a server does; the value is HAProxy's word for it."""

    SERVING = "ready"
    FINISHING = "drain"
    """It gets no new requests, and ends those that it has."""
    RESTING = "maint"
    """It gets nothing, and idle connections to it are closed."""


@dataclass(frozen=True, slots=True)
class Server:
    """One address that answers for a backend, the Pod behind it, and what it shall do."""

    address: str
    port: int
    duty: Duty
    pod_uid: str = ""
    weight: int = 100
    pod_name: str = ""

    @property
    def name(self) -> str:
        """Its name in HAProxy. An address has one server, whoever has the address."""
        return f"{self.address}:{self.port}"


def servers_for(backend: Backend, slices: Iterable[EndpointSlice], ending: Mapping[str, Duty]) -> dict[str, Server]:
    """The servers of a backend by their names; `ending` says what the Pods (by uid) do that the node is ending.

    Where no endpoint is ready, those that still serve while they terminate are used.
    """
    found = [
        (endpoint, address, port)
        for endpoint, port in _endpoints(backend, slices)
        for address in endpoint.addresses[:1]  # Kubernetes: consumers use the first
    ]
    ready = any(_is_ready(endpoint) and _uid(endpoint) not in ending for endpoint, _, _ in found)
    servers: dict[str, Server] = {}
    for endpoint, address, port in found:
        serving = _is_ready(endpoint) if ready else _is_ready(endpoint) or _serves_last(endpoint)
        duty = ending.get(_uid(endpoint), Duty.SERVING if serving else Duty.FINISHING)
        server = Server(address, port, duty, _uid(endpoint), pod_name=_name(endpoint))
        known = servers.get(server.name)
        if known is None or known.duty is not Duty.SERVING:
            servers[server.name] = server
    return servers


def serving_names(servers: Mapping[str, Server]) -> frozenset[str]:
    """Which of the servers get new requests."""
    return frozenset(name for name, server in servers.items() if server.duty is Duty.SERVING)


def _endpoints(backend: Backend, slices: Iterable[EndpointSlice]) -> Iterator[tuple[Endpoint, int]]:
    for each in slices:
        if each.address_type not in ("IPv4", "IPv6"):
            continue  # FQDN: deprecated in Kubernetes, and served by none of its proxies
        for port in each.ports or ():
            if port.name == backend.port_name and port.protocol == "TCP" and port.port is not None:
                for endpoint in each.endpoints or ():
                    yield endpoint, port.port


def _is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions.ready is not False


def _serves_last(endpoint: Endpoint) -> bool:
    conditions = endpoint.conditions
    return bool(conditions.terminating) and conditions.serving is not False


def _name(endpoint: Endpoint) -> str:
    return endpoint.target_ref.name if endpoint.target_ref is not None else ""


def _uid(endpoint: Endpoint) -> str:
    return endpoint.target_ref.uid if endpoint.target_ref is not None else ""
