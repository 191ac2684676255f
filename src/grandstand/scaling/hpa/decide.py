"""Decide how many replicas an HPA wants now. Pure: time is an argument, memory goes in and comes out.

    wish     = the highest of all metrics; one that cannot be read forbids fewer replicas
    replicas = the wish within stabilization windows, scaling policies, and least..most

Outside least..most the bound itself is taken, without a metric. At zero, and with at least one wanted, nothing is done:
so a user switches an HPA off. A target that may be zero, and of which no Pod is ready, is woken without the default
policies for scaling up: requests wait for it. Source: the Kubernetes documentation, "Horizontal Pod Autoscaling";
conditions and their messages are those of its controller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from .behavior import DEFAULT_UP, Change, Wish, least_reachable, most_reachable, stabilized
from .samples import Timing
from .spec import MetricKind, Spec
from .wishes import MetricFailure, MetricWish, Reading, Replicas, wish_of


class Active(StrEnum):
    """Reasons of the condition ScalingActive; the values are Kubernetes' names."""

    VALID = "ValidMetricFound"
    DISABLED = "ScalingDisabled"
    NO_RESOURCE = "FailedGetResourceMetric"
    NO_CONTAINER_RESOURCE = "FailedGetContainerResourceMetric"
    NO_PODS = "FailedGetPodsMetric"
    NO_OBJECT = "FailedGetObjectMetric"
    NO_EXTERNAL = "FailedGetExternalMetric"


class Able(StrEnum):
    """Reasons of the condition AbleToScale, and the messages that Kubernetes gives with them."""

    READY = "ReadyForNewScale"
    HELD_DOWN = "ScaleDownStabilized"
    HELD_UP = "ScaleUpStabilized"
    GOT_SCALE = "SucceededGetScale"


class Limit(StrEnum):
    """Reasons of the condition ScalingLimited."""

    NONE = "DesiredWithinRange"
    MOST = "TooManyReplicas"
    LEAST = "TooFewReplicas"
    UP_RATE = "ScaleUpLimit"
    DOWN_RATE = "ScaleDownLimit"


ABLE_MESSAGES = {
    Able.READY: "recommended size matches current size",
    Able.HELD_DOWN: "recent recommendations were higher than current one, applying the highest recent recommendation",
    Able.HELD_UP: "recent recommendations were lower than current one, applying the lowest recent recommendation",
    Able.GOT_SCALE: "the HPA controller was able to get the target's current scale",
}
LIMIT_MESSAGES = {
    Limit.NONE: "the desired count is within the acceptable range",
    Limit.MOST: "the desired replica count is more than the maximum replica count",
    Limit.LEAST: "the desired replica count is less than the minimum replica count",
    Limit.UP_RATE: "the desired replica count is increasing faster than the maximum scale rate",
    Limit.DOWN_RATE: "the desired replica count is decreasing faster than the maximum scale rate",
}
FAILURES = {
    MetricKind.RESOURCE: Active.NO_RESOURCE,
    MetricKind.CONTAINER_RESOURCE: Active.NO_CONTAINER_RESOURCE,
    MetricKind.PODS: Active.NO_PODS,
    MetricKind.OBJECT: Active.NO_OBJECT,
    MetricKind.EXTERNAL: Active.NO_EXTERNAL,
}
DISABLED_MESSAGE = "scaling is disabled since the replica count of the target is zero"


@dataclass(frozen=True, slots=True)
class Memory:
    """Earlier wishes and changes, as far back as a window or policy looks; empty for an HPA that is new.

    `asked` is the change that was decided last: it counts once it is seen to have happened.
    """

    wishes: tuple[Wish, ...] = ()
    changes: tuple[Change, ...] = ()
    asked: tuple[int, int] | None = None
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """`replicas` None: nothing can be said, so nothing changes. `reason` says why they change, where they do.

    `limit` is None where the bounds were not looked at: a target that is off, out of bounds, or without metrics.
    """

    replicas: int | None
    reason: str
    able: Able
    active: Active
    active_message: str
    limit: Limit | None
    metrics: tuple[MetricWish | MetricFailure, ...]
    memory: Memory


