"""The kernel's capabilities by name, as Kubernetes writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# In the order of their numbers in linux/capability.h.
ALL_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
# What containers get on other engines when nothing is said; many images start as root and count on these.
USUAL_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
)
UNKNOWN_HINT = "write it as capabilities(7) does, e.g. NET_BIND_SERVICE"
_KNOWN = frozenset(ALL_CAPABILITIES)


def is_capability(name: str) -> bool:
    return name in _KNOWN


def canonical(name: str) -> str:
    """`net_admin` and `CAP_NET_ADMIN` are the same capability; `ALL` stays `ALL`."""
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"


def capability_set(usual: Iterable[str], add: Collection[str], drop: Collection[str]) -> tuple[str, ...]:
    """The final set for a securityContext: `drop: [ALL]` empties the usual set, then `add`, then every other `drop`.

    Raises ValueError for a name that is no capability.
    """
    added, dropped = ({canonical(name) for name in names} for names in (add, drop))
    if unknown := sorted((added | dropped) - _KNOWN - {"ALL"}):
        raise ValueError(f"{', '.join(unknown)}: no capability of that name; {UNKNOWN_HINT}")
    kept = set() if "ALL" in dropped else set(usual) - dropped
    kept |= set(ALL_CAPABILITIES) - dropped if "ALL" in added else added - dropped
    return tuple(name for name in ALL_CAPABILITIES if name in kept)
