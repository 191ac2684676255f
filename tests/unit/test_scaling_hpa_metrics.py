"""What one metric of an HPA asks for: every rule of Kubernetes' algorithm has a row."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grandstand.scaling.hpa import (
    NoMetrics,
    PodSample,
    Readiness,
    Timing,
    Tolerance,
    average_replicas,
    object_replicas,
    sort_samples,
    utilization_replicas,
)

NOW = 1000.0
READY = PodSample(
    "ready", 500.0, 1000.0, measured_at=NOW, window_seconds=10.0, started_at=0.0, readiness=Readiness(True, 0.0)
)
YOUNG = replace(READY, started_at=NOW - 60, readiness=Readiness(True, NOW - 30))


def pods(*values: float | None, request: float | None = 1000.0, unready: int = 0, cpu: bool = True):
    measured = [replace(READY, name=f"pod-{n}", value=value, request=request) for n, value in enumerate(values)]
    waiting = [replace(READY, name=f"waits-{n}", value=None, request=request, pending=True) for n in range(unready)]
    return sort_samples([*measured, *waiting], NOW, cpu=cpu, timing=Timing())


@pytest.mark.parametrize(
    ("sample", "cpu", "counts_as"),
    [
        (READY, True, "ready"),
        (replace(READY, ended=True), True, None),
        (replace(READY, pending=True), True, "unready"),
        (replace(READY, pending=True), False, "unready"),
        (replace(READY, value=None), True, "missing"),
        (replace(READY, readiness=None), True, "unready"),
        (replace(READY, readiness=None), False, "ready"),
        (replace(READY, started_at=None), True, "unready"),
        (YOUNG, True, "ready"),
        (replace(YOUNG, readiness=Readiness(False, NOW - 30)), True, "unready"),
        (replace(YOUNG, readiness=Readiness(True, NOW - 9)), True, "unready"),
        (replace(YOUNG, readiness=Readiness(True, NOW - 10)), True, "ready"),
        (replace(YOUNG, readiness=Readiness(False, NOW - 30)), False, "ready"),
        (replace(READY, readiness=Readiness(False, 29.0)), True, "unready"),
        (replace(READY, readiness=Readiness(False, 30.0)), True, "ready"),
    ],
    ids=[
        *("ready", "ended", "pending", "pending, memory", "not measured", "no condition", "no condition, memory"),
        *("not started", "young, a window ago", "young, not ready", "young, within the window", "young, at its end"),
        *("young, memory", "never ready", "not ready later"),
    ],
)
def test_what_a_pod_counts_as(sample, cpu, counts_as):
    found = sort_samples([sample], NOW, cpu=cpu, timing=Timing())
    for group in ("ready", "unready", "missing"):
        assert getattr(found, group) == ((sample,) if group == counts_as else ())


@pytest.mark.parametrize(
    ("current", "target", "seen", "replicas"),
    [
        (3, 50, pods(500, 500, 500), 3),
        (3, 50, pods(550, 550, 550), 3),
        (3, 50, pods(560, 560, 560), 4),
        (3, 50, pods(450, 450, 450), 3),
        (3, 50, pods(440, 440, 440), 3),
        (4, 50, pods(250, 250, 250, 250), 2),
        (2, 50, pods(1000, 1000), 4),
        (2, 50, pods(1000, 1000, unready=2), 2),
        (3, 50, pods(1000, 1000, unready=1), 4),
        (4, 50, pods(200, 200, unready=2), 1),
        (3, 50, pods(100, 100, None), 3),
        (4, 50, pods(10, 10, 10, None), 2),
        (3, 50, pods(900, 900, None), 4),
        (3, 50, pods(600, 600, None), 3),
        (2, 150, pods(600, None), 2),
        (5, 50, pods(1000, 1000), 4),
        (3, 50, pods(559, 559, 559), 3),
    ],
    ids=[
        *("at target", "upper edge", "above it", "lower edge", "below it, rounded up", "half", "double"),
        *("unready: turned into the tolerance", "unready count 0", "unready do not count down"),
        *("missing: a whole request each", "missing: still fewer", "missing up: count 0", "missing up: turned"),
        *("missing: the target where it is more", "by the measured alone", "whole percents"),
    ],
)
def test_utilization(current, target, seen, replicas):
    assert utilization_replicas(current, target, seen, Tolerance()) == replicas


@pytest.mark.parametrize(
    ("current", "target", "seen", "replicas"),
    [
        (2, 20.0, pods(30, 30), 3),
        (2, 20.0, pods(21, 21), 2),
        (4, 20.0, pods(5, 5, 5, None), 2),
        (3, 20.0, pods(40, 40, None), 4),
        (2, 20.0, pods(40, 40, unready=1), 4),
        (3, 20.0, pods(0, 0, 0), 0),
    ],
    ids=["more", "within", "missing: as the target", "missing up: count 0", "unready count 0", "nothing to do"],
)
def test_average(current, target, seen, replicas):
    assert average_replicas(current, target, seen, Tolerance()) == replicas


@pytest.mark.parametrize(
    ("current", "ready", "usage", "target", "per_replica", "replicas"),
    [
        (0, 0, 1.0, 100.0, True, 1),
        (0, 0, 0.0, 100.0, True, 0),
        (0, 0, 250.0, 100.0, False, 3),
        (3, 3, 320.0, 100.0, True, 3),
        (3, 3, 340.0, 100.0, True, 4),
        (3, 2, 200.0, 100.0, False, 4),
        (3, 3, 105.0, 100.0, False, 3),
        (3, 3, 0.0, 100.0, True, 0),
    ],
    ids=["wake", "asleep", "from zero, no tolerance", "within", "more", "by the ready", "whole, within", "to zero"],
)
def test_objects(current, ready, usage, target, per_replica, replicas):
    assert object_replicas(current, ready, usage, target, Tolerance(), per_replica=per_replica) == replicas


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (pods(), "did not receive metrics"),
        (pods(None, None), "did not receive metrics"),
        (pods(unready=2), "did not receive metrics"),
        (pods(500, request=None), "missing request of the resource in a container of Pod pod-0"),
        (pods(500, request=0.0), "request none"),
    ],
)
def test_nothing_to_compute_from(seen, why):
    with pytest.raises(NoMetrics, match=why):
        utilization_replicas(2, 50, seen, Tolerance())


@given(
    values=st.lists(st.one_of(st.none(), st.integers(0, 4000)), min_size=1, max_size=20),
    unready=st.integers(0, 5),
    target=st.integers(1, 200),
)
def test_what_is_not_known_neither_turns_a_change_nor_makes_it_larger(values, unready, target):
    known = [value for value in values if value is not None]
    assume(known)
    current = len(values) + unready
    replicas = utilization_replicas(current, target, pods(*values, unready=unready), Tolerance())
    ratio = sum(known) // (10 * len(known)) / target
    if ratio <= 1:
        assert ceil(ratio * len(known)) <= replicas <= current
    else:
        assert current <= replicas <= ceil(ratio * current)