def decide(
    spec: Spec, memory: Memory, readings: Sequence[Reading], replicas: Replicas, now: float, timing: Timing
) -> Decision:
    """What is wanted now; `readings` are of `spec.metrics`, in their order."""
    current = replicas.wanted
    waking = spec.least == 0 and replicas.ready == 0 and spec.up == DEFAULT_UP
    memory = _recent(memory, spec, current, now, count=not waking)
    if current == 0 and spec.least > 0:
        return Decision(0, "", Able.GOT_SCALE, Active.DISABLED, DISABLED_MESSAGE, None, (), memory)
    if not memory.begun:  # also after a restart: what there is was wished for by somebody
        memory = replace(memory, wishes=(Wish(now, current),), begun=True)
    if spec.least <= current <= spec.most:
        found = tuple(
            wish_of(metric, reading, replicas, now, spec.tolerance, timing)
            for metric, reading in zip(spec.metrics, readings, strict=True)
        )
        decision = _by_metrics(spec, memory, found, current, now, waking=waking)
    else:
        decision = _into_bounds(spec, memory, current)
    if decision.replicas in (None, current):
        return decision
    return replace(decision, memory=replace(decision.memory, asked=(current, decision.replicas)))


def _recent(memory: Memory, spec: Spec, current: int, now: float, *, count: bool) -> Memory:
    """What still counts of a memory, with the change that has happened since, where changes count."""
    window = max(spec.up.window_seconds, spec.down.window_seconds)
    period = max((policy.period_seconds for rules in (spec.up, spec.down) for policy in rules.policies), default=0.0)
    changes = tuple(change for change in memory.changes if change.at > now - period)
    if count and memory.asked is not None and current == memory.asked[1]:
        changes = (*changes, Change(now, memory.asked[1] - memory.asked[0]))
    return Memory(tuple(wish for wish in memory.wishes if wish.at > now - window), changes, begun=memory.begun)


def _into_bounds(spec: Spec, memory: Memory, current: int) -> Decision:
    above = current > spec.most
    bound = "above Spec.MaxReplicas" if above else "below Spec.MinReplicas"
    return Decision(
        spec.most if above else spec.least,
        f"Current number of replicas {bound}",
        Able.GOT_SCALE,
        Active.VALID,
        "the replicas of the target are outside of its bounds",
        None,
        (),
        memory,
    )


def _by_metrics(
    spec: Spec,
    memory: Memory,
    found: tuple[MetricWish | MetricFailure, ...],
    current: int,
    now: float,
    *,
    waking: bool,
) -> Decision:
    wishes = [each for each in found if isinstance(each, MetricWish)]
    failure = next((each for each in found if isinstance(each, MetricFailure)), None)
    highest = max(wishes, key=lambda each: each.replicas, default=None)
    if highest is None or (failure is not None and highest.replicas < current):
        assert failure is not None  # the API gives every HPA a metric
        message = f"the HPA was unable to compute the replica count: {failure.message}"
        return Decision(None, "", Able.GOT_SCALE, FAILURES[failure.metric.kind], message, None, found, memory)
    title = highest.metric.title
    replicas, able = _stabilized(spec, memory, highest.replicas, current, now)
    replicas, limit = _limited(spec, memory, replicas, current, now, waking=waking)
    return Decision(
        replicas,
        f"{title} above target" if replicas > current else "All metrics below target" if replicas < current else "",
        able,
        Active.VALID,
        f"the HPA was able to successfully calculate a replica count from {title}",
        limit,
        found,
        replace(memory, wishes=_with_wish(memory.wishes, Wish(now, highest.replicas))),
    )


def _with_wish(wishes: tuple[Wish, ...], newest: Wish) -> tuple[Wish, ...]:
    """Of equal wishes in a row the last is enough: a window may be an hour, and a period a second."""
    same = bool(wishes) and wishes[-1].replicas == newest.replicas
    return (*(wishes[:-1] if same else wishes), newest)


def _stabilized(spec: Spec, memory: Memory, wish: int, current: int, now: float) -> tuple[int, Able]:
    replicas = stabilized(wish, current, memory.wishes, now, spec.up, spec.down)
    if replicas > wish:
        return replicas, Able.HELD_DOWN
    return replicas, Able.HELD_UP if replicas < wish else Able.READY


def _limited(spec: Spec, memory: Memory, wish: int, current: int, now: float, *, waking: bool) -> tuple[int, Limit]:
    if wish > current:
        reachable = spec.most if waking else most_reachable(current, memory.changes, now, spec.up)
        highest, limit = (reachable, Limit.UP_RATE) if reachable < spec.most else (spec.most, Limit.MOST)
        return (highest, limit) if wish > highest else (wish, Limit.NONE)
    if wish < current:
        reachable = least_reachable(current, memory.changes, now, spec.down)
        lowest, limit = (reachable, Limit.DOWN_RATE) if reachable > spec.least else (spec.least, Limit.LEAST)
        return (lowest, limit) if wish < lowest else (wish, Limit.NONE)
    return wish, Limit.NONE
