"""What the API does with Ingresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grandstand.kinds import Object

from . import names
from .fields import (
    Causes,
    check_choice,
    check_name,
    check_port_number,
    forbidden,
    indexed,
    invalid,
    items,
    part,
    required,
)
from .kind_rules import KindRules

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_PATH = re.compile(r"[A-Za-z0-9\-._~%!$&()*+,=:@/]*")
_AMBIGUOUS = ("//", "/./", "/../", "%2f", "%2F")
_AMBIGUOUS_ENDS = ("/..", "/.")
_OLD_CLASS = "kubernetes.io/ingress.class"
_OTHER_GATEWAYS = (
    "nginx.ingress.kubernetes.io/",
    "traefik.ingress.kubernetes.io/",
    "haproxy.org/",
    "alb.ingress.kubernetes.io/",
)


def _check(ingress: Object) -> Causes:
    spec = part(ingress, "spec")
    if not items(spec, "rules") and spec.get("defaultBackend") is None:
        yield invalid("spec", [], "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend") is not None:
        yield from _check_backend(spec["defaultBackend"], "spec.defaultBackend")
    for where, rule in indexed(spec, "rules", "spec"):
        yield from _check_rule(rule, where)
    for where, tls in indexed(spec, "tls", "spec"):
        for host_path, host in indexed(tls, "hosts", where):
            yield from check_name(host_path, host, _host_problems(host))
        if secret := tls.get("secretName"):
            yield from check_name(f"{where}.secretName", secret, names.dns_subdomain(secret))
    if name := spec.get("ingressClassName"):
        yield from check_name("spec.ingressClassName", name, names.dns_subdomain(name))
        if _OLD_CLASS in part(part(ingress, "metadata"), "annotations"):
            yield invalid(
                f"metadata.annotations[{_OLD_CLASS}]",
                ingress["metadata"]["annotations"][_OLD_CLASS],
                "can not be set when the class field is also set",
            )


def _check_rule(rule: Object, path: str) -> Causes:
    if host := rule.get("host"):
        if not names.ip(host):
            yield invalid(f"{path}.host", host, "must be a DNS name, not an IP address")
        else:
            yield from check_name(f"{path}.host", host, _host_problems(host))
    if (http := rule.get("http")) is None:
        return
    if not items(http, "paths"):
        yield required(f"{path}.http.paths")
    for where, entry in indexed(http, "paths", f"{path}.http"):
        yield from _check_path(entry, where)
        yield from _check_backend(part(entry, "backend"), f"{where}.backend")


def _host_problems(host: str) -> list[str]:
    return names.wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host)


def _check_path(entry: Object, path: str) -> Causes:
    kind, text = entry.get("pathType") or "", entry.get("path") or ""
    if not kind:
        yield required(f"{path}.pathType", "pathType must be specified")
        return
    yield from check_choice(entry, "pathType", path, _PATH_TYPES)
    if not _PATH.fullmatch(text):
        # Kubernetes lets these through to the gateway, which would read them as words of its own.
        yield invalid(f"{path}.path", text, "must consist of the characters of a URL's path: encode others as %20")
        return
    if kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            yield invalid(f"{path}.path", text, "must be an absolute path")
        return
    if not text.startswith("/"):
        yield invalid(f"{path}.path", text, "must be an absolute path")
    for step in _AMBIGUOUS:
        if step in text:
            yield invalid(f"{path}.path", text, f"must not contain '{step}'")
    for end in _AMBIGUOUS_ENDS:
        if text.endswith(end):
            yield invalid(f"{path}.path", text, f"cannot end with '{end}'")


def _check_backend(backend: Object, path: str) -> Causes:
    service = backend.get("service")
    if backend.get("resource") is not None:
        yield forbidden(f"{path}.resource", "the gateway routes to Services only: use service")
    elif service is None:
        yield required(path, "service must be set")
    else:
        yield from _check_service(service, path)


def _check_service(service: Object, path: str) -> Causes:
    """What is wrong with the port, Kubernetes says of the backend."""
    if not service.get("name"):
        yield required(f"{path}.service.name")
    else:
        yield from check_name(f"{path}.service.name", service["name"], names.dns_1035_label(service["name"]))
    port = part(service, "port")
    name, number = port.get("name") or "", port.get("number") or 0
    if name and number:
        yield invalid(path, "", "cannot set both port name & port number")
    elif name:
        yield from check_name(f"{path}.service.port.name", name, names.port_name(name))
    elif number:
        yield from check_port_number(f"{path}.service.port.number", number)
    else:
        yield required(path, "port name or number is required")


def _warn(ingress: Object) -> Iterator[str]:
    for key in part(part(ingress, "metadata"), "annotations"):
        if key == _OLD_CLASS:
            yield f"annotation \"{_OLD_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"
        elif key.startswith(_OTHER_GATEWAYS):
            yield f"metadata.annotations[{key}]: belongs to another ingress controller, and has no effect here"


RULES = KindRules(
    check=_check,
    initial_status=lambda ingress: {"loadBalancer": {}},
    has_generation=True,
    warn=_warn,
)
