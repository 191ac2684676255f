"""How many Pods each ReplicaSet should have: tables, and what must hold on every way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.controllers.deployment.arithmetic import (
    Limits,
    Size,
    limits_of,
    new_replicas,
    old_replicas,
    proportional,
)
from grandstand.kinds import LabelSelector
from grandstand.kinds.workloads import DeploymentSpec, DeploymentStrategy, RollingUpdate


def spec(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> DeploymentSpec:
    rolling = RollingUpdate(max_surge=surge, max_unavailable=unavailable)
    strategy = DeploymentStrategy(rolling_update=rolling)
    return DeploymentSpec(selector=LabelSelector(), template={}, replicas=replicas, strategy=strategy)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", Limits(3, 2)),
        (3, "25%", "25%", Limits(1, 0)),
        (4, "0%", "10%", Limits(0, 1)),
        (4, 0, 0, Limits(0, 1)),
        (3, 0, 9, Limits(0, 3)),
        (0, "25%", "25%", Limits(0, 0)),
        (1, "25%", "25%", Limits(1, 0)),
        (1, "25%", "100%", Limits(1, 0)),
        (1, "0%", "25%", Limits(1, 0)),
        (1, 0, "25%", Limits(1, 0)),
        (1, 1, 1, Limits(1, 0)),
        (1, 0, 1, Limits(0, 1)),
    ],
    ids=[
        "surge up, unavailable down",
        "small",
        "both round to zero",
        "both are zero",
        "never more unavailable than there are",
        "none",
        "single: default",
        "single: all may be unavailable",
        "single: both round to zero",
        "single: no surge, percentage",
        "single: both in numbers",
        "single: the gap is meant",
    ],
)
def test_limits(replicas: int, surge: int | str, unavailable: int | str, expected: Limits) -> None:
    assert limits_of(spec(replicas, surge, unavailable)) == expected


def test_recreate_allows_nothing_beyond() -> None:
    recreate = DeploymentSpec(
        selector=LabelSelector(), template={}, replicas=3, strategy=DeploymentStrategy(type="Recreate")
    )
    assert limits_of(recreate) == Limits(0, 0)


@pytest.mark.parametrize(
    ("wished", "limits", "new", "total", "expected"),
    [
        (10, Limits(3, 2), 0, 10, 3),
        (10, Limits(3, 2), 3, 13, 3),
        (10, Limits(3, 2), 9, 10, 10),
        (10, Limits(0, 1), 0, 10, 0),
        (3, Limits(1, 0), 5, 5, 3),
        (10, Limits(3, 2), 2, 20, 2),
    ],
    ids=["surge", "surge used up", "no more than wished", "nothing may surge", "too many", "far too many in all"],
)
def test_new_replicas(wished: int, limits: Limits, new: int, total: int, expected: int) -> None:
    assert new_replicas(wished, limits, new, total) == expected


@pytest.mark.parametrize(
    ("wished", "limits", "new", "old", "expected"),
    [
        (10, Limits(3, 2), Size("n", 3, 0), [Size("a", 10, 10)], {"a": 8}),
        (10, Limits(0, 2), Size("n", 0, 0), [Size("a", 10, 8)], {"a": 8}),
        (3, Limits(1, 0), Size("n", 1, 0), [Size("a", 3, 3)], {}),
        (3, Limits(1, 0), Size("n", 1, 1), [Size("a", 3, 3)], {"a": 2}),
        (3, Limits(1, 0), Size("n", 3, 3), [Size("a", 1, 1), Size("b", 2, 2)], {"a": 0, "b": 0}),
        (3, Limits(1, 0), Size("n", 1, 1), [Size("a", 1, 0), Size("b", 2, 2)], {"a": 0}),
        (3, Limits(1, 0), Size("n", 3, 3), [Size("a", 0, 0)], {}),
    ],
    ids=[
        "some may be missing",
        "broken ones first",
        "wait",
        "one for one",
        "rollover",
        "broken old, not the good",
        "done",
    ],
)
def test_old_replicas(wished: int, limits: Limits, new: Size, old: list[Size], expected: dict[str, int]) -> None:
    assert old_replicas(wished, limits, new, old) == expected


@pytest.mark.parametrize(
    ("wished", "surge", "sizes", "expected"),
    [
        (30, 0, [Size("new", 5, largest=10), Size("old", 5, largest=10)], {"new": 15, "old": 15}),
        (15, 3, [Size("new", 5, largest=13), Size("old", 8, largest=13)], {"new": 7, "old": 11}),
        (5, 0, [Size("new", 5, largest=10), Size("old", 5, largest=10)], {"new": 3, "old": 2}),
        (11, 0, [Size("new", 5, largest=10), Size("old", 5, largest=10)], {"new": 6, "old": 5}),
        (0, 0, [Size("new", 5, largest=10), Size("old", 5, largest=10)], {"new": 0, "old": 0}),
        (10, 0, [Size("new", 3, largest=10), Size("old", 7, largest=10)], {"new": 3, "old": 7}),
    ],
    ids=[
        "threefold",
        "Kubernetes' example",
        "half, the oldest gives the odd one",
        "the newest gets the odd one",
        "to zero",
        "nothing changed",
    ],
)
def test_proportional(wished: int, surge: int, sizes: list[Size], expected: dict[str, int]) -> None:
    assert proportional(wished, Limits(surge, 0), sizes) == expected


@given(
    wished=st.integers(0, 60),
    surge=st.integers(0, 20),
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    before=st.integers(1, 60),
)
def test_proportional_scaling_reaches_the_size_exactly(wished: int, surge: int, sizes: list[int], before: int) -> None:
    known = [Size(str(number), size, largest=before) for number, size in enumerate(sizes)]
    result = proportional(wished, Limits(surge, 0), known)
    assert all(replicas >= 0 for replicas in result.values())
    goal = wished + surge if wished else 0
    if goal >= sum(sizes):
        assert sum(result.values()) == goal
    else:  # shrinking may leave a remainder that the largest cannot give; never less than the goal
        assert goal <= sum(result.values()) <= sum(sizes)


strategies = st.one_of(st.integers(0, 12), st.integers(0, 100).map("{}%".format))


@given(data=st.data(), replicas=st.integers(0, 30), surge=strategies, unavailable=strategies)
def test_a_rollout_keeps_its_promises_and_ends(
    data: Any, replicas: int, surge: int | str, unavailable: int | str
) -> None:
    """Pods become ready and crash at random; then all become ready, and the rollout must have an end."""
    wanted = spec(replicas, surge, unavailable)
    limits = limits_of(wanted)
    new = Size("new", 0, 0)
    old = [Size(f"old-{n}", size, size) for n, size in enumerate(data.draw(st.lists(st.integers(0, 15), max_size=3)))]
    for chaotic in [True] * data.draw(st.integers(0, 15)) + [False] * 200:
        before = (new, *old)
        if chaotic:
            new, *old = [Size(s.name, s.replicas, data.draw(st.integers(0, s.replicas))) for s in before]
        else:
            new, *old = [Size(s.name, s.replicas, s.replicas) for s in before]
        if new.replicas == replicas and not any(each.replicas for each in old) and not chaotic:
            return
        new, old = step(replicas, limits, new, old)
    raise AssertionError(f"stuck at {new} {old} with {limits}")


def step(replicas: int, limits: Limits, new: Size, old: list[Size]) -> tuple[Size, list[Size]]:
    """One reconcile, as the controller does it; Pods that are not available go first."""
    total, available = _sums([new, *old])
    grown = new_replicas(replicas, limits, new.replicas, total)
    sizes = {"new": grown} if grown != new.replicas else old_replicas(replicas, limits, new, old)
    after = [
        Size(s.name, sizes.get(s.name, s.replicas), min(s.available, sizes.get(s.name, s.replicas)))
        for s in (new, *old)
    ]
    total_after, available_after = _sums(after)
    assert total_after <= max(total, replicas + limits.surge), "too many Pods"
    if new.replicas <= replicas:
        assert available_after >= min(available, replicas - limits.unavailable), "too few available Pods"
    return after[0], after[1:]


def _sums(sizes: list[Size]) -> tuple[int, int]:
    return sum(each.replicas for each in sizes), sum(each.available for each in sizes)
