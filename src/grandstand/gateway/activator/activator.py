"""The turnstile: where HAProxy sends requests that nobody can serve, and that lets them through when somebody can.

It is no proxy as long as it need not be: a request without a body is answered 425, and HAProxy sends it to a server.
What HAProxy cannot send twice is piped back into HAProxy, through a door that only the engine can reach.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grandstand.clock import Clock
from grandstand.errors import GrandstandError
from grandstand.gateway.sockets import short_path, taken
from grandstand.kinds import Key

from .failures import StartFailure
from .gates import Fate, Gate, Limits, deadline, fate
from .visitor import Pipe, Visitor
from .wire import TRY_AGAIN, refusal, replayable

log = logging.getLogger(__name__)

BACKLOG = 4096
AT_ONCE = 50
"""Let through in one go, so that a replica's backlog of connections is not overrun."""
PACE_SECONDS = 0.005
RETURN_SECONDS = 0.02
"""Before a request that comes right after a gate opened goes back: HAProxy may just have found the server dead."""
CHECK_SECONDS = 0.5
"""Between two looks at why a Service does not start, and two announcements, while requests wait."""

TIMED_OUT = "nobody serves this: no Pod of the Service became ready within {seconds:g} s"
ENDING = "nobody serves this at the moment: Grandstand is being stopped or started again. Ask once more"
TOO_MANY = "too many requests wait for a Pod of this Service to become ready"

Failing = Callable[[Key], Awaitable[StartFailure | None]]


@dataclass(slots=True)
class Held:
    """What is known of a request that waits; the timer asks for its fate again."""

    service: Key
    timer: asyncio.TimerHandle


