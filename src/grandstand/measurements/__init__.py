"""What is measured of Pods, Nodes and Services: the shape in which those who measure pass it to those who decide.

`node` measures Pods and the Node, `gateway` the traffic; `controllers` and `api` read both, and know neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from grandstand.kinds import Key


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU in cores, as a mean over a window, and the working set of memory in bytes, at its end."""

    cpu_cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What each container of a Pod uses; `measured_at` in Unix seconds is the end of the window."""

    uid: str
    measured_at: float
    window_seconds: float
    containers: Mapping[str, Usage]


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What the whole machine uses."""

    measured_at: float
    window_seconds: float
    usage: Usage


@dataclass(frozen=True, slots=True)
class Traffic:
    """HTTP requests over a window that ended at `measured_at` (Unix seconds), for a Service or one Pod of it.

    `in_flight` and `waiting` are the mean over the window for what has somebody to serve it, and the number of this
    moment where nobody does. `in_flight` counts what is waiting too: both want a replica.
    """

    measured_at: float
    window_seconds: float
    requests_per_second: float
    in_flight: float
    waiting: float
    latency_seconds: float | None
    """Mean until the answer's head, of the requests of the window; None where there was none."""
    errors_per_second: float
    """Answers with a status of 500 and above; where a Pod gives none, the gateway answers so itself.

    An answer that breaks off is an error of its Pod, but not of the Service: HAProxy counts it as answered there.
    """

    @property
    def error_share(self) -> float | None:
        """Of all requests of the window, 0 to 1; None where there was none."""
        return None if self.requests_per_second <= 0 else min(1.0, self.errors_per_second / self.requests_per_second)


class ResourceMeasurements(Protocol):
    """What the containers of a Node use."""

    def pod_usage(self, uid: str) -> PodUsage | None:
        """None for a Pod that is not known, or was not yet measured for a whole window."""
        ...

    def node_usage(self, name: str) -> NodeUsage | None: ...


class TrafficMeasurements(Protocol):
    """What passes the gateway."""

    def service_traffic(self, service: Key) -> Traffic | None:
        """None for a Service that the gateway does not serve, or has not measured yet."""
        ...

    def service_totals(self, service: Key) -> tuple[int, int] | None:
        """All requests since the gateway began to count, and those of them that failed; both only grow."""
        ...

    def pod_traffic(self, service: Key) -> Mapping[str, Traffic]:
        """By the uid of each Pod that serves it."""
        ...

    def on_demand(self, told: Callable[[Key], None]) -> None:
        """Have somebody told at once, again and again, of a Service that has requests waiting and nobody to serve."""
        ...
