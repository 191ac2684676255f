"""Watch one run of a container with its probes, and report what changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from zlib import crc32

from grandstand.clock import Clock
from grandstand.kinds import Probe

from .checks import Outcome
from .probes import Kind, Tally, Verdict, counted, early_pause

PORT_NOTICE_SECONDS = 10.0
"""After so long without a connection, an event says what a Pod without a readiness probe waits for."""

EARLY_EXEC_FACTOR = 40

Look = Callable[[Probe], Awaitable[Outcome]]
"""One attempt of a probe at the container."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a prober found: `verdict` None is a single failure, worth an event and nothing more."""

    kind: Kind
    verdict: Verdict | None
    message: str = ""


class Prober:
    """One task per probe; the startup probe goes before the others. `report` is called on the event loop.

    Between the start of a container and its first success, startup and readiness probes look more often than their
    period (5 ms, growing): a success counts, a failure does not. A Pod is ready when its program is, not up to a
    period later.
    """

    def __init__(self, name: str, look: Look, clock: Clock, report: Callable[[Report], None]) -> None:
        self._name = name
        self._look = look
        self._clock = clock
        self._report = report
        self._tasks: dict[Kind, asyncio.Task[None]] = {}

    def start(self, probes: Mapping[Kind, Probe], *, started: bool, ready: bool) -> None:
        """Begin, for a container that just started or (`started`, `ready`) was adopted in that state."""
        self._probes = probes
        if Kind.STARTUP in probes and not started:
            self._begin(Kind.STARTUP, self._until_started(probes[Kind.STARTUP], ready))
        else:
            self._begin_others(ready)

    def stop(self, *kinds: Kind) -> None:
        """End some of the probes, or all."""
        for kind in kinds or tuple(self._tasks):
            if task := self._tasks.pop(kind, None):
                task.cancel()

    def _begin(self, kind: Kind, work: asyncio._CoroutineLike[None]) -> None:
        self._tasks[kind] = asyncio.create_task(work, name=f"{kind.value} probe of {self._name}")

    def _begin_others(self, ready: bool) -> None:
        for kind, probe in self._probes.items():
            if kind is Kind.PORT and not ready:
                self._begin(kind, self._until_connected(probe))
            elif kind is Kind.READINESS:
                self._begin(kind, self._watch(kind, probe, Verdict.GOOD if ready else Verdict.UNKNOWN))
            elif kind is Kind.LIVENESS:
                self._begin(kind, self._watch(kind, probe, Verdict.GOOD))

    async def _until_started(self, probe: Probe, ready: bool) -> None:
        tally = await self._first_success(Kind.STARTUP, probe)
        self._report(Report(Kind.STARTUP, tally.verdict))
        if tally.verdict is Verdict.GOOD:
            self._tasks.pop(Kind.STARTUP, None)
            self._begin_others(ready)

    async def _watch(self, kind: Kind, probe: Probe, verdict: Verdict) -> None:
        """Probe for as long as the container runs."""
        tally = Tally(verdict=verdict)
        if verdict is Verdict.UNKNOWN:
            tally = await self._first_success(kind, probe)
            self._report(Report(kind, tally.verdict))
            await self._clock.sleep(probe.period_seconds * self._offset(kind))
        else:
            await self._clock.sleep(max(probe.initial_delay_seconds, probe.period_seconds * self._offset(kind)))
        while True:
            outcome = await self._look(probe)
            tally = self._count(kind, probe, tally, outcome)
            await self._clock.sleep(probe.period_seconds)

    def _offset(self, kind: Kind) -> float:
        """A part of the period that differs by container: 200 Pods started at once are not probed at once for ever."""
        return (crc32(f"{self._name}/{kind.value}".encode()) % 1000) / 1000

    def _count(self, kind: Kind, probe: Probe, tally: Tally, outcome: Outcome) -> Tally:
        after = counted(probe, tally, outcome.success)
        if not outcome.success:
            self._report(Report(kind, None, outcome.message))
        if after.verdict is not tally.verdict:
            self._report(Report(kind, after.verdict, outcome.message))
        return after

    async def _first_success(self, kind: Kind, probe: Probe) -> Tally:
        """Look early and often until a first verdict that ends the start: good, or (startup probe) bad."""
        await self._clock.sleep(probe.initial_delay_seconds)
        tally, attempt, due = Tally(), 0, self._clock.monotonic()
        while True:
            outcome = await self._look(probe)
            regular = self._clock.monotonic() >= due
            if regular:
                due = self._clock.monotonic() + probe.period_seconds
            if outcome.success or regular:
                tally = counted(probe, tally, outcome.success)
                if not outcome.success:
                    self._report(Report(kind, None, outcome.message))
            if tally.verdict is Verdict.GOOD or (tally.verdict is Verdict.BAD and kind is Kind.STARTUP):
                return tally
            await self._clock.sleep(self._pause(probe, tally, attempt, due))
            attempt += 1

    def _pause(self, probe: Probe, tally: Tally, attempt: int, due: float) -> float:
        """Successes that must come in a row keep the period's distance; a command costs more than a connection."""
        until_due = max(0.0, due - self._clock.monotonic())
        if tally.successes:
            return until_due
        pause = early_pause(attempt, probe.period_seconds)
        return min(pause * EARLY_EXEC_FACTOR if probe.exec is not None else pause, until_due)

    async def _until_connected(self, probe: Probe) -> None:
        attempt, noticed, begun = 0, False, self._clock.monotonic()
        while not (outcome := await self._look(probe)).success:
            if not noticed and self._clock.monotonic() - begun > PORT_NOTICE_SECONDS:
                noticed = True
                self._report(Report(Kind.PORT, None, outcome.message))
            await self._clock.sleep(early_pause(attempt, 1.0))
            attempt += 1
        self._report(Report(Kind.PORT, Verdict.GOOD))
