"""Turn HAProxy's counters into what passes each Service and Pod. Pure but for its memory: time is an argument.

Counters belong to a worker process, and begin at 0 with it: after a reload several workers count. What each adds since
the last look is summed up here, by Service and by Pod, so that totals never go back, whichever backends and servers go.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from grandstand.exposition import Family, Kind
from grandstand.exposition import Sample as Number
from grandstand.kinds import Key
from grandstand.measurements import Traffic

from .haproxy import ACTIVATOR, Counters, Look, Place

WINDOW_SECONDS = 1.0


class Sample(NamedTuple):
    """Totals since the gateway began to count, and what is going on at this moment."""

    at: float
    requests: int
    errors: int
    in_flight: int
    waiting: int
    latency_seconds: float


class Member(NamedTuple):
    """The Pod behind a server, which is in its Service's namespace; empty where an endpoint names none."""

    uid: str
    name: str


_EXPOSED: tuple[tuple[str, Kind, str, Callable[[Sample], float]], ...] = (
    ("requests_total", Kind.COUNTER, "Requests that passed the gateway.", lambda sample: sample.requests),
    ("request_errors_total", Kind.COUNTER, "Answers of 500 and above, or none.", lambda sample: sample.errors),
    ("requests_in_flight", Kind.GAUGE, "Requests that a server has or that queue.", lambda sample: sample.in_flight),
    ("request_latency_seconds", Kind.GAUGE, "Mean of up to 1,024 requests.", lambda sample: sample.latency_seconds),
)

NOTHING = Sample(0.0, 0, 0, 0, 0, 0.0)


@dataclass(slots=True)
class Window:
    """The samples of the last second, and the one before them, from which rates are counted."""

    samples: deque[Sample] = field(default_factory=deque)

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        while len(self.samples) > 2 and self.samples[1].at <= sample.at - WINDOW_SECONDS:
            self.samples.popleft()

    @property
    def last(self) -> Sample:
        return self.samples[-1] if self.samples else NOTHING

    def traffic(self, held: int = 0) -> Traffic | None:
        """None before there are two samples. `held`: requests that wait at the activator at this moment."""
        if len(self.samples) < 2:
            return None
        first, last = self.samples[0], self.samples[-1]
        seconds = last.at - first.at
        moments = list(self.samples)[1:]
        requests = last.requests - first.requests
        return Traffic(
            measured_at=last.at,
            window_seconds=seconds,
            requests_per_second=requests / seconds,
            in_flight=sum(each.in_flight for each in moments) / len(moments) + held,
            waiting=sum(each.waiting for each in moments) / len(moments) + held,
            latency_seconds=last.latency_seconds if requests else None,
            errors_per_second=(last.errors - first.errors) / seconds,
        )


@dataclass(slots=True)
class _Added:
    """What a look adds to the totals of a place, and what it finds there."""

    requests: int = 0
    errors: int = 0
    unanswered: int = 0
    in_flight: int = 0
    queued: int = 0
    latency_seconds: float = 0.0


