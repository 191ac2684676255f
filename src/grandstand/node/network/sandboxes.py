"""What a sandbox is: asked for (`SandboxSpec`), made (`Sandbox`), and remembered on disk (`Record`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from types import MappingProxyType

import msgspec

from grandstand.engine import Engine
from grandstand.errors import SandboxRefused

_NO_SYSCTLS: Mapping[str, str] = MappingProxyType({})
_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SYSCTL = re.compile(r"[a-z0-9_]+(?:\.[A-Za-z0-9_-]+)+")
_NETWORK_SYSCTLS = ("net.",)
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the machine that leads to a container; `host_ip` "" or "0.0.0.0" means every address of the machine."""

    host_ip: str
    host_port: int
    container_port: int
    protocol: str = "TCP"

    def collides(self, other: HostPort) -> bool:
        """Whether both would claim the same port of the same address."""
        same_port = (self.protocol, self.host_port) == (other.protocol, other.host_port)
        every = ("", "0.0.0.0")
        return same_port and (self.host_ip == other.host_ip or self.host_ip in every or other.host_ip in every)


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    pod_uid: str
    hostname: str
    host_network: bool = False
    host_ipc: bool = False
    sysctls: Mapping[str, str] = field(default_factory=lambda: _NO_SYSCTLS)
    host_ports: tuple[HostPort, ...] = ()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Namespaces that containers can join: each is a file for `setns`, or None where it is the machine's own.

    With host network, `address` is the machine's address on the Pod network.
    """

    pod_uid: str
    network: Path | None
    ipc: Path | None
    uts: Path | None
    address: str
    hostname: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of a sandbox before it is made, so that a later process can adopt or remove it."""

    pod_uid: str
    hostname: str
    address: str | None
    """The Pod's own address; None with host network."""
    host_ipc: bool = False
    host_ports: tuple[HostPort, ...] = ()

    @property
    def pinned(self) -> tuple[str, ...]:
        """The namespaces of its own, as files in /proc/<pid>/ns are named."""
        own = ("net", "uts") if self.address else ()
        return own if self.host_ipc else (*own, "ipc")


def check(spec: SandboxSpec) -> None:
    """Raise SandboxRefused for what cannot be made, or would change the machine instead of the sandbox."""
    if not _UID.fullmatch(spec.pod_uid):
        raise SandboxRefused(f"{spec.pod_uid!r} is no Pod uid: it names files, and may hold letters, digits, - . _")
    if not 1 <= len(spec.hostname.encode()) <= 63:
        raise SandboxRefused(
            f"the hostname {spec.hostname!r} has not 1 to 63 bytes: set spec.hostname to a shorter one"
        )
    for name in spec.sysctls:
        _check_sysctl(spec, name)


def _check_sysctl(spec: SandboxSpec, name: str) -> None:
    if not _SYSCTL.fullmatch(name):
        raise SandboxRefused(f"{name!r} is no sysctl: write it as net.core.somaxconn")
    if name.startswith(_NETWORK_SYSCTLS):
        shared, why = spec.host_network, "hostNetwork"
    elif name.startswith(_IPC_SYSCTLS):
        shared, why = spec.host_ipc, "hostIPC"
    else:
        allowed = ", ".join(f"{prefix}*" for prefix in _NETWORK_SYSCTLS + _IPC_SYSCTLS)
        raise SandboxRefused(f"the sysctl {name} belongs to the whole machine; a Pod may set {allowed}")
    if shared:
        raise SandboxRefused(f"the sysctl {name} would change the machine: remove it, or {why} from the Pod")


def link_name(engine: Engine, address: IPv4Address) -> str:
    """The machine's end of a Pod's link: 14 characters, unique because addresses are."""
    return f"{link_prefix(engine)}{int(address) - int(engine.pods.network_address):04x}"


def link_prefix(engine: Engine) -> str:
    return f"{engine.prefix}p"


def link_group(engine: Engine) -> int:
    """Links of a group can be deleted at once; the number follows from the engine's id."""
    return 0x67000000 | int(engine.id, 16)


def macs(address: IPv4Address) -> tuple[bytes, bytes]:
    """Locally administered hardware addresses of the machine's end and the Pod's end."""
    return b"\x02\x67" + address.packed, b"\x06\x67" + address.packed
