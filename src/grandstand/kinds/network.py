"""Typed views of Services, EndpointSlices and Ingresses."""

from __future__ import annotations

import msgspec

from .meta import Meta, View


class ServicePort(View, frozen=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None
    target_port: int | str | None = None
    node_port: int | None = None


class ClientIPConfig(View, frozen=True):
    timeout_seconds: int = 10800


class SessionAffinityConfig(View, frozen=True):
    client_ip: ClientIPConfig = msgspec.field(name="clientIP", default=ClientIPConfig())


class ServiceSpec(View, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    selector: dict[str, str] | None = None
    ports: list[ServicePort] = []
    session_affinity: str = "None"
    session_affinity_config: SessionAffinityConfig = SessionAffinityConfig()
    publish_not_ready_addresses: bool = False
    external_name: str = ""

    @property
    def headless(self) -> bool:
        return self.cluster_ip == "None"

    @property
    def affinity_seconds(self) -> int | None:
        """How long a client comes back to the same endpoint; None without session affinity."""
        return self.session_affinity_config.client_ip.timeout_seconds if self.session_affinity == "ClientIP" else None


class Service(View, frozen=True):
    metadata: Meta
    spec: ServiceSpec = ServiceSpec()


class EndpointConditions(View, frozen=True):
    """`ready` and `serving` count as true when absent, `terminating` as false, as in Kubernetes."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class TargetRef(View, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class Endpoint(View, frozen=True):
    addresses: list[str]
    conditions: EndpointConditions = EndpointConditions()
    hostname: str | None = None
    node_name: str | None = None
    target_ref: TargetRef | None = None


class EndpointPort(View, frozen=True):
    port: int | None = None
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None


class EndpointSlice(View, frozen=True):
    metadata: Meta
    address_type: str = "IPv4"
    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None

    @property
    def service_name(self) -> str:
        """The Service that the slice belongs to, "" when none."""
        return self.metadata.labels.get("kubernetes.io/service-name", "")


class ServiceBackendPort(View, frozen=True):
    name: str = ""
    number: int | None = None


class IngressServiceBackend(View, frozen=True):
    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class IngressBackend(View, frozen=True):
    service: IngressServiceBackend | None = None


class IngressPath(View, frozen=True):
    backend: IngressBackend
    path: str = "/"
    path_type: str = "ImplementationSpecific"


class IngressHTTP(View, frozen=True):
    paths: list[IngressPath] = []


class IngressRule(View, frozen=True):
    host: str = ""
    http: IngressHTTP | None = None


class IngressTLS(View, frozen=True):
    hosts: list[str] = []
    secret_name: str = ""


class IngressSpec(View, frozen=True):
    default_backend: IngressBackend | None = None
    ingress_class_name: str | None = None
    rules: list[IngressRule] = []
    tls: list[IngressTLS] = []


class Ingress(View, frozen=True):
    metadata: Meta
    spec: IngressSpec = IngressSpec()
