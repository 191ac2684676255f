from __future__ import annotations

from collections.abc import Callable

import pytest

from grandstand.clock import VirtualClock
from grandstand.kinds import Container, Object, Probe, view
from grandstand.node.checks import Outcome
from grandstand.node.prober import Prober, Report
from grandstand.node.probes import Kind, Tally, Verdict, counted, early_pause, probes_of


@pytest.mark.parametrize(
    ("results", "success", "failure", "verdicts"),
    [
        ("+", 1, 3, "G"),
        ("-", 1, 3, "?"),
        ("---", 1, 3, "??B"),
        ("++", 2, 3, "?G"),
        ("+-+", 2, 3, "???"),
        ("+--+---", 1, 3, "GGGGGGB"),
        ("---+", 1, 3, "??BG"),
    ],
    ids=["one success", "one failure", "failed", "two in a row", "not in a row", "a success between", "recovered"],
)
def test_thresholds(results: str, success: int, failure: int, verdicts: str) -> None:
    probe = Probe(success_threshold=success, failure_threshold=failure)
    letters = {Verdict.GOOD: "G", Verdict.BAD: "B", Verdict.UNKNOWN: "?"}
    tally, seen = Tally(), ""
    for result in results:
        tally = counted(probe, tally, result == "+")
        seen += letters[tally.verdict]
    assert seen == verdicts


@pytest.mark.parametrize(
    ("container", "kinds"),
    [
        ({}, set()),
        ({"ports": [{"containerPort": 80}]}, {Kind.PORT}),
        ({"ports": [{"containerPort": 53, "protocol": "UDP"}]}, set()),
        ({"ports": [{"containerPort": 80}], "readinessProbe": {"tcpSocket": {"port": 80}}}, {Kind.READINESS}),
        ({"livenessProbe": {"exec": {}}, "startupProbe": {"exec": {}}}, {Kind.LIVENESS, Kind.STARTUP}),
    ],
    ids=["nothing declared", "a port", "udp", "a probe instead", "others"],
)
def test_which_probes_watch_a_container(container: Object, kinds: set[Kind]) -> None:
    assert probes_of(view(Container, {"name": "c", **container})).keys() == kinds


def test_early_looks_grow_from_five_milliseconds_to_the_period() -> None:
    pauses = [early_pause(attempt, 10) for attempt in range(50)]
    assert all(pauses[n] <= 0.00501 + sum(pauses[:n]) / 5 for n in range(50))
    assert pauses[0] == 0.005
    assert pauses == sorted(pauses)
    assert pauses[-1] == 10


class Watched:
    """A container whose probes succeed when `healthy` says so."""

    def __init__(self, probes: dict[Kind, Probe], healthy: Callable[[float], bool], **state: bool) -> None:
        self.clock = VirtualClock(0.0)
        self.reports: list[tuple[float, Report]] = []
        self.looks: list[float] = []
        self.healthy = healthy
        self.prober = Prober("c", self.look, self.clock, lambda report: self.reports.append((self.clock.now(), report)))
        self.prober.start(probes, started=state.get("started", False), ready=state.get("ready", False))

    async def look(self, probe: Probe) -> Outcome:
        self.looks.append(self.clock.now())
        return Outcome(self.healthy(self.clock.now()), "no")

    def verdicts(self) -> list[tuple[float, Kind, Verdict]]:
        return [(round(at, 3), r.kind, r.verdict) for at, r in self.reports if r.verdict is not None]


PROBE = Probe(period_seconds=10, failure_threshold=3)


async def test_readiness_is_seen_soon_after_it_comes() -> None:
    watched = Watched({Kind.READINESS: PROBE}, lambda now: now >= 0.5)
    await watched.clock.advance(1)
    ((at, kind, verdict),) = watched.verdicts()
    assert (kind, verdict) == (Kind.READINESS, Verdict.GOOD)
    assert 0.5 <= at < 0.8
    watched.prober.stop()


