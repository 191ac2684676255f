"""Check the security contexts of Pods and containers."""

from __future__ import annotations

import posixpath
import re

from grandstand.api.rules.fields import (
    Causes,
    check_choice,
    check_optional_choice,
    duplicate,
    forbidden,
    indexed,
    invalid,
    items,
    part,
    required,
)
from grandstand.kinds import Object

_ID_MAX = 2**31 - 1
_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
# Each belongs to a namespace of the Pod, so that setting it touches nobody else: Kubernetes' safe list.
SAFE_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
)
_SYSCTL_NAME = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")


def check_pod_security(spec: Object, path: str) -> Causes:
    context, path = part(spec, "securityContext"), f"{path}.securityContext"
    yield from _check_ids(context, path, "runAsUser", "runAsGroup", "fsGroup")
    for where, group in indexed(context, "supplementalGroups", path):
        yield from _check_id(group, where)
    yield from check_optional_choice(context, "fsGroupChangePolicy", path, ("OnRootMismatch", "Always"))
    yield from _check_profiles(context, path)
    yield from _check_sysctls(spec, context, path)


def check_container_security(container: Object, path: str) -> Causes:
    context, path = part(container, "securityContext"), f"{path}.securityContext"
    yield from _check_ids(context, path, "runAsUser", "runAsGroup")
    yield from _check_profiles(context, path)
    if context.get("allowPrivilegeEscalation") is False:
        # The runtime would have to give the capability and forbid it at once.
        if context.get("privileged"):
            yield invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        added = items(part(context, "capabilities"), "add")
        if "SYS_ADMIN" in added or "CAP_SYS_ADMIN" in added:
            yield invalid(
                path,
                context,
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
            )


def _check_ids(context: Object, path: str, *keys: str) -> Causes:
    for key in keys:
        if context.get(key) is not None:
            yield from _check_id(context[key], f"{path}.{key}")


def _check_id(number: int, path: str) -> Causes:
    if not 0 <= number <= _ID_MAX:
        yield invalid(path, number, f"must be between 0 and {_ID_MAX}, inclusive")


def _check_profiles(context: Object, path: str) -> Causes:
    for key in ("seccompProfile", "appArmorProfile"):
        if (profile := context.get(key)) is None:
            continue
        where = f"{path}.{key}"
        yield from check_choice(profile, "type", where, _PROFILE_TYPES)
        if profile.get("localhostProfile") and profile.get("type") != "Localhost":
            yield invalid(
                f"{where}.localhostProfile",
                profile["localhostProfile"],
                "can only be set when `type` is Localhost",
            )


def _check_sysctls(spec: Object, context: Object, path: str) -> Causes:
    seen: set[str] = set()
    for where, sysctl in indexed(context, "sysctls", path):
        name = (sysctl.get("name") or "").replace("/", ".")
        if not name:
            yield required(f"{where}.name")
            continue
        if not _SYSCTL_NAME.fullmatch(name):
            yield invalid(f"{where}.name", sysctl["name"], "must have at most 253 characters and be a sysctl's name")
        elif name not in SAFE_SYSCTLS:
            yield forbidden(f"{where}.name", f"only these sysctls are supported: {', '.join(SAFE_SYSCTLS)}")
        elif name.startswith("net.") and spec.get("hostNetwork"):
            yield invalid(f"{where}.name", sysctl["name"], "may not be specified when 'hostNetwork' is true")
        elif name.startswith("kernel.") and spec.get("hostIPC"):
            yield invalid(f"{where}.name", sysctl["name"], "may not be specified when 'hostIPC' is true")
        if name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)


def check_working_directory(container: Object, path: str) -> Causes:
    """Below /proc, descriptors that the runtime leaks become directories of the host (CVE-2024-21626)."""
    directory = container.get("workingDir") or ""
    steps = posixpath.normpath(directory).lstrip("/").split("/") if directory else []
    if steps and steps[0] == "proc":
        yield forbidden(f"{path}.workingDir", "a working directory below /proc is not allowed: choose another")
