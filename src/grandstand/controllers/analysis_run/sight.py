"""What the runner has to know of the controller of AnalysisRuns: what it watches, and how it measures."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from grandstand.kinds import AnalysisRun, Key, Object, key_of
from grandstand.kinds.resources import ANALYSIS_RUNS
from grandstand.kinds.rollouts import GATEWAY_PLUGIN, filled
from grandstand.measurements import TrafficMeasurements
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from .provider import Reading, Spent, read
from .reconcile import Seen, arguments_of, due, reconcile


class Sight:
    """Takes the measurements that are due. What had passed at the last one is kept here, and lost with the engine."""

    def __init__(self, caches: Caches, traffic: TrafficMeasurements) -> None:
        self._runs = caches.table(ANALYSIS_RUNS, AnalysisRun)
        self._traffic = traffic
        self._spent: dict[str, dict[tuple[str, Key], Spent]] = {}

    async def look(self, key: Key, now: float) -> tuple[AnalysisRun, Seen] | None:
        run, raw = self._runs.get(key), self._runs.object(key)
        if run is None or raw is None or run.status.over or run.metadata.deletion_timestamp is not None:
            return None
        readings = {name: self._read(run, name, query) for name, query in due(run, raw, now).items()}
        self._remember(run, raw)
        return run, Seen(raw, readings, now)

    def of_run(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        if after is None:
            if before is not None:
                self._spent.pop(before["metadata"]["uid"], None)
            return []
        if before is not None and before.get("spec") == after.get("spec"):
            return []  # its own status: it comes again when it is due
        return [key_of(after)]

    def _read(self, run: AnalysisRun, name: str, query: Object) -> Reading:
        spent = self._spent.setdefault(run.metadata.uid, {})
        found = read(self._traffic, run.metadata.namespace, query, partial(_known, spent, name))
        for service in _services(run, query):
            spent.pop((name, service), None)  # the next measurement counts from here
        return found

    def _remember(self, run: AnalysisRun, raw: Object) -> None:
        """Note what has passed, from the begin of the run on, for rates over the whole time between measurements."""
        spent = self._spent.setdefault(run.metadata.uid, {})
        for metric in run.spec.get("metrics") or ():
            query = ((metric.get("provider") or {}).get("plugin") or {}).get(GATEWAY_PLUGIN) or {}
            for service in _services(run, query):
                traffic, totals = self._traffic.service_traffic(service), self._traffic.service_totals(service)
                if traffic is not None and totals is not None:
                    spent.setdefault((metric["name"], service), Spent(traffic.measured_at, *totals))


def _known(spent: dict[tuple[str, Key], Spent], name: str, service: Key) -> Spent | None:
    return spent.get((name, service))


def _services(run: AnalysisRun, query: Object) -> list[Key]:
    try:
        named = filled([query.get("service"), query.get("compareTo")], arguments_of(run))
    except KeyError:
        return []
    return [Key(run.metadata.namespace, name) for name in named if name]


def controller(caches: Caches, traffic: TrafficMeasurements) -> Controller[Key, AnalysisRun, Seen]:
    """The description for the runner."""
    sight = Sight(caches, traffic)
    return Controller("analysis-run", {ANALYSIS_RUNS: sight.of_run}, sight.look, reconcile)
