"""Bring the running HAProxy to what is wanted: over its runtime commands where they can, else by a reload."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from grandstand.clock import Clock
from grandstand.errors import GatewayFailure
from grandstand.gateway.routes import Protocol
from grandstand.gateway.servers import Duty, Server

from . import process
from .commands import (
    Command,
    Seen,
    SeenServers,
    left_over,
    map_commands,
    parse_map,
    parse_servers,
    server_commands,
)
from .configuration import CERTIFICATE_LIST, FRONTEND, ROUTE_MAP, Layout, certificate_list, configuration, map_text
from .master import Master, Workers
from .process import CERTIFICATES, CONFIGURATION, RUNNING, Home
from .statistics import Counters, Look, parse_statistics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that HAProxy shall do: the layout, the files of certificates, the map of routes, servers by backend."""

    layout: Layout
    pems: Mapping[str, bytes]
    entries: Mapping[str, str]
    servers: Mapping[str, Mapping[str, Server]]


class Place(NamedTuple):
    """Where a server is: its backend, and its name there."""

    backend: str
    server: str


@dataclass(frozen=True, slots=True)
class Use:
    """What servers have to do: requests in flight, requests in the last second, and whether they get new ones.

    After a reload, `in_flight` counts the old worker's idle connections too: their next request may go there still.
    """

    in_flight: int
    per_second: int
    serving: bool


@dataclass(slots=True)
class Belief:
    """What a worker has, as it was read last and changed since."""

    entries: dict[str, str]
    servers: SeenServers


