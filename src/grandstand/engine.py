"""Where one engine keeps its things, and the names that keep it apart from others on the same machine."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

NODE_NAME = "grandstand"
CLUSTER_DOMAIN = "cluster.local"
ENGINE_PREFIX = "gs-"
"""What every engine's prefix begins with: interfaces of this name are an engine's."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One running platform: everything that it makes on the machine carries `prefix` or lies below `data`.

    `network` is a /16 of its own: Pods in the lower half, Services in the upper.
    """

    data: Path
    network: IPv4Network
    api_port: int
    gateway_port: int
    gateway_tls_port: int
    lambda_port: int = 0
    """Of AWS Lambda's API; 0 takes a free one."""

    @property
    def id(self) -> str:
        """Six hex digits that follow from the data directory."""
        return engine_id(self.data)

    @property
    def prefix(self) -> str:
        """For names of the bridge, nftables table, cgroups: at most 9 characters (interface names have 15)."""
        return f"{ENGINE_PREFIX}{self.id}"

    @property
    def pods(self) -> IPv4Network:
        return next(self.network.subnets())

    @property
    def services(self) -> IPv4Network:
        return list(self.network.subnets())[1]

    @property
    def bridge_address(self) -> IPv4Address:
        """The machine's own address on the Pod network: the Pods' gateway and name server."""
        return self.pods.network_address + 1

    @property
    def api_address(self) -> IPv4Address:
        """The ClusterIP of the Service `kubernetes` in the namespace `default`."""
        return self.services.network_address + 1

    @property
    def kubeconfig(self) -> Path:
        return self.data / "kubeconfig"

    @property
    def database(self) -> Path:
        return self.data / "store.sqlite3"

    def save(self) -> None:
        """Write `engine.json`, so that the next start uses the same network and ports."""
        settings = {
            "network": str(self.network),
            "apiPort": self.api_port,
            "gatewayPort": self.gateway_port,
            "gatewayTLSPort": self.gateway_tls_port,
            "lambdaPort": self.lambda_port,
        }
        (self.data / "engine.json").write_bytes(msgspec.json.format(msgspec.json.encode(settings)))


@cache
def engine_id(data: Path) -> str:
    """Six hex digits that follow from the data directory's real path. Asked for once a second and container."""
    return hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:6]


def load(data: Path) -> Engine | None:
    """The engine whose `engine.json` lies in a data directory, or None where there is none yet."""
    path = data / "engine.json"
    if not path.exists():
        return None
    saved = msgspec.json.decode(path.read_bytes())
    network = IPv4Network(saved["network"])
    ports = saved["apiPort"], saved["gatewayPort"], saved["gatewayTLSPort"], saved.get("lambdaPort", 0)
    return Engine(data.resolve(), network, *ports)


def choose_network(data: Path, taken: Collection[IPv4Network]) -> IPv4Network:
    """A /16 of 10.0.0.0/8 that overlaps no taken network; the search starts where the data directory says.

    Raises LookupError when every one is taken.
    """
    candidates = list(IPv4Network("10.0.0.0/8").subnets(new_prefix=16))
    start = int(engine_id(data), 16) % len(candidates)
    for candidate in candidates[start:] + candidates[:start]:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise LookupError("no /16 of 10.0.0.0/8 is free on this machine")
