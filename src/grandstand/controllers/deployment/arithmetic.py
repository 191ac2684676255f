"""How many Pods each ReplicaSet of a Deployment should have. Pure numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grandstand.kinds.workloads import DeploymentSpec, RollingUpdate


@dataclass(frozen=True, slots=True)
class Limits:
    """During a rollout: so many Pods more than wished for, and so many available ones fewer."""

    surge: int
    unavailable: int


@dataclass(frozen=True, slots=True)
class Size:
    """A ReplicaSet in numbers: the Pods that it should have, and those that are available.

    `largest` is the number of Pods that its Deployment could have when this size was set (None: not known).
    """

    name: str
    replicas: int
    available: int = 0
    largest: int | None = None


Sizes = Mapping[str, int]
"""The replicas that ReplicaSets should have from now on, by name; those that stay are left out."""


def resolve(value: int | str, total: int, *, up: bool) -> int:
    """An absolute number, or a percentage of the total, rounded up or down."""
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * total / 100
    return math.ceil(share) if up else math.floor(share)


def limits_of(spec: DeploymentSpec) -> Limits:
    """What the strategy allows.

    Both zero would stand still: then one Pod may be unavailable. A single replica is always replaced by surging first,
    whatever the percentages round to; only who says in numbers that nothing may surge gets the gap that he asked for.
    """
    if spec.strategy.type != "RollingUpdate":
        return Limits(0, 0)
    asked = spec.strategy.rolling_update or RollingUpdate()
    surge = resolve(asked.max_surge, spec.replicas, up=True)
    unavailable = resolve(asked.max_unavailable, spec.replicas, up=False)
    gap_is_meant = asked.max_surge == 0 and isinstance(asked.max_unavailable, int) and asked.max_unavailable > 0
    if spec.replicas == 1 and not gap_is_meant:
        return Limits(max(1, surge), 0)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(surge, min(unavailable, spec.replicas))


def new_replicas(wished: int, limits: Limits, new: int, total: int) -> int:
    """The replicas of the newest ReplicaSet, which has `new` of `total` now: as many as surging allows."""
    if new >= wished:
        return wished
    room = wished + limits.surge - total
    return new + max(0, min(room, wished - new))


def old_replicas(wished: int, limits: Limits, new: Size, old: Sequence[Size]) -> Sizes:
    """Shrink old ReplicaSets (oldest first): first what is not available anyway, then what is not needed any more."""
    least = wished - limits.unavailable
    pods = new.replicas + sum(each.replicas for each in old)
    spare = pods - least - (new.replicas - min(new.available, new.replicas))
    sizes = {each.name: each.replicas for each in old}
    for each in old:
        broken = min(max(0, spare), each.replicas - min(each.available, each.replicas))
        sizes[each.name] -= broken
        spare -= broken
    spare = min(spare, sum(min(each.available, each.replicas) for each in (new, *old)) - least)
    for each in old:
        unneeded = min(max(0, spare), sizes[each.name])
        sizes[each.name] -= unneeded
        spare -= unneeded
    return {each.name: sizes[each.name] for each in old if sizes[each.name] != each.replicas}


def proportional(wished: int, limits: Limits, sizes: Sequence[Size]) -> Sizes:
    """Spread a new number of replicas over the active ReplicaSets (newest first) by their size.

    The largest comes first, and gets what rounding leaves over; of equals the newest when growing, the oldest else.
    """
    change = (wished + limits.surge if wished else 0) - sum(each.replicas for each in sizes)
    ordered = list(sizes) if change > 0 else list(reversed(sizes))
    ordered.sort(key=lambda each: -each.replicas)
    result: dict[str, int] = {}
    left = change
    for each in ordered:
        share = _share(each, wished, limits)
        share = min(share, left) if change > 0 else max(share, left)
        share = max(share, 0) if change > 0 else min(share, 0)
        result[each.name] = each.replicas + share
        left -= share
    if ordered:
        result[ordered[0].name] = max(0, result[ordered[0].name] + left)
    return result


def _share(size: Size, wished: int, limits: Limits) -> int:
    """By how much one ReplicaSet should grow when its Deployment's size changes."""
    if wished == 0:
        return -size.replicas
    # Half away from zero, as Go rounds: Python would round 2.5 to 2.
    return math.floor(size.replicas * (wished + limits.surge) / (size.largest or wished) + 0.5) - size.replicas
