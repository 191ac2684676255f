"""A canary within `maxSurge` and `maxUnavailable`: the numbers, and that the bounds hold on every way."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.controllers.deployment.arithmetic import Limits
from grandstand.controllers.rollout.bounds import Count, Sizes, Targets, limits_of, next_sizes, share, targets
from grandstand.kinds import view
from grandstand.kinds.rollouts import Canary


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "wanted"),
    [
        (10, 20, 0, (2, 8)),
        (10, 0, 3, (0, 10)),
        (10, 100, 3, (10, 0)),
        (10, 1, 0, (1, 9)),
        (10, 99, 0, (9, 1)),
        (3, 50, 0, (2, 1)),
        (3, 50, 1, (2, 2)),
        (4, 20, 1, (1, 4)),
        (1, 50, 1, (1, 1)),
        (1, 5, 1, (1, 1)),
        (1, 95, 1, (1, 1)),
        (0, 50, 1, (0, 0)),
    ],
)
def test_whole_pods_that_come_nearest(replicas, weight, surge, wanted) -> None:
    assert targets(replicas, weight, surge) == Targets(*wanted)


@pytest.mark.parametrize(
    ("weight", "unavailable", "surge", "sizes"),
    [(10, 1, 1, (1, 9)), (30, 0, 3, (3, 10)), (30, 5, 0, (0, 7)), (5, 1, 0, (0, 9)), (5, 0, 1, (1, 10))],
)
def test_the_first_step_from_ten_stable_pods(weight, unavailable, surge, sizes) -> None:
    goal = targets(10, weight, surge)
    found = next_sizes(10, Limits(surge, unavailable), goal, Count(), Count(10, 10), ())
    assert found == Sizes(*sizes)


def test_fewer_replicas_never_cost_available_pods_for_broken_ones() -> None:
    found = next_sizes(4, Limits(0, 1), Targets(2, 2), Count(4, 0), Count(8, 8), ())
    assert found == Sizes(1, 3)


@pytest.mark.parametrize(
    ("spec", "limits"),
    [
        ({}, None),
        ({"maxSurge": 1}, Limits(1, 2)),
        ({"maxUnavailable": 0}, Limits(3, 0)),
        ({"maxSurge": "0%", "maxUnavailable": "1%"}, Limits(0, 1)),
        ({"maxUnavailable": 1, "dynamicStableScale": True}, None),
        ({"maxUnavailable": 1, "steps": [{"setCanaryScale": {"replicas": 1}}]}, None),
    ],
)
def test_when_there_are_bounds(spec, limits) -> None:
    assert limits_of(view(Canary, spec), 10) == limits


@pytest.mark.parametrize(
    ("current", "goal", "canary", "stable", "given"),
    [
        (0, 50, 1, 3, 25),
        (20, 50, 0, 3, 20),
        (0, 50, 3, 1, 50),
        (50, 0, 1, 3, 25),
        (25, 0, 3, 1, 25),
        (10, 90, 0, 0, 10),
        (10, 100, 2, 0, 99),
        (10, 0, 0, 2, 1),
    ],
)
def test_the_share_on_the_way(current, goal, canary, stable, given) -> None:
    assert share(current, goal, Count(canary, canary), Count(stable, stable)) == given


@dataclass
class Pods:
    size: int
    available: int

    def count(self) -> Count:
        return Count(self.size, self.available)

    def resize(self, size: int) -> None:
        """As the ReplicaSet controller does: those that are not available go first."""
        self.size, self.available = size, min(size, self.available)


@given(data=st.data())
def test_the_bounds_hold_on_every_way_and_it_arrives(data: st.DataObject) -> None:
    draw = lambda least, most: data.draw(st.integers(least, most))  # noqa: E731
    replicas, surge, unavailable = draw(1, 12), draw(0, 4), draw(0, 4)
    limits = Limits(surge, unavailable if surge or unavailable else 1)
    versions = [Pods(0, 0), Pods(replicas, replicas), Pods(0, 0)]
    for _ in range(draw(0, 6)):  # other weights and other replicas, before the last is reached
        weight, replicas = draw(0, 100), draw(1, 12)
        for _ in range(draw(0, 6)):
            _step(versions, replicas, limits, weight, [draw(0, 3) for _ in versions])
        if draw(0, 3) == 0:  # another template: the canary is one of the others
            versions = [Pods(0, 0), versions[1], *versions[2:], versions[0]]
        if draw(0, 2) == 0:
            broken = versions[draw(0, len(versions) - 1)]
            broken.available = draw(0, broken.available)
    goal = targets(replicas, weight := draw(0, 100), limits.surge)
    for _ in range(200):
        _step(versions, replicas, limits, weight, [99 for _ in versions])
    assert [each.size for each in versions[:2]] == [goal.canary, goal.stable]
    assert all(each.size == 0 for each in versions[2:])


def _step(versions: list[Pods], replicas: int, limits: Limits, weight: int, come: list[int]) -> None:
    """Let the controller look, and so many Pods of each become ready."""
    counts = [each.count() for each in versions]
    sizes = next_sizes(replicas, limits, targets(replicas, weight, limits.surge), counts[0], counts[1], counts[2:])
    before, available = sum(each.size for each in versions), sum(each.available for each in versions)
    for each, size in zip(versions, (sizes.canary, sizes.stable, *sizes.others), strict=True):
        each.resize(size)
    assert sum(each.size for each in versions) <= max(before, replicas + limits.surge)
    assert sum(each.available for each in versions) >= min(available, replicas - limits.unavailable)
    for each, number in zip(versions, come, strict=True):
        each.available = min(each.size, each.available + number)
