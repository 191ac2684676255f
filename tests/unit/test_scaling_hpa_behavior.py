"""How fast an HPA may change replicas, and which of its wishes count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.scaling.hpa.behavior import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    Change,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    Wish,
    least_reachable,
    most_reachable,
    stabilized,
)

NOW = 1000.0
PODS, PERCENT = PolicyType.PODS, PolicyType.PERCENT


def rules(*policies: tuple[PolicyType, int, float], window: float = 0.0, select=SelectPolicy.MAX) -> ScalingRules:
    return ScalingRules(tuple(ScalingPolicy(*policy) for policy in policies), window, select)


@pytest.mark.parametrize(
    ("wish", "current", "earlier", "up_window", "down_window", "replicas"),
    [
        (5, 3, (), 0, 300, 5),
        (5, 3, (Wish(990.0, 4),), 0, 300, 5),
        (5, 3, (Wish(990.0, 4),), 60, 300, 4),
        (5, 3, (Wish(990.0, 2),), 60, 300, 3),
        (2, 6, (Wish(990.0, 4),), 0, 300, 4),
        (2, 6, (Wish(990.0, 8),), 0, 300, 6),
        (2, 6, (Wish(700.0, 8),), 0, 300, 2),
        (2, 6, (Wish(700.5, 8),), 0, 300, 6),
        (2, 6, (Wish(999.0, 8),), 0, 0, 2),
        (9, 6, (Wish(999.0, 2), Wish(998.0, 12)), 60, 60, 6),
    ],
    ids=[
        *("up at once", "no up window", "the least of the up window", "never down by it"),
        *("the greatest of the down window", "never up by it", "the window is over", "just inside"),
        *("no down window", "wishes on both sides"),
    ],
)
def test_windows(wish, current, earlier, up_window, down_window, replicas):
    up, down = replace(DEFAULT_UP, window_seconds=up_window), replace(DEFAULT_DOWN, window_seconds=down_window)
    assert stabilized(wish, current, earlier, NOW, up, down) == replicas


@pytest.mark.parametrize(
    ("current", "changes", "how", "most"),
    [
        (1, (), DEFAULT_UP, 5),
        (10, (), DEFAULT_UP, 20),
        (5, (Change(990.0, 4),), DEFAULT_UP, 5),
        (5, (Change(985.0, 4),), DEFAULT_UP, 10),
        (3, (Change(990.0, -2),), DEFAULT_UP, 10),
        (10, (), rules((PODS, 2, 60.0), (PERCENT, 100, 60.0), select=SelectPolicy.MIN), 12),
        (10, (), rules((PODS, 2, 60.0), select=SelectPolicy.DISABLED), 10),
        (15, (), rules((PERCENT, 10, 60.0)), 17),
        (10, (), rules((PERCENT, 10, 60.0)), 11),
        (10, (Change(990.0, 6),), rules((PODS, 2, 60.0)), 10),
        (0, (), DEFAULT_UP, 4),
    ],
    ids=[
        *("four Pods", "double", "used up", "the period is over", "what went may come back", "the lesser"),
        *("disabled", "percent rounds up", "ten percent of ten", "more came than may: stay", "from zero"),
    ],
)
def test_the_way_up(current, changes, how, most):
    assert most_reachable(current, changes, NOW, how) == most


@pytest.mark.parametrize(
    ("current", "changes", "how", "least"),
    [
        (10, (), DEFAULT_DOWN, 0),
        (10, (), rules((PODS, 2, 60.0)), 8),
        (8, (Change(990.0, -2),), rules((PODS, 2, 60.0)), 8),
        (8, (Change(940.0, -2),), rules((PODS, 2, 60.0)), 6),
        (12, (Change(990.0, 4),), rules((PODS, 2, 60.0)), 6),
        (10, (), rules((PODS, 2, 60.0), (PERCENT, 50, 60.0)), 5),
        (10, (), rules((PODS, 2, 60.0), (PERCENT, 50, 60.0), select=SelectPolicy.MIN), 8),
        (10, (), rules((PODS, 2, 60.0), select=SelectPolicy.DISABLED), 10),
        (5, (), rules((PERCENT, 10, 60.0)), 4),
        (4, (Change(990.0, -6),), rules((PODS, 2, 60.0)), 4),
    ],
    ids=[
        *("all at once", "two Pods", "used up", "the period is over", "from where the period began", "the greater"),
        *("the lesser", "disabled", "percent rounds to fewer", "more went than may: stay"),
    ],
)
def test_the_way_down(current, changes, how, least):
    assert least_reachable(current, changes, NOW, how) == least


@given(
    current=st.integers(0, 100),
    changes=st.lists(st.builds(Change, st.floats(900, 1000), st.integers(-20, 20)), max_size=5),
    value=st.integers(1, 100),
    kind=st.sampled_from(PolicyType),
)
def test_limits_stand_on_both_sides_of_what_there_is(current, changes, value, kind):
    how = rules((kind, value, 60.0))
    assert least_reachable(current, changes, NOW, how) <= current <= most_reachable(current, changes, NOW, how)
