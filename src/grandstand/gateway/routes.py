"""Say which Service answers which host and path: Services and Ingresses in, routes and backends out. Pure.

Every Service with an HTTP port answers `<service>.<namespace>.localhost`. Its HTTP port is the first TCP port that says
so with `appProtocol` (`http`, `kubernetes.io/ws`, `kubernetes.io/h2c`), else the first that is named `http…` (but not
`https…`), else the first TCP port that says neither another `appProtocol` nor a name of TLS (`https…`).

Ingress rules: an exact host goes before a wildcard (`*` stands for one label), that before a rule without a host.
Within a host, an exact path goes before the longest prefix; prefixes match by whole elements. A host whose rules do not
fit the path does not hide a less exact host. Where two Ingresses claim the same, the older one has it, and an Ingress
goes before a Service's own host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from grandstand.kinds import Ingress, Key, Service, ServicePort
from grandstand.kinds.network import IngressBackend

INGRESS_CLASS = "grandstand"
INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
ANY_HOST = "*"
LOCAL_DOMAIN = "localhost"

UNAVAILABLE = "unavailable"
"""The backend of a route whose Service, or Service port, does not exist."""


class Protocol(StrEnum):
    """What a Pod speaks on the port behind a backend."""

    HTTP = "http"
    H2C = "HTTP/2 without TLS"
    TLS = "HTTP over TLS"


PROTOCOLS = {
    "http": Protocol.HTTP,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/h2c": Protocol.H2C,
    "https": Protocol.TLS,
    "kubernetes.io/wss": Protocol.TLS,
}


class Route(NamedTuple):
    """What of a request decides: the host (`shop.example`, `*.example` or `*`) and the path, exact or as a prefix."""

    host: str
    path: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Backend:
    """One port of a Service; `sticky` sends a client to the same Pod again (session affinity)."""

    name: str
    service: Key
    port_name: str
    protocol: Protocol
    sticky: bool


@dataclass(frozen=True, slots=True)
class Routes:
    """The name of a backend for each route, and the backends by their names."""

    targets: Mapping[Route, str]
    backends: Mapping[str, Backend]


def routes_for(services: Mapping[Key, Service], ingresses: Iterable[Ingress]) -> Routes:
    """Every route there is, and the backends that they lead to."""
    targets: dict[Route, str] = {}
    backends: dict[str, Backend] = {}

    def lead(route: Route, backend: Backend | None) -> None:
        name = UNAVAILABLE if backend is None else backend.name
        if targets.setdefault(route, name) == name and backend is not None:
            backends[name] = backend

    ours = sorted((ingress for ingress in ingresses if is_ours(ingress)), key=_age)
    for ingress in ours:
        for route, wanted in _rules(ingress):
            lead(route, _named(services, ingress.metadata.namespace, wanted))
    for ingress in ours:
        if ingress.spec.default_backend is not None:
            default = _named(services, ingress.metadata.namespace, ingress.spec.default_backend)
            lead(Route(ANY_HOST, "/", False), default)
    for key in sorted(services):
        port = http_port(services[key])
        if port is not None:
            lead(Route(f"{key.name}.{key.namespace}.{LOCAL_DOMAIN}", "/", False), _backend(services[key], port))
    return Routes(targets, backends)


def is_ours(ingress: Ingress) -> bool:
    """Whether an Ingress is for this gateway: of the class `grandstand`, or of none."""
    wanted = ingress.spec.ingress_class_name or ingress.metadata.annotations.get(INGRESS_CLASS_ANNOTATION)
    return wanted in (None, "", INGRESS_CLASS) and ingress.metadata.deletion_timestamp is None


def http_port(service: Service) -> ServicePort | None:
    """The port that `<service>.<namespace>.localhost` leads to, by the rule at the top of this module."""
    if service.spec.type == "ExternalName" or service.metadata.deletion_timestamp is not None:
        return None
    ports = [port for port in service.spec.ports if port.protocol == "TCP" and not _is_tls(port)]
    said = [port for port in ports if port.app_protocol is not None and port.app_protocol.lower() in PROTOCOLS]
    silent = [port for port in ports if port.app_protocol is None]
    named = [port for port in silent if port.name.startswith("http")]
    return next(iter((*said, *named, *silent)), None)


def _is_tls(port: ServicePort) -> bool:
    if port.app_protocol is not None:
        return PROTOCOLS.get(port.app_protocol.lower()) is Protocol.TLS
    return port.name.startswith("https")


def _age(ingress: Ingress) -> tuple[str, Key]:
    return ingress.metadata.creation_timestamp or "", ingress.metadata.key


def _rules(ingress: Ingress) -> Iterator[tuple[Route, IngressBackend]]:
    for rule in ingress.spec.rules:
        host = rule.host.lower() or ANY_HOST
        if rule.http is None:  # a host alone: everything on it goes to the default backend
            if ingress.spec.default_backend is not None:
                yield Route(host, "/", False), ingress.spec.default_backend
            continue
        for path in rule.http.paths:
            exact = path.path_type == "Exact"
            yield Route(host, path.path if exact else "/" + path.path.strip("/"), exact), path.backend


def _named(services: Mapping[Key, Service], namespace: str, wanted: IngressBackend) -> Backend | None:
    """The backend that an Ingress names, or None where there is no such Service or port."""
    if wanted.service is None:
        return None
    service = services.get(Key(namespace, wanted.service.name))
    if service is None or service.spec.type == "ExternalName":
        return None
    number, name = wanted.service.port.number, wanted.service.port.name
    found = (port for port in service.spec.ports if (port.name == name if name else port.port == number))
    port = next((port for port in found if port.protocol == "TCP"), None)
    return None if port is None else _backend(service, port)


def _backend(service: Service, port: ServicePort) -> Backend:
    key = service.metadata.key
    protocol = PROTOCOLS.get((port.app_protocol or "").lower(), Protocol.HTTP)
    sticky = service.spec.session_affinity == "ClientIP"
    return Backend(f"{key.namespace}.{key.name}.{port.port}", key, port.name, protocol, sticky)
