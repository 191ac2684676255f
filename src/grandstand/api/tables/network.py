"""Show Services, EndpointSlices and Ingresses as kubectl does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grandstand.kinds import Object

from .layout import (
    AGE,
    NAME,
    NONE,
    SELECTOR,
    Column,
    Layout,
    age_of,
    items,
    labels_text,
    name_of,
    part,
    shortened,
)


def _service(service: Object, now: float) -> list[Any]:
    spec = part(service, "spec")
    external = spec.get("externalName") if spec.get("type") == "ExternalName" else ",".join(items(spec, "externalIPs"))
    return [
        name_of(service),
        spec.get("type") or "",
        spec.get("clusterIP") or NONE,
        external or NONE,
        ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in items(spec, "ports")) or NONE,
        age_of(service, now),
        labels_text(part(spec, "selector")),
    ]


def _endpoint_slice(endpoint_slice: Object, now: float) -> list[Any]:
    ports = (str(port.get("port") or port.get("name") or "*") for port in items(endpoint_slice, "ports"))
    addresses = (address for endpoint in items(endpoint_slice, "endpoints") for address in items(endpoint, "addresses"))
    return [
        name_of(endpoint_slice),
        endpoint_slice.get("addressType") or "",
        shortened(ports, 3, nothing="<unset>"),
        shortened(addresses, 3, nothing="<unset>"),
        age_of(endpoint_slice, now),
    ]


def _ingress(ingress: Object, now: float) -> list[Any]:
    spec = part(ingress, "spec")
    hosts = [rule["host"] for rule in items(spec, "rules") if rule.get("host")]
    return [
        name_of(ingress),
        spec.get("ingressClassName") or NONE,
        shortened(hosts, 3, nothing="*"),
        ",".join(sorted(set(_addresses(ingress)))),
        "80, 443" if items(spec, "tls") else "80",
        age_of(ingress, now),
    ]


def _addresses(ingress: Object) -> Iterator[str]:
    for point in items(part(part(ingress, "status"), "loadBalancer"), "ingress"):
        if address := point.get("ip") or point.get("hostname"):
            yield address


SERVICES = Layout(
    (
        NAME,
        Column("Type", "How the Service is reached."),
        Column("Cluster-IP", "The address of the Service inside the platform."),
        Column("External-IP", "Where the Service is reached from outside."),
        Column("Port(s)", "The ports of the Service."),
        AGE,
        SELECTOR,
    ),
    _service,
)
ENDPOINT_SLICES = Layout(
    (
        NAME,
        Column("AddressType", "The kind of addresses in the slice."),
        Column("Ports", "The ports that the endpoints listen on."),
        Column("Endpoints", "The addresses of the endpoints."),
        AGE,
    ),
    _endpoint_slice,
)
INGRESSES = Layout(
    (
        NAME,
        Column("Class", "The class of gateway that serves the Ingress."),
        Column("Hosts", "The hosts that the Ingress routes."),
        Column("Address", "Where the gateway is reached."),
        Column("Ports", "The ports that the gateway listens on."),
        AGE,
    ),
    _ingress,
)
