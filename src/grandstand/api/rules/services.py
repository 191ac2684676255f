"""What the API does with Services."""

from __future__ import annotations

from collections.abc import Iterator

from grandstand.kinds import Object

from . import names
from .fields import (
    Causes,
    check_choice,
    check_name,
    check_optional_choice,
    check_port_number,
    check_range,
    check_unchanged,
    duplicate,
    fill,
    forbidden,
    indexed,
    invalid,
    items,
    part,
    required,
)
from .kind_rules import KindRules
from .meta import check_labels

_EXTERNAL_HINT = (
    "is not supported: there is no {what} on one machine; use ClusterIP, and reach the Service from outside as "
    "http://<service>.<namespace>.localhost, or through an Ingress"
)
REFUSED_TYPES = {
    "NodePort": "NodePort " + _EXTERNAL_HINT.format(what="port range to hand out"),
    "LoadBalancer": "LoadBalancer " + _EXTERNAL_HINT.format(what="load balancer to order"),
}
_TYPES = ("ClusterIP", "ExternalName")
_LOAD_BALANCER_FIELDS = (
    "loadBalancerIP",
    "loadBalancerClass",
    "loadBalancerSourceRanges",
    "allocateLoadBalancerNodePorts",
)
_CLIENT_IP_SECONDS_MAX = 86400
_TRAFFIC_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")