class Proxy:
    """The HAProxy of an engine. One `apply` at a time; everything else may run beside it."""

    def __init__(self, home: Home, clock: Clock, on_exit: Callable[[], None]) -> None:
        self._home = home
        self._clock = clock
        self._on_exit = on_exit
        self._program = process.find_program()
        self._master = Master(home.directory)
        self._running: Layout | None = None
        self._beliefs: dict[int, Belief] = {}
        self._workers: Workers | None = None
        self._descriptor: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self.reloads = 0
        self.worker: int | None = None
        """The process that was told last what is wanted: those before it do not know of newer servers."""

    async def apply(self, wanted: Wanted) -> bool:
        """Make it so; True when a server that is gone still has connections: apply again in a while."""
        pid = self._home.process()
        if pid is None:
            await self._start(wanted)
        else:
            self._guard(pid)
            self._running = self._running or self._read_running()
            if self._running is None or not self._running.covers(wanted.layout):
                await self._reload(wanted)
        return await self._sync(wanted)

    async def use(self, places: Collection[Place]) -> Use:
        """What some servers have to do at this moment, in all workers, as HAProxy itself says."""
        workers = await self._master.workers()
        now = await self._use_in(workers.current, places)
        in_flight, per_second = now.in_flight, now.per_second
        for worker in workers.old:
            try:
                old = await self._use_in(worker, places)
                in_flight += old.in_flight + await self._idle_clients(worker)
                per_second += old.per_second
            except GatewayFailure:
                if worker in (await self._master.workers()).old:
                    raise  # else it has just ended, as it should
        return Use(in_flight, per_second, now.serving)

    async def _use_in(self, worker: int, places: Collection[Place]) -> Use:
        in_flight, per_second, serving = 0, 0, False
        backends = {place.backend for place in places} & (await self._belief(worker)).servers.keys()
        for backend in sorted(backends):
            questions = [f"show servers state {backend}", f"show stat {backend} 4 -1"]
            state, counts = await self._master.ask(questions, worker)
            seen = parse_servers(state).get(backend, {})
            serving |= any(seen[name].duty is Duty.SERVING for name in seen if Place(backend, name) in places)
            for each in parse_statistics(counts):
                if each.server is not None and Place(backend, each.server) in places:
                    in_flight += each.in_flight + each.queued
                    per_second += each.sessions_per_second
        return Use(in_flight, per_second, serving)

    async def _idle_clients(self, worker: int) -> int:
        """Connections of an old worker that may bring one more request.

        An old worker's servers cannot be changed ("Proxy is disabled"): what comes, goes to whom it knew. It closes
        each connection after one more answer, and idle ones soon.
        """
        backends, frontend = await self._master.ask(["show stat -1 2 -1", f"show stat {FRONTEND} 1 -1"], worker)
        busy = sum(each.in_flight for each in parse_statistics(backends))
        return max(0, sum(each.in_flight for each in parse_statistics(frontend)) - busy)

    async def places_of(self, address: str) -> set[Place]:
        """The servers that HAProxy has for an address."""
        belief = await self._belief((await self._master.workers()).current)
        return {
            Place(backend, name)
            for backend, servers in belief.servers.items()
            for name, seen in servers.items()
            if seen.address == address
        }

    def doubt(self) -> None:
        """Read at the next `apply` what the workers have, rather than believe it."""
        self._beliefs.clear()

    async def requests_so_far(self) -> tuple[int, int]:
        """The worker that accepts connections, and the requests that it has got: nothing comes while both stay."""
        workers = self._workers
        if workers is None or workers.old:
            workers = self._workers = await self._master.workers()
        [frontend] = parse_statistics((await self._master.ask([f"show stat {FRONTEND} 1 -1"], workers.current))[0])
        return workers.current, frontend.requests

    async def all_counters(self) -> Look:
        """The counters of every backend and server, by worker. Raises GatewayFailure when the newest is silent."""
        workers = self._workers = await self._master.workers()
        found = {workers.current: await self._counters_of(workers.current)}
        silent: set[int] = set()
        for worker in workers.old:
            try:
                found[worker] = await self._counters_of(worker)
            except GatewayFailure:
                silent.add(worker)  # it has just ended, or is late: the next look shows which
        return Look(found, frozenset(silent))

    async def _counters_of(self, worker: int) -> list[Counters]:
        return parse_statistics((await self._master.ask(["show stat -1 6 -1"], worker))[0])

    @property
    def workers(self) -> int | None:
        """How many serve or end what they have, as was seen last; None before it was."""
        return None if self._workers is None else len(self._workers.all)

    def close(self) -> None:
        """Let go of HAProxy, which goes on."""
        self._master.close()
        self._unguard()

    async def _start(self, wanted: Wanted) -> None:
        self._write(wanted)
        await asyncio.to_thread(process.check, self._program, self._home)
        self._child = await process.start(self._program, self._home, wanted.layout.settings, self._clock)
        self._took(wanted, self._child.pid)
        log.info("HAProxy runs (process %d)", self._child.pid)

    async def _reload(self, wanted: Wanted) -> None:
        self._write(wanted)
        self._running = None
        await asyncio.to_thread(process.check, self._program, self._home)
        await process.reload(self._home, self._master, wanted.layout.settings, self._clock)
        pid = self._home.process()
        if pid is None:
            raise GatewayFailure(f"HAProxy ended while it reloaded. It said:\n{self._home.log_end()}")
        self._took(wanted, pid)
        self.reloads += 1
        log.info("HAProxy reloaded: %d backends", len(wanted.layout.backends))

    def _write(self, wanted: Wanted) -> None:
        self._home.make()
        (self._home.directory / RUNNING).unlink(missing_ok=True)
        for file, pem in wanted.pems.items():
            self._home.write(f"{CERTIFICATES}/{file}", pem)
        self._home.write(CERTIFICATE_LIST, certificate_list(wanted.layout.certificates).encode())
        self._home.write(ROUTE_MAP, map_text(wanted.entries).encode())
        self._home.write(CONFIGURATION, configuration(wanted.layout, wanted.servers).encode())

    def _took(self, wanted: Wanted, pid: int) -> None:
        """Remember what runs now, also for the next process of Grandstand; forget keys that are served no more."""
        self._running = wanted.layout
        self._beliefs.clear()
        self._workers = None
        self._home.write(RUNNING, msgspec.json.encode(wanted.layout))
        for path in (self._home.directory / CERTIFICATES).iterdir():
            if path.name not in wanted.pems:
                path.unlink()
        self._guard(pid)

    def _read_running(self) -> Layout | None:
        try:
            return msgspec.json.decode((self._home.directory / RUNNING).read_bytes(), type=Layout)
        except (OSError, msgspec.MsgspecError):
            return None

    async def _sync(self, wanted: Wanted) -> bool:
        """Only the worker that accepts connections: HAProxy changes nothing in those before it."""
        workers = await self._master.workers()
        for worker in self._beliefs.keys() - set(workers.all):
            del self._beliefs[worker]
        try:
            self.worker = workers.current
            return await self._sync_worker(workers.current, wanted)
        except GatewayFailure as error:
            log.warning("%s; looking again at what it has", error)
            return await self._sync_again(workers.current, wanted)

    async def _sync_again(self, worker: int, wanted: Wanted) -> bool:
        self._beliefs.pop(worker, None)
        try:
            return await self._sync_worker(worker, wanted)
        except GatewayFailure:
            self._beliefs.pop(worker, None)
            self._running = None  # whatever it is, a reload puts it right
            (self._home.directory / RUNNING).unlink(missing_ok=True)
            raise

    async def _sync_worker(self, worker: int, wanted: Wanted) -> bool:
        belief = await self._belief(worker)
        protocols = {backend.name: backend.protocol for backend in wanted.layout.backends}
        commands: list[Command] = []
        for name, protocol in protocols.items():
            commands += server_commands(name, protocol, wanted.servers[name], belief.servers.get(name, {}))
        for name in belief.servers.keys() - protocols.keys():
            commands += server_commands(name, Protocol.HTTP, {}, belief.servers[name])  # nothing is added
        commands += map_commands(wanted.entries, belief.entries)
        if not commands:
            return False
        answers = await self._master.ask([command.text for command in commands], worker)
        if left_over(commands, answers):
            self._beliefs.pop(worker, None)
            return True
        belief.entries = dict(wanted.entries)
        for name in belief.servers.keys() | protocols.keys():
            belief.servers[name] = _after(wanted.servers.get(name, {}), belief.servers.get(name, {}))
        return False

    async def _belief(self, worker: int) -> Belief:
        if worker not in self._beliefs:
            servers, entries = await self._master.ask(["show servers state", f"show map {ROUTE_MAP}"], worker)
            self._beliefs[worker] = Belief(parse_map(entries), parse_servers(servers))
        return self._beliefs[worker]

    def _guard(self, pid: int) -> None:
        """Call `on_exit` when the master ends."""
        if self._descriptor is None:
            self._descriptor = os.pidfd_open(pid)
            asyncio.get_running_loop().add_reader(self._descriptor, self._ended)

    def _ended(self) -> None:
        self._unguard()
        self._beliefs.clear()
        self._workers = None
        self._running = None
        self._master.close()
        self._on_exit()

    def _unguard(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def _after(wanted: Mapping[str, Server], before: Mapping[str, Seen]) -> dict[str, Seen]:
    """The servers of a backend when all commands worked: one that was to finish was not made anew for that."""
    return {
        name: Seen(server.address, server.port, server.duty, server.weight)
        for name, server in wanted.items()
        if name in before or server.duty is Duty.SERVING
    }