class Activator:
    """Holds requests by backend. `listen` before HAProxy starts; everything else is told by the gateway."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        *,
        announce: Callable[[Key], None],
        failing: Failing,
        nobody: str,
        socket: str,
        way_back: str,
        limits: Limits,
    ) -> None:
        """`directory` has our `socket`, its parent HAProxy's for what goes back; `nobody` is the text of a refusal."""
        self._directory = directory
        self._socket = socket
        self._way_back = way_back
        self._clock = clock
        self._announce = announce
        self._failing = failing
        self._nobody = nobody
        self._gates: dict[str, Gate] = {}
        self._waiting: dict[str, dict[Visitor, Held]] = {}
        self._by_service: dict[Key, int] = {}
        self._wakeable: frozenset[Key] = frozenset()
        self._visitors: set[Visitor] = set()
        self._worker: int | None = None
        self._watched: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._limits = limits
        self._most = limits.most_waiting
        self._passing: set[str] = set()

    async def listen(self) -> None:
        """Take the socket, also from an engine that was killed."""
        self._most = min(self._most, _affordable())
        loop = asyncio.get_running_loop()

        async def listening(path: str) -> asyncio.Server:
            return await loop.create_unix_server(self._visitor, path, backlog=BACKLOG)

        self._server = await taken(self._directory, self._socket, listening)

    async def close(self) -> None:
        """Refuse connections and those that wait, and break what is piped."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for visitor in list(self._visitors):
            if self._drop(visitor):
                visitor.answer(refusal(ENDING))
            elif visitor.transport is not None:
                visitor.transport.abort()

    def waiting(self, service: Key) -> int:
        """Requests that wait for a Service at this moment."""
        return self._by_service.get(service, 0)

    def wake(self, services: Iterable[Key]) -> None:
        """Set which Services a request may wake."""
        self._wakeable = frozenset(services)
        self._judge(*self._waiting)

    def switch(self, backends: Mapping[str, Key], steady: Iterable[str]) -> None:
        """HAProxy is about to be told of other servers; in `steady` backends somebody serves before and after."""
        kept = frozenset(steady)
        known = {name: self._gates.get(name) or Gate(service) for name, service in backends.items()}
        for name, gate in known.items():
            gate.switching = True
            gate.is_open = gate.is_open and name in kept
        self._gates = known

    def settle(self, serving: Iterable[str], worker: int | None) -> None:
        """HAProxy has been told, in this worker process; these backends have a server that gets requests."""
        now = asyncio.get_running_loop().time()
        self._worker = worker
        for name in serving:
            gate = self._gates.get(name)
            if gate is not None and not gate.is_open:
                gate.is_open, gate.opened_at = True, now
        for gate in self._gates.values():
            gate.switching = False
        self._judge(*self._waiting)

    def _visitor(self) -> Visitor:
        visitor = Visitor(self._arrived, self._left)
        self._visitors.add(visitor)
        return visitor

    def _arrived(self, visitor: Visitor) -> None:
        backend, gate = self._gate(visitor)
        match self._fate(visitor, gate):
            case Fate.LET_THROUGH:
                self._run(self._return(visitor))
            case Fate.WAIT if gate is not None:
                if sum(self._by_service.values()) >= self._most:
                    visitor.answer(refusal(TOO_MANY))
                else:
                    self._hold(visitor, backend, gate)
            case _:
                visitor.answer(refusal(self._nobody))

    def _hold(self, visitor: Visitor, backend: str, gate: Gate) -> None:
        assert visitor.arrived_at is not None
        loop = asyncio.get_running_loop()
        until = deadline(gate, gate.service in self._wakeable, visitor.arrived_at, self._limits.wait_seconds)
        timer = loop.call_at(until, self._judge_one, visitor)
        self._waiting.setdefault(backend, {})[visitor] = Held(gate.service, timer)
        self._by_service[gate.service] = self._by_service.get(gate.service, 0) + 1
        if gate.service in self._wakeable and not gate.is_open:
            self._announce(gate.service)
            if gate.service not in self._watched:
                self._watched.add(gate.service)
                self._run(self._watch(gate.service))

    def _drop(self, visitor: Visitor) -> bool:
        """Count a request as waiting no longer; False when it did not wait."""
        backend = self._gate(visitor)[0]
        held = self._waiting.get(backend, {}).pop(visitor, None)
        if held is None:
            return False
        held.timer.cancel()
        if not self._waiting[backend]:
            del self._waiting[backend]
        self._by_service[held.service] -= 1
        if not self._by_service[held.service]:
            del self._by_service[held.service]
        return True

    def _left(self, visitor: Visitor) -> None:
        self._visitors.discard(visitor)
        self._drop(visitor)

    def _judge(self, *backends: str) -> None:
        """Ask again what becomes of those who wait for some backends."""
        for backend in backends:
            gate = self._gates.get(backend)
            if gate is not None and gate.is_open:
                if backend not in self._passing:
                    self._passing.add(backend)
                    self._run(self._let_through(backend, gate))
                continue
            for visitor in list(self._waiting.get(backend, ())):
                self._judge_one(visitor)

    def _judge_one(self, visitor: Visitor) -> None:
        gate = self._gate(visitor)[1]
        found = self._fate(visitor, gate)
        if found is Fate.WAIT and gate is not None and visitor.arrived_at is not None:
            self._wait_on(visitor, gate, visitor.arrived_at)
        elif self._drop(visitor):
            if found is Fate.LET_THROUGH:
                self._let_go(visitor)
            elif found is Fate.TIME_OUT:
                visitor.answer(refusal(TIMED_OUT.format(seconds=self._limits.wait_seconds), "504 Gateway Timeout"))
            else:
                visitor.answer(refusal(self._nobody))

    def _wait_on(self, visitor: Visitor, gate: Gate, arrived_at: float) -> None:
        """Set the timer anew: why it waits may have changed."""
        waiting = self._waiting.get(self._gate(visitor)[0], {})
        if visitor in waiting:
            waiting[visitor].timer.cancel()
            until = deadline(gate, gate.service in self._wakeable, arrived_at, self._limits.wait_seconds)
            waiting[visitor].timer = asyncio.get_running_loop().call_at(until, self._judge_one, visitor)

    async def _let_through(self, backend: str, gate: Gate) -> None:
        """Those who waited longest go first, a few at a time."""
        try:
            while gate.is_open and backend in self._waiting:
                for visitor in list(self._waiting[backend])[:AT_ONCE]:
                    if self._drop(visitor):
                        self._let_go(visitor)
                await self._clock.sleep(PACE_SECONDS)
        finally:
            self._passing.discard(backend)

    def _let_go(self, visitor: Visitor) -> None:
        """Have HAProxy send the request again, where it can; a worker from before a reload does not know the server."""
        if visitor.worker == self._worker and replayable(visitor.head):
            visitor.answer(TRY_AGAIN)
        else:
            self._run(self._relay(visitor))

    async def _return(self, visitor: Visitor) -> None:
        await self._clock.sleep(RETURN_SECONDS)
        await self._relay(visitor)

    async def _relay(self, visitor: Visitor) -> None:
        loop = asyncio.get_running_loop()
        try:
            with short_path(self._directory.parent, self._way_back) as path:
                _, way = await loop.create_unix_connection(Pipe, path)
        except OSError as error:
            log.warning("HAProxy does not take a request back: %s", error)
            visitor.answer(refusal(self._nobody))
            return
        visitor.relay(way)

    async def _watch(self, service: Key) -> None:
        """While requests wait for a Service: tell who starts it, and look whether the start fails."""
        try:
            while self.waiting(service):
                failure = None
                with suppress(GrandstandError, OSError):
                    failure = await self._failing(service)
                if failure is not None:
                    self._fail(service, failure)
                    return
                await self._clock.sleep(CHECK_SECONDS)
                if self.waiting(service):
                    self._announce(service)
        finally:
            self._watched.discard(service)

    def _fail(self, service: Key, failure: StartFailure) -> None:
        for backend, gate in self._gates.items():
            if gate.service == service and not gate.is_open:
                for visitor in list(self._waiting.get(backend, ())):
                    if self._drop(visitor):
                        visitor.answer(refusal(failure.text))

    def _gate(self, visitor: Visitor) -> tuple[str, Gate | None]:
        backend = "" if visitor.introduction is None else visitor.introduction.backend
        return backend, self._gates.get(backend)

    def _fate(self, visitor: Visitor, gate: Gate | None) -> Fate:
        now = asyncio.get_running_loop().time()
        wakeable = gate is not None and gate.service in self._wakeable
        return fate(
            gate, wakeable, now if visitor.arrived_at is None else visitor.arrived_at, now, self._limits.wait_seconds
        )

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _affordable() -> int:
    """How many may wait with the files that this process may open: one that is piped takes two."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(hard // 4, 1)
