"""Weigh servers so that the versions of a Rollout get their shares of the requests, however many Pods each has. Pure.

weight of a server = share of its version / servers of its version, scaled to HAProxy's 0 to 256
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from grandstand.kinds import Rollout

from .servers import Duty, Server

HEAVIEST = 256

Shares = Mapping[str, Mapping[str, float]]
"""The share of each version (by its hash) of each Rollout (by its name); one that is not named gets nothing."""

HASH_LENGTH = 10


class Version(NamedTuple):
    """Which version of which Rollout a Pod is of."""

    rollout: str
    hash: str


def shares_in(rollouts: Iterable[Rollout]) -> dict[str, Shares]:
    """By namespace, of all Rollouts that have Pods of several versions."""
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    for rollout in rollouts:
        parts = [part for part in (rollout.status.canary.weights or {}).values() if isinstance(part, dict)]
        named = {
            part["podTemplateHash"]: float(part.get("weight") or 0) for part in parts if part.get("podTemplateHash")
        }
        if named:
            found.setdefault(rollout.metadata.namespace, {})[rollout.metadata.name] = named
    return dict(found)


def weighed(servers: Mapping[str, Server], shares: Shares) -> dict[str, Server]:
    """The servers with their weights. Where no version with a share serves, nothing is shared: all weigh the same."""
    versions = {name: version_of(server.pod_name, shares) for name, server in servers.items()}
    serving = Counter(
        version
        for name, server in servers.items()
        if server.duty is Duty.SERVING and (version := versions[name]) is not None
    )
    each = {version: shares[version.rollout].get(version.hash, 0.0) / count for version, count in serving.items()}
    heaviest = max(each.values(), default=0.0)
    if len(each) < 2 or heaviest <= 0:
        return dict(servers)
    weights = {
        version: max(1, round(share / heaviest * HEAVIEST)) if share > 0 else 0 for version, share in each.items()
    }
    return {name: replace(server, weight=_weight(server, versions[name], weights)) for name, server in servers.items()}


def version_of(pod_name: str, shares: Shares) -> Version | None:
    """The version that a Pod is of, by its name `<rollout>-<hash>-<suffix>`; None where there is nothing to share."""
    rollout, _, rest = pod_name.rpartition("-")[0].rpartition("-")
    return Version(rollout, rest) if rollout in shares and len(rest) == HASH_LENGTH else None


def _weight(server: Server, version: Version | None, weights: Mapping[Version, int]) -> int:
    return server.weight if version is None else weights.get(version, server.weight)
