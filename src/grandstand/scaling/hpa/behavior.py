"""Keep an HPA's wish within its `behavior`: stabilization windows, and how fast replicas may change. Pure.

    stabilized = clamp(current, least wish of the up window, greatest wish of the down window)
    reachable  = the replicas at the begin of a policy's period, changed by its Pods or percent

Of several policies the one that changes most decides, or least with `selectPolicy: Min`; with `Disabled` nothing
changes in that direction. Source: the Kubernetes documentation, "Horizontal Pod Autoscaling", configurable scaling
behavior; what it leaves open (roundings, the bounds of windows) is as its controller does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor


class PolicyType(StrEnum):
    """What the value of a policy counts; named as in the API."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several policies decides; named as in the API."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """Within any `period_seconds`, at most `value` Pods or percent may come, or go."""

    type: PolicyType
    value: int
    period_seconds: float


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """How replicas change in one direction."""

    policies: tuple[ScalingPolicy, ...]
    window_seconds: float
    select: SelectPolicy = SelectPolicy.MAX


DEFAULT_UP = ScalingRules(
    (ScalingPolicy(PolicyType.PODS, 4, 15.0), ScalingPolicy(PolicyType.PERCENT, 100, 15.0)), window_seconds=0.0
)
DEFAULT_DOWN = ScalingRules((ScalingPolicy(PolicyType.PERCENT, 100, 15.0),), window_seconds=300.0)


@dataclass(frozen=True, slots=True)
class Wish:
    """How many replicas were wished for at a time (seconds)."""

    at: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Change:
    """By how many replicas a target was changed at a time (seconds); negative: fewer."""

    at: float
    replicas: int


def stabilized(
    wish: int, current: int, earlier: Iterable[Wish], now: float, up: ScalingRules, down: ScalingRules
) -> int:
    """As many replicas as all wishes of the windows agree to: up to the least, down to the greatest."""
    least = greatest = wish
    for each in earlier:
        if each.at > now - up.window_seconds:
            least = min(least, each.replicas)
        if each.at > now - down.window_seconds:
            greatest = max(greatest, each.replicas)
    return min(max(current, least), greatest)


def most_reachable(current: int, changes: Iterable[Change], now: float, rules: ScalingRules) -> int:
    """How many replicas there may be now, by the rules for scaling up; never fewer than there are."""
    pick = min if rules.select is SelectPolicy.MIN else max
    return max(current, _reachable(current, changes, now, rules, pick, ceil, sign=1))


def least_reachable(current: int, changes: Iterable[Change], now: float, rules: ScalingRules) -> int:
    """To how few replicas a target may go now, by the rules for scaling down; never more than there are."""
    pick = max if rules.select is SelectPolicy.MIN else min
    return min(current, _reachable(current, changes, now, rules, pick, floor, sign=-1))


def _reachable(
    current: int,
    changes: Iterable[Change],
    now: float,
    rules: ScalingRules,
    pick: Callable[[list[int]], int],
    whole: Callable[[float], int],
    *,
    sign: int,
) -> int:
    if rules.select is SelectPolicy.DISABLED:
        return current
    known = tuple(changes)
    reached = []
    for policy in rules.policies:
        before = current - sum(change.replicas for change in known if change.at > now - policy.period_seconds)
        if policy.type is PolicyType.PODS:
            reached.append(before + sign * policy.value)
        else:
            reached.append(whole(before * (1 + sign * policy.value / 100)))  # in floats, as Kubernetes does
    return pick(reached)
