"""What a container may do: user, capabilities, privileges, from Pod, container and image. Pure.

The default is tighter than Kubernetes': no privilege escalation unless it is asked for, the RuntimeDefault seccomp
profile, and no capability at all for a program that does not run as root.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from grandstand.kinds import Container, Pod
from grandstand.kinds.pods import Capabilities

from .runtime import ALL_CAPABILITIES, Security, capability_set

T = TypeVar("T")

ROOT_CAPABILITIES = frozenset(
    {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_NET_BIND_SERVICE",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
    }
)
"""What images that start as root need to give root up (nginx, Postgres): the default set of CRI-O and SETFCAP."""

SAFE_SYSCTLS = frozenset(
    {
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
    }
)
"""The kernel settings of a Pod's own namespaces that Kubernetes calls safe."""


class Disallowed(ValueError):
    """A container asks for something that it may not have here; the message says what and what to do."""


def user_text(pod: Pod, container: Container, image_user: str) -> str:
    """Who the program runs as, as `user[:group]` for `runtime.resolve_user`; numbers win over the image's name."""
    uid = first(container.security_context.run_as_user, pod.spec.security_context.run_as_user)
    gid = first(container.security_context.run_as_group, pod.spec.security_context.run_as_group)
    image_uid, _, image_gid = image_user.partition(":")
    user = str(uid) if uid is not None else image_uid or "0"
    # With a uid from the Pod, the image's group was meant for another user.
    group = str(gid) if gid is not None else ("" if uid is not None else image_gid)
    return f"{user}:{group}" if group else user


def check_not_root(pod: Pod, container: Container, image_user: str) -> None:
    """Raise Disallowed where `runAsNonRoot` asks for another user than root, and root or an unknown one would run."""
    own, shared = container.security_context, pod.spec.security_context
    if not first(own.run_as_non_root, shared.run_as_non_root):
        return
    where = f'(pod: "{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})", container: {container.name})'
    uid = first(own.run_as_user, shared.run_as_user)
    if uid == 0:
        raise Disallowed(f"container's runAsUser breaks non-root policy {where}")
    if uid is not None:
        return
    name = image_user.partition(":")[0]
    if name in ("", "0"):
        raise Disallowed(f"container has runAsNonRoot and image will run as root {where}: set runAsUser")
    if not name.isdigit():
        raise Disallowed(
            f"container has runAsNonRoot and image has non-numeric user ({name}), "
            f"cannot verify user is non-root {where}: set runAsUser"
        )


def capabilities(container: Container, *, runs_as_root: bool) -> tuple[str, ...]:
    """The final set. Raises Disallowed for a name that no kernel knows."""
    context = container.security_context
    if context.privileged:
        return ALL_CAPABILITIES
    wished = context.capabilities or Capabilities()
    try:
        return capability_set(ROOT_CAPABILITIES if runs_as_root else (), wished.add, wished.drop)
    except ValueError as error:
        raise Disallowed(f"securityContext.capabilities: {error}") from error


def security(pod: Pod, container: Container, *, runs_as_root: bool) -> Security:
    """What the runtime enforces for one container. Raises Disallowed for what cannot be enforced."""
    context = container.security_context
    granted = capabilities(container, runs_as_root=runs_as_root)
    return Security(
        capabilities=granted,
        no_new_privileges=not (context.privileged or context.allow_privilege_escalation is True),
        privileged=context.privileged,
        read_only_root=context.read_only_root_filesystem,
        seccomp=not context.privileged and _seccomp(pod, container),
        sysctls={},  # of the sandbox's namespaces, which set them
    )


def _seccomp(pod: Pod, container: Container) -> bool:
    profile = container.security_context.seccomp_profile or pod.spec.security_context.seccomp_profile
    if profile is None or profile.type == "RuntimeDefault":
        return True
    if profile.type == "Unconfined":
        return False
    raise Disallowed(f"seccompProfile.type {profile.type} is not supported: use RuntimeDefault or Unconfined")


def sysctls(pod: Pod) -> Mapping[str, str]:
    """The kernel settings of a Pod's namespaces. Raises Disallowed for one that would reach beyond them."""
    wished = {setting["name"]: setting["value"] for setting in pod.spec.security_context.sysctls}
    for name in wished:
        if name.replace("/", ".") not in SAFE_SYSCTLS:
            raise Disallowed(
                f"forbidden sysctl: {name!r} is not one of the safe ones: {', '.join(sorted(SAFE_SYSCTLS))}"
            )
        if pod.spec.host_network and name.startswith("net"):
            raise Disallowed(f"forbidden sysctl: {name!r} not allowed with host net enabled")
        if pod.spec.host_ipc and name.startswith("kernel"):
            raise Disallowed(f"forbidden sysctl: {name!r} not allowed with host ipc enabled")
    return wished


def first(*values: T | None) -> T | None:
    """The first value that was given."""
    return next((value for value in values if value is not None), None)
