"""Measure by the gateway, the one provider of analyses; in the form that Argo leaves for plugins.

provider:
  plugin:
    grandstand.dev/gateway: {service: shop, metric: error_share, compareTo: old, noData: success}
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from grandstand.kinds import Key, Object
from grandstand.measurements import Traffic, TrafficMeasurements

METRICS: dict[str, Callable[[Traffic], float | None]] = {
    "error_share": lambda traffic: traffic.error_share,
    "errors_per_second": lambda traffic: traffic.errors_per_second,
    "latency_seconds": lambda traffic: traffic.latency_seconds,
    "requests_in_flight": lambda traffic: traffic.in_flight,
    "requests_per_second": lambda traffic: traffic.requests_per_second,
}


class Spent(NamedTuple):
    """What had passed a Service at a time."""

    at: float
    requests: int
    errors: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A value, or why there is none; `measurable`: nobody asked, but what was asked for is there."""

    value: float | None
    message: str = ""
    measurable: bool = True


def read(traffic: TrafficMeasurements, namespace: str, query: Object, since: Callable[[Key], Spent | None]) -> Reading:
    """Measure what a plugin's query asks for; `since` knows what had passed a Service at the last measurement."""
    own = _one(traffic, Key(namespace, query["service"]), query, since)
    if own.value is None or not query.get("compareTo"):
        return own
    other = _one(traffic, Key(namespace, query["compareTo"]), query, since)
    if other.value is None:
        return other
    if other.value == 0:
        return Reading(1.0 if own.value == 0 else math.inf)
    return Reading(own.value / other.value)


def _one(traffic: TrafficMeasurements, service: Key, query: Object, since: Callable[[Key], Spent | None]) -> Reading:
    found = traffic.service_traffic(service)
    if found is None:
        message = f"the gateway has not measured the Service {service.name}: is it there, with an HTTP port?"
        return Reading(None, message, measurable=False)
    before, totals = since(service), traffic.service_totals(service)
    if before is not None and totals is not None and found.measured_at > before.at:
        found = _since(found, before, Spent(found.measured_at, *totals))
    least, rate = float(query.get("atLeastRequestsPerSecond") or 0), found.requests_per_second
    if rate < least:
        return Reading(None, f"{rate:.3g} requests per second have passed the Service {service.name}, not {least:g}")
    value = METRICS[query["metric"]](found)
    return Reading(None, f"no request has passed the Service {service.name}") if value is None else Reading(value)


def _since(found: Traffic, before: Spent, now: Spent) -> Traffic:
    """Rates over the whole time since the last measurement, not over the last second."""
    seconds = now.at - before.at
    return Traffic(
        measured_at=now.at,
        window_seconds=seconds,
        requests_per_second=(now.requests - before.requests) / seconds,
        in_flight=found.in_flight,
        waiting=found.waiting,
        latency_seconds=found.latency_seconds,
        errors_per_second=(now.errors - before.errors) / seconds,
    )
