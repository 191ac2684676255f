"""Write a Pod's /etc/resolv.conf and /etc/hosts, as the kubelet would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from grandstand.engine import CLUSTER_DOMAIN, Engine
from grandstand.errors import SandboxRefused
from grandstand.kinds.pods import HostAlias

from .sandboxes import Sandbox

MACHINE_RESOLVERS = Path("/etc/resolv.conf")
# What resolvers read at most; more are refused by Kubernetes in a Pod, and cut where they come together.
_MOST_NAMESERVERS, _MOST_SEARCHES = 3, 32


@dataclass(frozen=True, slots=True)
class Resolvers:
    """What a resolv.conf says; `options` are name and value ("" where it has none)."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        lines = [f"nameserver {address}" for address in self.nameservers]
        if self.searches:
            lines.append(f"search {' '.join(self.searches)}")
        if self.options:
            lines.append("options " + " ".join(f"{name}:{value}" if value else name for name, value in self.options))
        return "".join(f"{line}\n" for line in lines)


def resolv_conf(
    engine: Engine,
    namespace: str,
    dns_policy: str,
    dns_config: Mapping[str, Any] | None,
    *,
    host_network: bool = False,
    machine: str | None = None,
) -> str:
    """The resolv.conf of a Pod; `machine` is the text of the machine's own, which is read when not given.

    Raises SandboxRefused for a policy that Kubernetes does not have.
    """
    if machine is None:
        machine = MACHINE_RESOLVERS.read_text() if MACHINE_RESOLVERS.exists() else ""
    own = parse_resolvers(machine)
    if host_network and dns_policy == "ClusterFirst":
        dns_policy = "Default"  # as the kubelet does; ClusterFirstWithHostNet is there for the other wish
    match dns_policy:
        case "ClusterFirst" | "ClusterFirstWithHostNet":
            suffixes = (f"{namespace}.svc.{CLUSTER_DOMAIN}", f"svc.{CLUSTER_DOMAIN}", CLUSTER_DOMAIN)
            chosen = Resolvers((str(engine.bridge_address),), suffixes + own.searches, (("ndots", "5"),))
        case "Default":
            # A resolver on the machine's loopback cannot be reached from a Pod; ours asks it on the Pod's behalf.
            reachable = own.nameservers if host_network else tuple(a for a in own.nameservers if not _is_loopback(a))
            chosen = Resolvers(reachable or (str(engine.bridge_address),), own.searches, own.options)
        case "None":
            chosen = Resolvers()
        case _:
            raise SandboxRefused(
                f"dnsPolicy {dns_policy!r} is unknown: use ClusterFirst, ClusterFirstWithHostNet, Default or None"
            )
    return _with_config(chosen, dns_config or {}).text


def parse_resolvers(text: str) -> Resolvers:
    """Read a resolv.conf; what is no nameserver, search, domain or option is passed over."""
    nameservers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[tuple[str, str]] = []
    for line in text.splitlines():
        keyword, *values = line.split("#")[0].split(";")[0].split() or [""]
        if keyword == "nameserver" and values:
            nameservers.append(values[0])
        elif keyword in ("search", "domain"):
            searches = tuple(value for value in values if value != ".")
        elif keyword == "options":
            options += [(name, value) for name, _, value in (option.partition(":") for option in values)]
    return Resolvers(tuple(nameservers), searches, tuple(options))


def _with_config(chosen: Resolvers, config: Mapping[str, Any]) -> Resolvers:
    """Add a Pod's `dnsConfig`; its options win."""
    options = dict(chosen.options)
    options.update({option["name"]: str(option.get("value") or "") for option in config.get("options") or ()})
    return Resolvers(
        _distinct((*chosen.nameservers, *(config.get("nameservers") or ())))[:_MOST_NAMESERVERS],
        _distinct((*chosen.searches, *(config.get("searches") or ())))[:_MOST_SEARCHES],
        tuple(options.items()),
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def parsed_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a nameserver line names (an IPv6 one perhaps with its link), or None when it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_loopback(text: str) -> bool:
    address = parsed_address(text)
    return address is None or address.is_loopback


def hosts_file(sandbox: Sandbox, fqdn: str, host_aliases: Sequence[HostAlias]) -> str:
    """The /etc/hosts of a Pod; `fqdn` is its name in a Service's subdomain, or "".

    With host network it begins with the machine's own names, as the kubelet has it.
    """
    if sandbox.network is None:
        machine = Path("/etc/hosts")
        lines = [machine.read_text().rstrip("\n")] if machine.exists() else []
    else:
        names = f"{fqdn}\t{sandbox.hostname}" if fqdn else sandbox.hostname
        lines = [
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
            f"{sandbox.address}\t{names}",
        ]
    lines += [f"{alias.ip}\t{' '.join(alias.hostnames)}" for alias in host_aliases]
    return "".join(f"{line}\n" for line in lines)