class TrafficMeter:
    """What passes each Service and Pod, from the looks that `take` is given. `held` asks the activator."""

    def __init__(self, held: Callable[[Key], int]) -> None:
        self._held = held
        self._counted: dict[tuple[int, Place], Counters] = {}
        self._unheard: frozenset[int] | None = None
        self._services: dict[Key, Window] = {}
        self._pods: dict[Key, dict[str, Window]] = {}
        self._pod_names: dict[str, str] = {}
        self._told: list[Callable[[Key], None]] = []
        self._moved_at = 0.0
        self.busy = False
        """Whether something was in flight at the last look, at the activator, too: HAProxy counts it when it ends."""
        self._rested_at = 0.0

    def take(
        self,
        at: float,
        look: Look,
        services: Mapping[str, Key],
        pods: Mapping[Place, Member],
    ) -> None:
        """One look: the counters of all workers, the Service of each backend, the Pod of each server."""
        if self._rested_at - self._moved_at > WINDOW_SECONDS:
            self._mark_rest(self._rested_at - WINDOW_SECONDS)
            self._mark_rest(self._rested_at)
        self._moved_at = at
        found = self._count(look)
        self.busy = any(added.in_flight or added.queued for added in found.values())
        self._sample(at, found, services, pods)

    def rest(self, at: float) -> None:
        """Nothing has moved since the last look, and nothing is in flight. Once that shows everywhere, it is cheap."""
        if self._rested_at - self._moved_at <= WINDOW_SECONDS:
            self._mark_rest(at)
        self._rested_at = at

    def _mark_rest(self, at: float) -> None:
        for window in (*self._services.values(), *(pod for pods in self._pods.values() for pod in pods.values())):
            window.add(window.last._replace(at=at))

    @property
    def totals(self) -> Mapping[Key, Sample]:
        """By Service, since the gateway began to count."""
        return {service: window.last for service, window in self._services.items()}

    def pod_totals(self, service: Key) -> Mapping[str, Sample]:
        return {uid: window.last for uid, window in self._pods.get(service, {}).items()}

    def families(self) -> Iterable[Family]:
        """For Prometheus, by Service and by Pod, whose name no other has at the same time."""
        services = [({"namespace": k.namespace, "service": k.name}, w.last) for k, w in self._services.items()]
        last = {
            (key, self._pod_names[uid]): window.last
            for key, windows in self._pods.items()
            for uid, window in windows.items()
            if uid in self._pod_names
        }
        pods = [({"namespace": k.namespace, "service": k.name, "pod": pod}, s) for (k, pod), s in last.items()]
        for prefix, samples in (("grandstand_service", services), ("grandstand_pod", pods)):
            for name, kind, told, value in _EXPOSED:
                yield Family(f"{prefix}_{name}", kind, told, tuple(Number(value(s), labels) for labels, s in samples))
        held = tuple(Number(self._held(k), {"namespace": k.namespace, "service": k.name}) for k in self._services)
        yield Family("grandstand_service_requests_held", Kind.GAUGE, "Requests that wait in the activator.", held)

    # TrafficMeasurements

    def service_traffic(self, service: Key) -> Traffic | None:
        window = self._services.get(service)
        found = None if window is None else window.traffic(self._held(service))
        return None if found is None else self._fresh(found)

    def service_totals(self, service: Key) -> tuple[int, int] | None:
        window = self._services.get(service)
        return None if window is None else (window.last.requests, window.last.errors)

    def pod_traffic(self, service: Key) -> Mapping[str, Traffic]:
        found = {uid: window.traffic() for uid, window in self._pods.get(service, {}).items()}
        return {uid: self._fresh(traffic) for uid, traffic in found.items() if traffic is not None}

    def _fresh(self, traffic: Traffic) -> Traffic:
        return replace(traffic, measured_at=max(traffic.measured_at, self._rested_at))

    def on_demand(self, told: Callable[[Key], None]) -> None:
        self._told.append(told)

    def announce(self, service: Key) -> None:
        """Tell whoever wants to know that requests wait for a Service."""
        for told in self._told:
            told(service)

    def _count(self, look: Look) -> Mapping[Place, _Added]:
        """What each place has got since the last look. A worker that is silent is where it was when it last spoke."""
        if self._unheard is None:
            # What these have served so far was counted by nobody: the gateway may have served for days.
            self._unheard = look.silent | look.counters.keys()
        found: defaultdict[Place, _Added] = defaultdict(_Added)
        counted = {known: last for known, last in self._counted.items() if known[0] in look.silent}
        for (_, place), last in counted.items():
            _grow(found[place], last, last)
        for worker, counters in look.counters.items():
            for each in counters:
                place = Place(each.backend, each.server or "")
                counted[worker, place] = each
                _grow(found[place], self._counted.get((worker, place), each if worker in self._unheard else None), each)
        self._counted, self._unheard = counted, self._unheard & look.silent
        return found

    def _sample(
        self, at: float, found: Mapping[Place, _Added], services: Mapping[str, Key], pods: Mapping[Place, Member]
    ) -> None:
        by_service: defaultdict[Key, _Added] = defaultdict(_Added)
        by_pod: defaultdict[tuple[Key, str], _Added] = defaultdict(_Added)
        for place, added in found.items():
            service = services.get(place.backend)
            if service is None:
                continue
            if place.server == ACTIVATOR:
                # What it answers without an error has come from a Pod, by a second way through the backend.
                by_service[service].requests -= added.requests - added.errors
            elif not place.server:  # a whole backend: all but what its servers have in flight, which is added below
                _add(by_service[service], added, in_flight=0)
            else:
                by_service[service].in_flight += added.in_flight
                by_service[service].queued += added.queued
                if (pod := pods.get(place)) is not None:
                    _add(by_pod[service, pod.uid], added, in_flight=added.in_flight)
                    by_pod[service, pod.uid].errors += added.unanswered
        self._pod_names = {pod.uid: pod.name for pod in pods.values() if pod.name}
        self._services = {key: self._services.get(key, Window()) for key in set(services.values())}
        for key, window in self._services.items():
            window.add(_sample_of(at, window.last, by_service[key]))
        before, self._pods = self._pods, {}
        for (key, uid), added in by_pod.items():
            window = before.get(key, {}).get(uid, Window())
            window.add(_sample_of(at, window.last, added))
            self._pods.setdefault(key, {})[uid] = window


def _grow(added: _Added, before: Counters | None, now: Counters) -> None:
    added.requests += _grown(now.requests, before.requests if before else 0)
    added.errors += _grown(now.answered_5xx, before.answered_5xx if before else 0)
    added.unanswered += _grown(now.unanswered, before.unanswered if before else 0)
    added.in_flight += now.in_flight
    added.queued += now.queued
    added.latency_seconds = now.response_milliseconds / 1000 or added.latency_seconds


def _grown(now: int, before: int) -> int:
    """How much a counter has grown; one that has gone back began anew."""
    return now - before if now >= before else now


def _add(to: _Added, added: _Added, *, in_flight: int) -> None:
    to.requests += added.requests
    to.errors += added.errors
    to.in_flight += in_flight
    to.queued += added.queued
    to.latency_seconds = max(to.latency_seconds, added.latency_seconds)


def _sample_of(at: float, before: Sample, added: _Added) -> Sample:
    return Sample(
        at,
        before.requests + added.requests,
        before.errors + added.errors,
        added.in_flight + added.queued,
        added.queued,
        added.latency_seconds or before.latency_seconds,
    )
