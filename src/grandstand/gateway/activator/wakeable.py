"""Say which Services a request may wake: those that an autoscaler may leave with nobody. Pure.

That is a HorizontalPodAutoscaler with `minReplicas: 0` and an Object metric that describes the Service:
the requests that wait are what makes it start somebody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from grandstand.kinds import HorizontalPodAutoscaler, Key


@dataclass(frozen=True, slots=True)
class ScaleTarget:
    """What an autoscaler starts replicas of."""

    kind: str
    key: Key


def wakeable_services(autoscalers: Iterable[HorizontalPodAutoscaler]) -> dict[Key, ScaleTarget]:
    """What is scaled for each Service that a request may wake."""
    found: dict[Key, ScaleTarget] = {}
    for each in autoscalers:
        if each.may_be_zero and each.metadata.deletion_timestamp is None:
            namespace, target = each.metadata.namespace, each.spec.scale_target_ref
            for name in each.described_services:
                found.setdefault(Key(namespace, name), ScaleTarget(target.kind, Key(namespace, target.name)))
    return found
