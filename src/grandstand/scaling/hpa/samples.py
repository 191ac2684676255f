"""Say which Pods' measurements count for an HPA. Pure: time is an argument.

| Pod                                                             | counts as |
|-----------------------------------------------------------------|-----------|
| is being deleted, or has failed                                 | nothing   |
| pending                                                         | not ready |
| without a measurement                                           | missing   |
| CPU: without a Ready condition or a start time                  | not ready |
| CPU: started within `cpu_initialization_seconds`, and not ready,| not ready |
|   or measured before it was ready for one whole window          |           |
| CPU: later, not ready, and last became so within                | not ready |
|   `initial_readiness_seconds` of its start                      |           |
| else                                                            | ready     |

Source: the Kubernetes documentation of the algorithm, "Horizontal Pod Autoscaling", and its controller's options.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """For how long after its start a Pod's CPU says little: Kubernetes' defaults, in seconds."""

    cpu_initialization_seconds: float = 300.0
    initial_readiness_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """A Pod's Ready condition: what it is, and since when (seconds)."""

    ready: bool
    since: float


@dataclass(frozen=True, slots=True)
class PodSample:
    """What is known of one Pod; times in seconds, `value` and `request` in the metric's own unit.

    `value` is the mean over the `window_seconds` before `measured_at`; None where nothing was measured. `request` is
    what its containers request of the resource together; None where one of them requests nothing.
    """

    name: str
    value: float | None
    request: float | None = None
    measured_at: float = 0.0
    window_seconds: float = 0.0
    started_at: float | None = None
    readiness: Readiness | None = None
    pending: bool = False
    ended: bool = False
    """Being deleted, or failed."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The Pods of a target by what their measurements are worth."""

    ready: tuple[PodSample, ...]
    unready: tuple[PodSample, ...]
    missing: tuple[PodSample, ...]


def sort_samples(samples: Iterable[PodSample], now: float, *, cpu: bool, timing: Timing) -> Sorted:
    """Sort Pods by the table at the top of this module."""
    ready: list[PodSample] = []
    unready: list[PodSample] = []
    missing: list[PodSample] = []
    for sample in samples:
        if sample.ended:
            continue
        if sample.pending:
            unready.append(sample)
        elif sample.value is None:
            missing.append(sample)
        elif cpu and _says_little(sample, now, timing):
            unready.append(sample)
        else:
            ready.append(sample)
    return Sorted(tuple(ready), tuple(unready), tuple(missing))


def _says_little(sample: PodSample, now: float, timing: Timing) -> bool:
    if sample.readiness is None or sample.started_at is None:
        return True
    ready, since = sample.readiness.ready, sample.readiness.since
    if sample.started_at + timing.cpu_initialization_seconds > now:
        return not ready or sample.measured_at < since + sample.window_seconds
    return not ready and sample.started_at + timing.initial_readiness_seconds > since
