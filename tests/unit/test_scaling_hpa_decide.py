"""The HPA's whole decision: bounds, several metrics, windows and policies, zero, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.scaling.hpa import (
    Able,
    Active,
    Decision,
    Limit,
    Measured,
    Memory,
    Metric,
    MetricKind,
    PodSample,
    Readiness,
    Reading,
    Replicas,
    Samples,
    ScalingRules,
    Spec,
    TargetType,
    Timing,
    Unavailable,
    decide,
)
from grandstand.scaling.hpa.behavior import DEFAULT_UP, Change, PolicyType, ScalingPolicy, SelectPolicy, Wish

NOW = 10_000.0
CPU = Metric(MetricKind.RESOURCE, "cpu", TargetType.UTILIZATION, 50.0)
IN_FLIGHT = Metric(MetricKind.OBJECT, "requests_in_flight", TargetType.AVERAGE_VALUE, 10.0, described="Service")
EXTERNAL = Metric(MetricKind.EXTERNAL, "queue", TargetType.VALUE, 1.0)
AT_ONCE = ScalingRules((ScalingPolicy(PolicyType.PERCENT, 100, 15.0),), window_seconds=0.0)


def spec(*metrics: Metric, least: int = 1, most: int = 10, **changes: object) -> Spec:
    return replace(Spec(least, most, metrics or (IN_FLIGHT,)), **changes)


def using(percent: float, pods: int) -> Samples:
    ready = Readiness(True, NOW - 1000)
    each = PodSample("", percent, 100.0, measured_at=NOW, window_seconds=2.0, started_at=NOW - 1000, readiness=ready)
    return Samples(tuple(replace(each, name=f"pod-{number}") for number in range(pods)))


def decided(
    wanted: Spec, readings: list[Reading], current: int, memory: Memory | None = None, now: float = NOW
) -> Decision:
    known = Memory((Wish(now - 1, current),), begun=True) if memory is None else memory
    return decide(wanted, known, readings, Replicas(current, current), now, Timing())


@pytest.mark.parametrize(
    ("wanted", "readings", "current", "replicas", "active", "limit"),
    [
        (spec(), [Measured(40)], 2, 4, Active.VALID, Limit.NONE),
        (spec(), [Measured(21)], 2, 2, Active.VALID, Limit.NONE),
        (spec(), [Measured(22.1)], 2, 3, Active.VALID, Limit.NONE),
        (spec(CPU), [using(100, 3)], 3, 6, Active.VALID, Limit.NONE),
        (spec(CPU, IN_FLIGHT), [using(50, 3), Measured(50)], 3, 5, Active.VALID, Limit.NONE),
        (spec(CPU, IN_FLIGHT), [using(100, 3), Measured(50)], 3, 6, Active.VALID, Limit.NONE),
        (spec(CPU, IN_FLIGHT), [Unavailable("no"), Measured(50)], 3, 5, Active.VALID, Limit.NONE),
        (spec(CPU, IN_FLIGHT), [Unavailable("no"), Measured(10)], 3, None, Active.NO_RESOURCE, None),
        (spec(CPU, IN_FLIGHT), [Unavailable("no"), Unavailable("no")], 3, None, Active.NO_RESOURCE, None),
        (spec(EXTERNAL), [Unavailable("no")], 3, None, Active.NO_EXTERNAL, None),
        (spec(most=4), [Measured(90)], 3, 4, Active.VALID, Limit.MOST),
        (spec(most=100), [Measured(900)], 6, 12, Active.VALID, Limit.UP_RATE),
        (spec(least=2, down=AT_ONCE), [Measured(1)], 5, 2, Active.VALID, Limit.LEAST),
        (spec(most=4), [Measured(1)], 7, 4, Active.VALID, None),
        (spec(least=3), [Measured(90)], 2, 3, Active.VALID, None),
        (spec(), [Measured(90)], 0, 0, Active.DISABLED, None),
        (spec(least=0), [Measured(1)], 0, 1, Active.VALID, Limit.NONE),
        (spec(least=0), [Measured(25)], 0, 3, Active.VALID, Limit.NONE),
        (spec(least=0), [Measured(85)], 0, 9, Active.VALID, Limit.NONE),
        (spec(least=0), [Measured(500)], 0, 10, Active.VALID, Limit.MOST),
        (spec(least=0, up=replace(DEFAULT_UP, window_seconds=1.0)), [Measured(85)], 0, 4, Active.VALID, Limit.UP_RATE),
        (spec(least=0), [Measured(0)], 0, 0, Active.VALID, Limit.NONE),
        (spec(CPU, IN_FLIGHT, least=0), [using(0, 0), Measured(1)], 0, 1, Active.VALID, Limit.NONE),
        (spec(least=0, down=AT_ONCE), [Measured(0)], 3, 0, Active.VALID, Limit.NONE),
        (spec(down=replace(AT_ONCE, select=SelectPolicy.DISABLED)), [Measured(1)], 5, 5, Active.VALID, Limit.DOWN_RATE),
    ],
    ids=[
        *("twice the load", "within the tolerance", "beyond the tolerance", "cpu", "the second is higher"),
        *("the first is higher", "one fails, up", "one fails, down", "all fail", "external", "most", "too fast"),
        *("least", "above the bounds", "below the bounds", "switched off", "from zero", "from zero, ratio"),
        *(
            "from zero, a burst",
            "from zero, most",
            "from zero, by a policy of its own",
            "stays at zero",
            "from zero, without Pods",
            "to zero",
            "down is disabled",
        ),
    ],
)
def test_replicas(wanted, readings, current, replicas, active, limit) -> None:
    found = decided(wanted, readings, current)
    assert (found.replicas, found.active, found.limit) == (replicas, active, limit)


@pytest.mark.parametrize(
    ("wanted", "readings", "current", "reason"),
    [
        (spec(), [Measured(40)], 2, "Service metric requests_in_flight above target"),
        (spec(CPU), [using(100, 3)], 3, "cpu resource utilization (percentage of request) above target"),
        (spec(down=AT_ONCE), [Measured(5)], 2, "All metrics below target"),
        (spec(most=4), [Measured(1)], 7, "Current number of replicas above Spec.MaxReplicas"),
        (spec(least=3), [Measured(1)], 2, "Current number of replicas below Spec.MinReplicas"),
        (spec(), [Measured(20)], 2, ""),
    ],
)
def test_the_reason_is_what_kubernetes_says(wanted, readings, current, reason) -> None:
    assert decided(wanted, readings, current).reason == reason


def test_fewer_replicas_wait_until_the_window_is_over_and_also_after_a_restart() -> None:
    memory, wanted = Memory(), spec()
    for second in range(300):
        found = decided(wanted, [Measured(5)], 4, memory, NOW + second)
        assert (found.replicas, found.able) == (4, Able.HELD_DOWN)
        memory = found.memory
    assert len(memory.wishes) == 2
    found = decided(wanted, [Measured(5)], 4, memory, NOW + 301)
    assert (found.replicas, found.able) == (1, Able.READY)


def test_a_window_that_is_shorter_than_the_period_holds_nothing_back() -> None:
    wanted = spec(down=replace(AT_ONCE, window_seconds=1.0))
    first = decided(wanted, [Measured(5)], 4, Memory())
    assert first.replicas == 4
    assert decided(wanted, [Measured(5)], 4, first.memory, NOW + 1.001).replicas == 1


def test_more_replicas_wait_for_a_window_of_their_own() -> None:
    wanted = spec(up=replace(DEFAULT_UP, window_seconds=10.0))
    found = decided(wanted, [Measured(90)], 2, Memory((Wish(NOW - 5, 2),), begun=True))
    assert (found.replicas, found.able) == (2, Able.HELD_UP)
    assert decided(wanted, [Measured(90)], 2, Memory((Wish(NOW - 11, 2),), begun=True)).replicas == 6


def test_a_change_counts_once_it_has_happened_and_only_then() -> None:
    wanted = spec(most=100)
    first = decided(wanted, [Measured(900)], 6)
    assert first.memory.asked == (6, 12)
    refused = decided(wanted, [Measured(900)], 6, first.memory, NOW + 1)
    assert (refused.replicas, refused.memory.changes) == (12, ())
    done = decided(wanted, [Measured(900)], 12, first.memory, NOW + 1)
    assert done.memory.changes == (Change(NOW + 1, 6),)
    assert (done.replicas, done.limit) == (12, Limit.UP_RATE)
    assert decided(wanted, [Measured(900)], 12, done.memory, NOW + 17).replicas == 24


def test_while_nobody_is_ready_a_wake_up_goes_on_and_does_not_count_as_a_change() -> None:
    wanted, none_ready = spec(least=0, most=100), 0
    memory = Memory((Wish(NOW - 1, 0),), begun=True)
    first = decide(wanted, memory, [Measured(1)], Replicas(0, none_ready), NOW, Timing())
    second = decide(wanted, first.memory, [Measured(800)], Replicas(1, none_ready), NOW + 0.01, Timing())
    assert (first.replicas, second.replicas) == (1, 80)
    third = decide(wanted, second.memory, [Measured(800)], Replicas(80, none_ready), NOW + 0.02, Timing())
    served = decide(wanted, third.memory, [Measured(900)], Replicas(80, 80), NOW + 1, Timing())
    assert (served.replicas, served.memory.changes) == (90, ())


loads = st.lists(st.one_of(st.floats(0, 500), st.none()), min_size=1, max_size=40)


@given(loads, st.integers(0, 5), st.integers(0, 20), st.integers(0, 30))
def test_replicas_are_always_within_the_bounds_and_a_decision_repeats(values, least, more, current) -> None:
    wanted, memory, now = spec(least=least, most=max(1, least + more), down=AT_ONCE), Memory(), NOW
    for value in values:
        reading: Reading = Unavailable("lost") if value is None else Measured(value)
        found = decide(wanted, memory, [reading], Replicas(current, current), now, Timing())
        again = decide(wanted, memory, [reading], Replicas(current, current), now, Timing())
        assert found == again
        if found.replicas is not None and found.active is not Active.DISABLED:
            assert wanted.least <= found.replicas <= wanted.most
        memory, now = found.memory, now + 1
        current = current if found.replicas is None else found.replicas
