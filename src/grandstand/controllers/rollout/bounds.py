"""Grow a canary while the stable version shrinks, within `maxSurge` and `maxUnavailable`. Pure.

    all Pods         at most replicas + maxSurge
    available ones   at least replicas - maxUnavailable
    canary : stable  as near to the weight as whole Pods come, one more of both together where that is nearer and may be

Older versions give way first. A version that is to shrink is counted with the Pods it should have, the other one with
those that are available: so broken Pods never keep the way to better ones. Source: Argo Rollouts' canary without
traffic routing (`utils/replicaset/canary.go`, 1.8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grandstand.controllers.deployment.arithmetic import Limits, resolve
from grandstand.kinds.rollouts import MAX_SURGE, MAX_UNAVAILABLE, Canary

WHOLE = 100


@dataclass(frozen=True, slots=True)
class Count:
    """The Pods that a version should have, and those of them that are available."""

    size: int = 0
    available: int = 0

    @property
    def sure(self) -> int:
        """Available Pods that are not on their way out."""
        return min(self.size, self.available)


@dataclass(frozen=True, slots=True)
class Targets:
    """How many Pods the canary and the stable version should have in the end."""

    canary: int
    stable: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many Pods the versions should have next; `others` in the order in which they were given."""

    canary: int
    stable: int
    others: tuple[int, ...] = ()


def limits_of(strategy: Canary, replicas: int) -> Limits | None:
    """The bounds; None where Pods follow weights alone: neither bound is given, or the strategy sets Pods otherwise."""
    given = strategy.max_surge is not None or strategy.max_unavailable is not None
    scales = any(step.set_canary_scale is not None for step in strategy.steps)
    if not given or strategy.dynamic_stable_scale or scales:
        return None
    surge, unavailable = strategy.max_surge, strategy.max_unavailable
    most = resolve(MAX_SURGE if surge is None else surge, replicas, up=True)
    missing = resolve(MAX_UNAVAILABLE if unavailable is None else unavailable, replicas, up=False)
    return Limits(most, missing if most or missing else 1)


def targets(replicas: int, weight: int, surge: int) -> Targets:
    """The whole Pods that come nearest to a weight; of two versions with a share each has one where there is room."""
    if not replicas:
        return Targets(0, 0)
    up, down = math.ceil(replicas * weight / WHOLE), math.floor(replicas * weight / WHOLE)
    alone = weight in (0, WHOLE) or (replicas == 1 and not surge)
    found: list[tuple[int, int]] = []
    for total in (replicas, replicas + 1) if surge else (replicas,):
        if up < total or alone:
            found.append((up, total))
        if (total * weight / WHOLE) % 1 != 0.5 and (down or alone):  # of two that are as near, the larger canary
            found.append((down, total))
    canary, total = min(found, key=lambda each: abs(each[0] * WHOLE / each[1] - weight), default=(0, replicas))
    return Targets(canary, total - canary)


def next_sizes(
    replicas: int, limits: Limits, goal: Targets, canary: Count, stable: Count, others: Sequence[Count]
) -> Sizes:
    """One step on the way to the targets; what comes of it is seen, and the next step follows."""
    most, least = replicas + limits.surge, max(0, replicas - limits.unavailable)
    room = max(0, most - canary.size - stable.size - sum(each.size for each in others))
    more_stable = min(room, max(0, goal.stable - stable.size))
    more_canary = min(room - more_stable, max(0, goal.canary - canary.size))
    next_canary, next_stable = canary.size + more_canary, stable.size + more_stable
    if any(each.size for each in others):
        return Sizes(next_canary, next_stable, _shrunk(canary.sure + stable.sure, others, least))
    if goal.canary >= canary.size:
        spare = max(0, canary.sure + stable.size - least)
        fewer = max(goal.stable, stable.size - spare) if goal.stable < stable.size else next_stable
        next_stable, next_canary = _within(stable, fewer, canary, next_canary, least, most)
    else:
        spare = max(0, canary.size + stable.sure - least)
        fewer = max(goal.canary, canary.size - spare)
        next_canary, next_stable = _within(canary, fewer, stable, next_stable, least, most)
    return Sizes(next_canary, next_stable, tuple(0 for _ in others))


def share(current: int, goal: int, canary: Count, stable: Count) -> int:
    """The weight on the way to another one: as many of the requests as of the available Pods, and never back.

    No version loses its last requests before the way is at its end: what is known of its Pods may be a moment old.
    """
    both = canary.sure + stable.sure
    by_pods = round(WHOLE * canary.sure / both) if both else current
    if goal >= current:
        return min(goal, max(current, min(by_pods, WHOLE - 1)))
    return max(goal, min(current, max(by_pods, 1)))


def _shrunk(serving: int, others: Sequence[Count], least: int) -> tuple[int, ...]:
    """Older versions without their broken Pods, and with no more than are needed beside those that serve."""
    room = max(0, serving + sum(each.sure for each in others) - least)
    sizes = []
    for each in others:
        fewer = min(room, each.sure)
        sizes.append(each.sure - fewer)
        room -= fewer
    return tuple(sizes)


def _within(shrinking: Count, fewer: int, other: Count, other_size: int, least: int, most: int) -> tuple[int, int]:
    """Both sizes with no more than `most` in all, which there may be when fewer replicas are wanted than before.

    The other version gives way first, as far as enough stay available.
    """
    kept = other_size - min(other_size, max(0, fewer + other_size - most))
    available = min(shrinking.available, fewer) + min(other.available, kept)
    kept += min(max(0, other.available - kept), max(0, least - available))
    return max(0, fewer - max(0, kept + fewer - most)), kept
