"""Weigh servers so that the versions of a Rollout get their shares of the requests, however many Pods each has. Pure.

weight of a server = share of its version / servers of its version, scaled to HAProxy's 0 to 256
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from grandstand.kinds import Rollout

from .servers import Duty, Server

HEAVIEST = 256

Shares = Mapping[str, float]
"""The share of each version, by how the names of its Pods begin."""


def shares_in(rollouts: Iterable[Rollout]) -> dict[str, Shares]:
    """By namespace, of all Rollouts that are between two versions."""
    found: dict[str, dict[str, float]] = {}
    for rollout in rollouts:
        for part in (rollout.status.canary.weights or {}).values():
            if isinstance(part, dict) and part.get("podTemplateHash"):
                prefix = f"{rollout.metadata.name}-{part['podTemplateHash']}-"
                found.setdefault(rollout.metadata.namespace, {})[prefix] = float(part.get("weight") or 0)
    return dict(found)


def weighed(servers: Mapping[str, Server], shares: Shares) -> dict[str, Server]:
    """The servers with their weights. Where only one version serves, nothing is shared: all weigh the same."""
    versions = {name: version_of(server.pod_name, shares) for name, server in servers.items()}
    serving = Counter(versions[name] for name, server in servers.items() if server.duty is Duty.SERVING)
    if len([version for version in serving if version]) < 2:
        return dict(servers)
    each = {version: shares[version] / count for version, count in serving.items() if version}
    heaviest = max(each.values()) or 1.0
    weights = {
        version: max(1, round(share / heaviest * HEAVIEST)) if share > 0 else 0 for version, share in each.items()
    }
    return {
        name: replace(server, weight=weights.get(versions[name], server.weight)) for name, server in servers.items()
    }


def version_of(pod_name: str, shares: Shares) -> str:
    """The version that a Pod is of, as the shares name it; "" for a Pod of no Rollout that is between two."""
    return next((prefix for prefix in shares if pod_name.startswith(prefix)), "")