def _default(service: Object) -> None:
    spec = service.setdefault("spec", {})
    fill(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        config.setdefault("timeoutSeconds", 10800)
    elif spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    for port in items(spec, "ports"):
        fill(port, protocol="TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    fill(spec, ipFamilies=["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]


def _check(service: Object) -> Causes:
    spec = part(service, "spec")
    yield from _check_type(spec)
    yield from _check_ports(spec)
    yield from check_labels(part(spec, "selector"), "spec.selector")
    yield from _check_affinity(spec)
    yield from _check_refused(spec)
    if spec.get("type") != "ExternalName":
        yield from _check_addresses(spec)
        yield from check_optional_choice(spec, "internalTrafficPolicy", "spec", ("Cluster", "Local"))
    yield from check_optional_choice(spec, "trafficDistribution", "spec", _TRAFFIC_DISTRIBUTIONS)


def _check_type(spec: Object) -> Causes:
    kind = spec.get("type") or ""
    if kind in REFUSED_TYPES:
        yield forbidden("spec.type", REFUSED_TYPES[kind])
    else:
        yield from check_choice(spec, "type", "spec", _TYPES)
    if kind == "ExternalName":
        target = (spec.get("externalName") or "").removesuffix(".")
        if not target:
            yield required("spec.externalName")
        else:
            yield from check_name("spec.externalName", target, names.dns_subdomain(target))
        for key in ("clusterIP", "clusterIPs"):
            if spec.get(key):
                yield forbidden(f"spec.{key}", "may not be set for ExternalName services")


def _check_ports(spec: Object) -> Causes:
    ports = items(spec, "ports")
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    taken_names: set[str] = set()
    taken: set[tuple[str, int]] = set()
    for where, port in indexed(spec, "ports", "spec"):
        name, number, protocol = port.get("name") or "", port.get("port", 0), port.get("protocol") or "TCP"
        if name:
            yield from check_name(f"{where}.name", name, names.dns_label(name))
            if name in taken_names:
                yield duplicate(f"{where}.name", name)
            taken_names.add(name)
        elif len(ports) > 1:
            yield required(f"{where}.name")
        yield from check_port_number(f"{where}.port", number)
        yield from _check_target(port, where)
        if (protocol, number) in taken:
            yield duplicate(where, {"port": number, "protocol": protocol})
        taken.add((protocol, number))


def _check_target(port: Object, path: str) -> Causes:
    target, protocol = port.get("targetPort", 0), port.get("protocol") or "TCP"
    if isinstance(target, str):
        yield from check_name(f"{path}.targetPort", target, names.port_name(target))
    else:
        yield from check_port_number(f"{path}.targetPort", target)
    if protocol == "SCTP":
        yield forbidden(f"{path}.protocol", "SCTP is not supported: use TCP or UDP")
    else:
        yield from check_optional_choice(port, "protocol", path, ("TCP", "UDP"))
    if port.get("nodePort"):
        yield forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'")
    if application := port.get("appProtocol"):
        yield from check_name(f"{path}.appProtocol", application, names.qualified_name(application))


def _check_affinity(spec: Object) -> Causes:
    yield from check_choice(spec, "sessionAffinity", "spec", ("ClientIP", "None"))
    if spec.get("sessionAffinity") == "ClientIP":
        seconds = part(part(spec, "sessionAffinityConfig"), "clientIP").get("timeoutSeconds")
        where = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        if seconds is None:
            yield required(where)
        else:
            yield from check_range(where, seconds, 1, _CLIENT_IP_SECONDS_MAX)


def _check_refused(spec: Object) -> Causes:
    if spec.get("externalIPs"):
        yield forbidden(
            "spec.externalIPs", "external addresses are not supported: use an Ingress, or hostPort in the Pod"
        )
    for key in _LOAD_BALANCER_FIELDS:
        if spec.get(key) is not None:
            yield forbidden(f"spec.{key}", "may only be used when `type` is 'LoadBalancer'")
    if spec.get("externalTrafficPolicy"):
        yield invalid(
            "spec.externalTrafficPolicy",
            spec["externalTrafficPolicy"],
            "may only be set for externally-accessible services",
        )
    if spec.get("healthCheckNodePort"):
        yield invalid(
            "spec.healthCheckNodePort",
            spec["healthCheckNodePort"],
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        )


def _check_addresses(spec: Object) -> Causes:
    for where, family in indexed(spec, "ipFamilies", "spec"):
        if family == "IPv6":
            yield invalid(where, family, "not configured on this cluster: Pods and Services have IPv4 addresses")
        elif family != "IPv4":
            yield from check_choice({"ipFamilies": family}, "ipFamilies", "spec", ("IPv4", "IPv6"))
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        yield invalid(
            "spec.ipFamilyPolicy", "RequireDualStack", "this cluster is not configured for dual-stack services"
        )
    else:
        yield from check_optional_choice(spec, "ipFamilyPolicy", "spec", ("PreferDualStack", "SingleStack"))
    address, addresses = spec.get("clusterIP") or "", items(spec, "clusterIPs")
    if len(addresses) > 1:
        yield invalid("spec.clusterIPs", addresses, "may only hold one address: Services have IPv4 addresses only")
    if addresses and addresses[0] != address:
        yield invalid("spec.clusterIPs[0]", addresses[0], "must match `clusterIP`")
    if address not in ("", "None"):
        yield from check_name("spec.clusterIP", address, names.ipv4(address))


def _check_update(new: Object, old: Object) -> Causes:
    spec, old_spec = part(new, "spec"), part(old, "spec")
    if _has_address(spec) and _has_address(old_spec) and old_spec.get("clusterIP"):
        yield from check_unchanged(spec, old_spec, "spec", "clusterIP")


def _has_address(spec: Object) -> bool:
    return spec.get("type") != "ExternalName"


_OF_AN_ADDRESS = ("clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy")


def _keep(new: Object, old: Object) -> None:
    """Clients that replace a Service need not know the address that was allocated to it, nor take back what only its
    former type had."""
    spec, old_spec = new["spec"], part(old, "spec")
    if _has_address(spec) and _has_address(old_spec):
        for key in ("clusterIP", "clusterIPs"):
            if not spec.get(key) and old_spec.get(key):
                spec[key] = old_spec[key]
    elif _has_address(old_spec):
        _drop_unchanged(spec, old_spec, _OF_AN_ADDRESS)
    elif _has_address(spec):
        _drop_unchanged(spec, old_spec, ("externalName",))


def _drop_unchanged(spec: Object, old_spec: Object, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in spec and spec[key] == old_spec.get(key):
            del spec[key]


def _warn(service: Object) -> Iterator[str]:
    spec = part(service, "spec")
    if spec.get("clusterIP") == "None" and spec.get("sessionAffinity") == "ClientIP":
        yield "spec.SessionAffinity is ignored for headless services"
    if spec.get("type") == "ExternalName" and spec.get("selector"):
        yield 'spec.selector is ignored when spec.type is "ExternalName"'


RULES = KindRules(
    default=_default,
    check=_check,
    check_update=_check_update,
    name=names.dns_1035_label,
    initial_status=lambda service: {"loadBalancer": {}},
    keep=_keep,
    selectable=frozenset(("spec.clusterIP", "spec.type")),
    warn=_warn,
)
