"""Check a Pod's spec, also that of a template."""

from __future__ import annotations

from grandstand.api.rules import names
from grandstand.api.rules.fields import (
    Causes,
    check_choice,
    check_name,
    forbidden,
    indexed,
    invalid,
    items,
    part,
    required,
    too_many,
)
from grandstand.kinds import Object

from .containers import check_containers
from .defaults import PRIORITY_CLASSES
from .refused import REFUSED_IN_POD, check_refused
from .scheduling import check_scheduling
from .security import check_pod_security
from .volumes import check_volumes

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_NAMESERVERS_MAX, _SEARCHES_MAX = 3, 32


def check_pod_spec(spec: Object, path: str) -> Causes:
    yield from check_volumes(spec, path)
    yield from check_containers(spec, path)
    yield from check_choice(spec, "restartPolicy", path, RESTART_POLICIES)
    yield from _check_times(spec, path)
    yield from _check_dns(spec, path)
    yield from check_pod_security(spec, path)
    yield from check_scheduling(spec, path)
    yield from _check_names(spec, path)
    yield from _check_priority(spec, path)
    for where, gate in indexed(spec, "readinessGates", path):
        kind = gate.get("conditionType") or ""
        yield from check_name(f"{where}.conditionType", kind, names.qualified_name(kind))
    yield from check_refused(spec, path, REFUSED_IN_POD)


def _check_times(spec: Object, path: str) -> Causes:
    grace, deadline = spec.get("terminationGracePeriodSeconds"), spec.get("activeDeadlineSeconds")
    if grace is not None and grace < 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        yield invalid(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")


def _check_names(spec: Object, path: str) -> Causes:
    for key, rule in (
        ("serviceAccountName", names.dns_subdomain),
        ("nodeName", names.dns_subdomain),
        ("hostname", names.dns_label),
        ("subdomain", names.dns_label),
        ("priorityClassName", names.dns_subdomain),
    ):
        if text := spec.get(key):
            yield from check_name(f"{path}.{key}", text, rule(text))
    for where, secret in indexed(spec, "imagePullSecrets", path):
        if not secret.get("name"):
            yield required(f"{where}.name")
    for where, alias in indexed(spec, "hostAliases", path):
        yield from check_name(f"{where}.ip", alias.get("ip") or "", names.ip(alias.get("ip") or ""))
        for name_path, hostname in indexed(alias, "hostnames", where):
            yield from check_name(name_path, hostname, names.dns_subdomain(hostname))


def _check_dns(spec: Object, path: str) -> Causes:
    yield from check_choice(spec, "dnsPolicy", path, _DNS_POLICIES)
    config, where = part(spec, "dnsConfig"), f"{path}.dnsConfig"
    servers = items(config, "nameservers")
    if spec.get("dnsPolicy") == "None" and not servers:
        yield required(f"{where}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
    if len(servers) > _NAMESERVERS_MAX:
        yield invalid(f"{where}.nameservers", servers, f"must not have more than {_NAMESERVERS_MAX} nameservers")
    for server_path, server in indexed(config, "nameservers", where):
        yield from check_name(server_path, server, names.ip(server))
    if len(items(config, "searches")) > _SEARCHES_MAX:
        yield too_many(f"{where}.searches", len(config["searches"]), _SEARCHES_MAX)
    for search_path, search in indexed(config, "searches", where):
        # "." alone and a final dot are fine in resolv.conf, and so is "_" in front of a service.
        domain = search.removesuffix(".").replace("_", "a")
        if search != ".":
            yield from check_name(search_path, search, names.dns_subdomain(domain))
    for option_path, option in indexed(config, "options", where):
        if not option.get("name"):
            yield required(f"{option_path}.name", "must not be empty")


def _check_priority(spec: Object, path: str) -> Causes:
    name = spec.get("priorityClassName") or ""
    if name and name not in PRIORITY_CLASSES:
        known = " and ".join(PRIORITY_CLASSES)
        yield forbidden(
            f"{path}.priorityClassName",
            f"no PriorityClass with name {name} was found: the only ones are {known}; leave it out",
        )
    if (policy := spec.get("preemptionPolicy")) and policy not in ("Never", "PreemptLowerPriority"):
        yield from check_choice(spec, "preemptionPolicy", path, ("Never", "PreemptLowerPriority"))
