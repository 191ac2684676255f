"""Say which Services a request may wake: those that an autoscaler may leave with nobody. Pure.

That is a HorizontalPodAutoscaler with `minReplicas: 0` and an Object metric that describes the Service:
the requests that wait are what makes it start somebody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grandstand.kinds import Key, Object


@dataclass(frozen=True, slots=True)
class ScaleTarget:
    """What an autoscaler starts replicas of."""

    kind: str
    key: Key


def wakeable_services(autoscalers: Iterable[Object]) -> dict[Key, ScaleTarget]:
    """What is scaled for each Service that a request may wake."""
    found: dict[Key, ScaleTarget] = {}
    for each in autoscalers:
        spec: dict[str, Any] = each.get("spec") or {}
        if spec.get("minReplicas") != 0 or each["metadata"].get("deletionTimestamp"):
            continue
        namespace = each["metadata"]["namespace"]
        target = spec.get("scaleTargetRef") or {}
        for metric in spec.get("metrics") or ():
            described = (metric.get("object") or {}).get("describedObject") or {}
            if metric.get("type") == "Object" and described.get("kind") == "Service":
                scaled = ScaleTarget(target.get("kind", ""), Key(namespace, target.get("name", "")))
                found.setdefault(Key(namespace, described.get("name", "")), scaled)
    return found