async def test_early_looks_do_not_count_as_failures() -> None:
    watched = Watched({Kind.STARTUP: PROBE}, lambda now: False)
    await watched.clock.advance(19)
    assert watched.verdicts() == []
    await watched.clock.advance(2)
    assert watched.verdicts() == [(20.0, Kind.STARTUP, Verdict.BAD)]
    assert len([1 for _, report in watched.reports if report.verdict is None]) == 3
    watched.prober.stop()


async def test_the_initial_delay_is_kept() -> None:
    watched = Watched({Kind.READINESS: Probe(initial_delay_seconds=7)}, lambda now: True)
    await watched.clock.advance(6.9)
    assert watched.looks == []
    await watched.clock.advance(0.2)
    assert watched.looks == [7.0]
    watched.prober.stop()


async def test_a_startup_probe_goes_before_the_others() -> None:
    probes = {Kind.STARTUP: PROBE, Kind.READINESS: PROBE, Kind.LIVENESS: PROBE}
    watched = Watched(probes, lambda now: now >= 15)
    await watched.clock.advance(14)
    assert watched.verdicts() == []
    await watched.clock.advance(6.1)
    assert [kind for _, kind, _ in watched.verdicts()] == [Kind.STARTUP, Kind.READINESS]
    watched.prober.stop()


async def test_liveness_fails_after_its_threshold_and_says_so_once() -> None:
    watched = Watched({Kind.LIVENESS: PROBE}, lambda now: now < 30)
    await watched.clock.advance(100)
    ((at, kind, verdict),) = watched.verdicts()
    assert (kind, verdict) == (Kind.LIVENESS, Verdict.BAD)
    assert 50 <= at <= 60
    watched.prober.stop()


async def test_readiness_comes_and_goes_and_only_changes_are_verdicts() -> None:
    watched = Watched({Kind.READINESS: PROBE}, lambda now: not 50 <= now < 90)
    await watched.clock.advance(150)
    assert [verdict for _, _, verdict in watched.verdicts()] == [Verdict.GOOD, Verdict.BAD, Verdict.GOOD]
    watched.prober.stop()


async def test_an_adopted_container_stays_ready_until_its_probe_fails_often_enough() -> None:
    watched = Watched({Kind.READINESS: PROBE}, lambda now: False, started=True, ready=True)
    await watched.clock.advance(19)
    assert watched.verdicts() == []
    await watched.clock.advance(12)
    assert [verdict for _, _, verdict in watched.verdicts()] == [Verdict.BAD]
    watched.prober.stop()


async def test_a_port_that_accepts_is_enough_and_is_asked_no_more() -> None:
    watched = Watched({Kind.PORT: PROBE}, lambda now: now >= 12)
    await watched.clock.advance(11)
    assert [report.kind for _, report in watched.reports] == [Kind.PORT], "one word on what it waits for"
    await watched.clock.advance(3)
    assert [verdict for _, _, verdict in watched.verdicts()] == [Verdict.GOOD]
    looks = len(watched.looks)
    await watched.clock.advance(100)
    assert len(watched.looks) == looks


async def test_successes_in_a_row_keep_the_distance_of_the_period() -> None:
    watched = Watched({Kind.READINESS: Probe(success_threshold=3, period_seconds=10)}, lambda now: True)
    await watched.clock.advance(25)
    assert watched.verdicts() == [(20.0, Kind.READINESS, Verdict.GOOD)]
    watched.prober.stop()


async def test_containers_started_together_are_not_probed_together() -> None:
    many = [Watched({Kind.LIVENESS: PROBE}, lambda now: True) for _ in range(1)]
    clock, looks = VirtualClock(0.0), []

    async def look(probe: Probe) -> Outcome:
        looks.append(clock.now())
        return Outcome(True)

    probers = [Prober(f"p{number}", look, clock, lambda report: None) for number in range(100)]
    for prober in probers:
        prober.start({Kind.LIVENESS: PROBE}, started=True, ready=True)
    await clock.advance(10)
    assert len({round(at) for at in looks}) >= 9
    for prober in (*probers, many[0].prober):
        prober.stop()
