"""From HAProxy's counters to traffic: rates, several workers, counters that begin anew, what waits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from grandstand.gateway.haproxy import ACTIVATOR, Counters, Look, Place
from grandstand.gateway.traffic import Member, TrafficMeter
from grandstand.kinds import Key

WEB = Key("default", "web")
SERVICES = {"web.80": WEB, "web.81": WEB}
A, B = Member("uid-a", "web-a"), Member("uid-b", "web-b")
PODS = {Place("web.80", "a"): A, Place("web.80", "b"): B, Place("web.81", "a"): A}
ROW = Counters("web.80", None, "UP", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def backend(requests: int, errors: int = 0, **changes: object) -> Counters:
    return replace(ROW, requests=requests, answered_5xx=errors, **changes)


def server(name: str, requests: int, in_flight: int = 0, **changes: object) -> Counters:
    return replace(ROW, server=name, requests=requests, in_flight=in_flight, **changes)


class Looks:
    """A meter that is looked at every 100 ms."""

    def __init__(self) -> None:
        self.held = 0
        self.meter = TrafficMeter(lambda service: self.held)
        self.at = 1000.0

    def take(
        self, *counters: Counters, worker: int = 1, silent: Collection[int] = (), **others: list[Counters]
    ) -> None:
        self.at += 0.1
        old = {int(name[1:]): rows for name, rows in others.items()}
        self.meter.take(self.at, Look({worker: counters, **old}, frozenset(silent)), SERVICES, PODS)

    def rest(self, count: int) -> None:
        for _ in range(count):
            self.at += 0.1
            self.meter.rest(self.at)


def test_rates_are_of_the_last_second_and_nothing_counts_that_was_before() -> None:
    it = Looks()
    it.take(backend(5000, 100))
    assert it.meter.service_traffic(WEB) is None
    for look in range(1, 31):
        it.take(backend(5000 + 10 * look, 100 + look))
    found = it.meter.service_traffic(WEB)
    assert found is not None
    assert found.requests_per_second == pytest.approx(100)
    assert found.errors_per_second == pytest.approx(10)
    assert found.error_share == pytest.approx(0.1)
    assert (found.measured_at, found.window_seconds) == (pytest.approx(it.at), pytest.approx(1.0))


def test_in_flight_is_the_mean_of_all_servers_and_what_is_queued() -> None:
    it = Looks()
    for look in range(20):
        busy = 4 if look % 2 else 2
        it.take(backend(0, queued=1), server("a", 0, busy), server("b", 0, busy, backend="web.81"))
    found = it.meter.service_traffic(WEB)
    assert found is not None
    assert found.in_flight == pytest.approx(7)
    assert found.waiting == pytest.approx(1)


def test_each_pod_has_its_own_traffic_over_all_its_ports() -> None:
    it = Looks()
    for look in range(20):
        it.take(server("a", 10 * look, 3), server("a", 5 * look, 1, backend="web.81"), server("b", look, 0))
    found = it.meter.pod_traffic(WEB)
    assert found["uid-a"].requests_per_second == pytest.approx(150)
    assert found["uid-a"].in_flight == pytest.approx(4)
    assert found["uid-b"].requests_per_second == pytest.approx(10)


def test_a_reload_neither_loses_nor_doubles_requests() -> None:
    it = Looks()
    for look in range(10):
        it.take(backend(1000 + 10 * look))
    for look in range(5):
        it.take(backend(5 * look), worker=2, w1=[backend(1090 + 5 * look)])
    for look in range(5, 10):
        it.take(backend(20 + 10 * (look - 4)), worker=2)
    assert it.meter.totals[WEB].requests == 90 + 20 + 20 + 50


def test_a_worker_whose_counters_begin_anew_adds_what_it_has_since() -> None:
    it = Looks()
    it.take(backend(1000))
    it.take(backend(1010))
    it.take(backend(7))
    assert it.meter.totals[WEB].requests == 17


SILENT = None


@pytest.mark.parametrize(
    ("looks", "requests"),
    [
        ([1000, 1010, 1017], 17),
        ([1000, 1010, SILENT, 1017], 17),
        ([1000, 1010, SILENT, SILENT, 1010], 10),
        ([SILENT, 1000, 1017], 17),
        ([SILENT, SILENT, 1000, SILENT, 1017], 17),
        ([1000, SILENT, 7], 7),
    ],
    ids=["always there", "late once", "late and idle", "late at first", "late again", "another process of that number"],
)
def test_a_worker_that_does_not_answer_in_time_is_counted_on(looks: list[int | None], requests: int) -> None:
    it = Looks()
    for old in looks:
        if old is SILENT:
            it.take(backend(0), worker=2, silent=[1])
        else:
            it.take(backend(0), worker=2, w1=[backend(old)])
    assert it.meter.totals[WEB].requests == requests


def test_a_worker_that_does_not_answer_still_has_what_it_had_in_flight() -> None:
    it = Looks()
    it.take(backend(0), worker=2, w1=[server("a", 5, 3)])
    it.take(backend(0), worker=2, silent=[1])
    assert (it.meter.totals[WEB].in_flight, it.meter.busy) == (3, True)
    it.take(backend(0), worker=2)
    assert (it.meter.totals[WEB].in_flight, it.meter.busy) == (0, False)


@pytest.mark.parametrize("comes_back", [False, True], ids=["gone", "gone and back"])
def test_a_port_that_is_routed_no_more_takes_nothing_from_its_service(comes_back: bool) -> None:
    it = Looks()
    for look in range(20):
        ports = [backend(10 * look), backend(10 * look, look, backend="web.81")]
        it.take(*ports, server("a", 10 * look), server("a", 10 * look, backend="web.81"))
    before = it.meter.service_totals(WEB)
    assert before == (380, 19)
    for look in range(20, 30):
        back = [backend(0, backend="web.81"), server("a", 0, backend="web.81")] if comes_back and look > 22 else []
        it.take(backend(10 * look), server("a", 10 * look), *back)
        after = it.meter.service_totals(WEB)
        assert after is not None
        assert after >= before
        before = after
        for found in (it.meter.service_traffic(WEB), it.meter.pod_traffic(WEB)["uid-a"]):
            assert found is not None
            assert found.requests_per_second >= 100 - 1e-6
            assert found.errors_per_second >= 0
    assert before == (480, 19)
    assert it.meter.pod_totals(WEB)["uid-a"].requests == 480


def test_a_reload_keeps_the_latency_until_the_new_worker_has_one() -> None:
    it = Looks()
    it.take(backend(0, response_milliseconds=40))
    it.take(backend(0), worker=2)
    assert it.meter.totals[WEB].latency_seconds == pytest.approx(0.04)


def test_after_a_rest_a_rate_is_not_spread_over_the_rest() -> None:
    it = Looks()
    it.take(backend(0))
    it.rest(600)
    found = it.meter.service_traffic(WEB)
    assert found is not None
    assert (found.requests_per_second, found.in_flight) == (0, 0)
    assert found.measured_at == pytest.approx(it.at)
    it.take(backend(50))
    found = it.meter.service_traffic(WEB)
    assert found is not None
    assert found.requests_per_second == pytest.approx(50 / 1.1)


def test_what_waits_at_the_activator_counts_at_once_and_once() -> None:
    it = Looks()
    it.take(backend(0))
    it.rest(20)
    it.held = 25
    it.take(backend(0), server(ACTIVATOR, 0, 25))
    found = it.meter.service_traffic(WEB)
    assert found is not None
    assert (found.in_flight, found.waiting) == (pytest.approx(25), pytest.approx(25))
    assert "activator" not in it.meter.pod_traffic(WEB)


@pytest.mark.parametrize(
    ("whole", "activator", "counted"),
    [((5, 0), (0, 0), (5, 0)), ((10, 0), (5, 0), (5, 0)), ((5, 5), (5, 5), (5, 5)), ((9, 2), (5, 2), (6, 2))],
    ids=["never met it", "piped", "refused", "some of each"],
)
def test_what_the_activator_pipes_counts_once(
    whole: tuple[int, int], activator: tuple[int, int], counted: tuple[int, int]
) -> None:
    it = Looks()
    it.take(backend(0), server(ACTIVATOR, 0))
    it.take(server(ACTIVATOR, activator[0], answered_5xx=activator[1]), backend(*whole))
    assert it.meter.service_totals(WEB) == counted


def test_what_a_pod_does_not_answer_is_an_error_once() -> None:
    it = Looks()
    it.take(backend(0), server("a", 0))
    it.take(backend(3, 2, unanswered=1), server("a", 2, answered_5xx=1, unanswered=1))
    assert it.meter.service_totals(WEB) == (3, 2)
    assert it.meter.pod_totals(WEB)["uid-a"].errors == 2


def test_a_service_that_is_gone_is_forgotten() -> None:
    it = Looks()
    it.take(backend(0))
    it.take(backend(1))
    it.meter.take(it.at + 0.1, Look({1: [backend(2)]}), {}, {})
    assert it.meter.service_traffic(WEB) is None


def test_prometheus_gets_pods_by_name_and_no_series_twice() -> None:
    it = Looks()
    it.take(server("a", 5), server("b", 2))
    it.take(server("a", 6), server("b", 4))
    [counted] = [each for each in it.meter.families() if each.name == "grandstand_pod_requests_total"]
    labels = {"namespace": "default", "service": "web"}
    expected = [(labels | {"pod": "web-a"}, 1), (labels | {"pod": "web-b"}, 2)]
    assert [(sample.labels, sample.value) for sample in counted.samples] == expected
    again = {
        Place("web.80", "a"): A,
        Place("web.80", "b"): Member("uid-c", "web-a"),
        Place("web.81", "a"): Member("", ""),
    }
    it.meter.take(
        it.at + 0.1, Look({1: [server("a", 6), server("b", 4), server("a", 1, backend="web.81")]}), SERVICES, again
    )
    [counted] = [each for each in it.meter.families() if each.name == "grandstand_pod_requests_total"]
    assert [sample.labels for sample in counted.samples] == [labels | {"pod": "web-a"}]


def test_demand_is_told_to_everyone() -> None:
    it, told = Looks(), []
    it.meter.on_demand(told.append)
    it.meter.on_demand(told.append)
    it.meter.announce(WEB)
    assert told == [WEB, WEB]


def test_it_is_busy_while_something_is_in_flight() -> None:
    it = Looks()
    it.take(server("a", 1, 1))
    assert it.meter.busy
    it.take(server("a", 1, 0))
    assert not it.meter.busy
    it.take(backend(1), server(ACTIVATOR, 0, 1))
    assert it.meter.busy
