"""Keep HAProxy to the Services, EndpointSlices and Ingresses of the API, and empty it of Pods that end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine, Iterable
from pathlib import Path
from typing import Any

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.engine import Engine
from grandstand.errors import GrandstandError
from grandstand.exposition import Family, Kind, Sample
from grandstand.kinds import EndpointSlice, HorizontalPodAutoscaler, Ingress, Key, Object, Pod, Rollout, Service
from grandstand.kinds.resources import (
    ENDPOINT_SLICES,
    HORIZONTAL_POD_AUTOSCALERS,
    INGRESSES,
    ROLLOUTS,
    SECRETS,
    SERVICES,
)
from grandstand.reconcile.caches import Caches, Index
from grandstand.reconcile.informer import Informer
from grandstand.reconcile.recorder import Recorder

from .activator import Activator, Limits, ScaleTarget, StartFailure, wakeable_services
from .certificates import Certificate, Problem, certificates_for
from .haproxy import (
    ACTIVATOR_SOCKET,
    EMPTY_DIRECTORY,
    NO_ENDPOINT,
    RELEASED_SOCKET,
    Home,
    Layout,
    Place,
    Proxy,
    Wanted,
)
from .haproxy.configuration import FUNCTION_ROUTE, FUNCTIONS, listed, route_map
from .haproxy.process import settings_for
from .ingress_status import IngressStatus
from .poller import Known, Poller
from .routes import Routes, routes_for
from .servers import Duty, Server, servers_for, serving_names
from .shares import Shares, shares_in, weighed
from .starts import why_it_does_not_start
from .traffic import Member, TrafficMeter

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
LEFT_OVER_SECONDS = 1.0
"""When to look again at servers that are gone but for their last connections."""
HOLD_SECONDS = 5.0
DRAIN_POLL_SECONDS = 0.02
"""HAProxy pushes nothing; two looks in a row must find a Pod idle."""


class Gateway:
    """Drives the HAProxy of an engine; it serves on without us."""

    def __init__(
        self,
        engine: Engine,
        client: Client,
        *,
        clock: Clock,
        recorder: Recorder | None = None,
        bind: str = "127.0.0.1",
        threads: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._settings = settings_for(engine, bind, threads)
        self._changed = asyncio.Event()
        self._home = Home.of(engine)
        self._proxy = Proxy(self._home, clock, self._changed.set)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._look_again: asyncio.Task[None] | None = None
        caches = Caches(client, clock)
        self._services = caches.table(SERVICES, Service)
        self._ingresses = caches.table(INGRESSES, Ingress)
        slices = caches.table(ENDPOINT_SLICES, EndpointSlice)
        self._slices: Index[EndpointSlice, Key] = slices.index(
            lambda each: [Key(each.metadata.namespace, each.service_name)]
        )
        self._pods: Index[EndpointSlice, str] = slices.index(
            lambda each: [point.target_ref.uid for point in each.endpoints or () if point.target_ref is not None]
        )
        self._secrets = Informer(client, SECRETS, fields="type=kubernetes.io/tls", clock=clock)
        self._informers = (*caches.informers, self._secrets)
        self._autoscalers = caches.table(HORIZONTAL_POD_AUTOSCALERS, HorizontalPodAutoscaler)
        self._scalers = caches.informer(HORIZONTAL_POD_AUTOSCALERS)
        self._scalers.subscribe(self._autoscaler_changed)
        self._rollouts = caches.table(ROLLOUTS, Rollout)
        self._rolled = caches.informer(ROLLOUTS)
        self._rolled.subscribe(self._rollout_changed)
        self._shares: dict[str, Shares] = {}
        self.traffic = TrafficMeter(self.waiting)
        self._statuses = IngressStatus(client, self._ingresses, bind, clock)
        self._routes = Routes({}, {})
        self._certificates: tuple[Certificate, ...] = ()
        self._reported: frozenset[Problem] = frozenset()
        self._servers: dict[str, dict[str, Server]] = {}
        self._names: Known | None = None
        self._serving: dict[str, frozenset[str]] = {}
        self._scaled: dict[Key, ScaleTarget] = {}
        self._activator = Activator(
            self._home.directory / EMPTY_DIRECTORY,
            clock,
            announce=self.traffic.announce,
            failing=self._start_failure,
            nobody=NO_ENDPOINT,
            socket=ACTIVATOR_SOCKET,
            way_back=RELEASED_SOCKET,
            limits=limits or Limits(),
        )
        self._started = False
        self._routes_changed = True
        self._services_changed: set[Key] = set()
        self._ending: dict[str, Duty] = {}
        for informer in self._informers:
            informer.subscribe(self._slice_changed if informer.resource is ENDPOINT_SLICES else self._route_changed)
        caches.informer(INGRESSES).subscribe(self._statuses.changed)

    @property
    def workers_root(self) -> Path:
        """The root directory of HAProxy's workers: sockets in it are what they can connect to."""
        return self._home.directory / EMPTY_DIRECTORY

    async def start(self) -> None:
        """Return when HAProxy runs and serves what there is. Raises GatewayFailure when it cannot."""
        self._home.make()
        await self._activator.listen()
        for informer in (*self._informers, self._scalers, self._rolled):
            self._run(informer.run())
        for informer in (*self._informers, self._scalers, self._rolled):
            await informer.synced()
        await self._apply()
        self._started = True
        self._run(self._keep())
        self._run(self._statuses.run())
        self._run(Poller(self._proxy, self.traffic, self._known, self._clock).run())

    async def stop(self) -> None:
        """Let go of HAProxy, which serves on."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._activator.close()
        self._proxy.close()

    def families(self) -> Iterable[Family]:
        """For Prometheus: what passes, how often HAProxy was reloaded, and how many workers there are."""
        yield from self.traffic.families()
        told = "How often HAProxy was reloaded since the engine began."
        yield Family("grandstand_gateway_reloads_total", Kind.COUNTER, told, (Sample(self._proxy.reloads),))
        workers = self._proxy.workers
        told = "HAProxy's processes: the one that takes connections, and those before it that end theirs."
        yield Family("grandstand_gateway_workers", Kind.GAUGE, told, () if workers is None else (Sample(workers),))

    def waiting(self, service: Key) -> int:
        """How many requests wait at this moment for a Service that has nobody to serve them."""
        return self._activator.waiting(service)

    async def drain(self, pod: Pod, seconds: float) -> None:
        """Send a Pod no new requests, and return when it has none in flight, or after so many seconds.

        From then on its idle connections are closed too. The last Pod of a Service goes on for a while where it is
        asked: another may be on its way. Returns at once for a Pod that the gateway does not know, and before `start`.
        Raises GatewayFailure when HAProxy cannot be reached.
        """
        if not self._started:
            return
        uid = pod.metadata.uid
        places = self._places(uid) or await self._left_places(pod.status.pod_ip)
        if not places:
            return
        deadline = self._clock.monotonic() + seconds
        await self._hold(uid, places, deadline)
        await self._end(uid, Duty.FINISHING)
        idle = 0
        while idle < 2 and self._clock.monotonic() < deadline:
            use = await self._proxy.use(places)
            if use.serving:
                self._proxy.doubt()
                await self._apply()
            idle = idle + 1 if use.in_flight == 0 and not use.serving else 0
            await self._clock.sleep(DRAIN_POLL_SECONDS)
        await self._end(uid, Duty.RESTING)

    async def _hold(self, uid: str, places: Collection[Place], deadline: float) -> None:
        """Return when somebody else can take over what a Pod is asked, nobody asks, or it has been long enough."""
        deadline = min(deadline, self._clock.monotonic() + HOLD_SECONDS)
        while self._serves_alone(uid) and self._clock.monotonic() < deadline:
            use = await self._proxy.use(places)
            if not use.in_flight and not use.per_second:
                return
            await self._clock.sleep(DRAIN_POLL_SECONDS)

    def _serves_alone(self, uid: str) -> bool:
        """Whether a Pod is the only one that serves some backend."""
        serving = [
            {server.pod_uid for server in servers.values() if server.duty is Duty.SERVING}
            for servers in self._servers.values()
        ]
        return {uid} in serving

    async def _end(self, uid: str, duty: Duty) -> None:
        self._ending[uid] = duty
        self._services_changed.update(Key(each.metadata.namespace, each.service_name) for each in self._pods[uid])
        await self._apply()

    def _places(self, uid: str) -> set[Place]:
        return {
            Place(backend, server.name)
            for backend, servers in self._servers.items()
            for server in servers.values()
            if server.pod_uid == uid
        }

    async def _left_places(self, address: str) -> set[Place]:
        """Where HAProxy still has the address of a Pod that no slice names any more, unless another Pod has it now."""
        taken = {Place(backend, name) for backend, servers in self._servers.items() for name in servers}
        return await self._proxy.places_of(address) - taken if address else set()

    def _known(self) -> Known:
        """What HAProxy's names stand for."""
        if self._names is None:
            services = {name: backend.service for name, backend in self._routes.backends.items()}
            pods = {
                Place(backend, name): Member(server.pod_uid, server.pod_name)
                for backend, servers in self._servers.items()
                for name, server in servers.items()
            }
            self._names = services, pods
        return self._names

    def _route_changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        if before is not None and after is not None and _same_wish(before, after):
            return
        self._routes_changed = True
        self._changed.set()

    def _autoscaler_changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        if before is None or after is None or not _same_wish(before, after):
            self._scaled = wakeable_services(self._autoscalers.all())
            self._activator.wake(self._scaled)

    def _rollout_changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        shares = shares_in(self._rollouts.all())
        if shares != self._shares:
            self._shares = shares
            backends = self._routes.backends.values()
            self._services_changed.update(each.service for each in backends if each.service.namespace == key.namespace)
            self._changed.set()

    async def _start_failure(self, key: Key) -> StartFailure | None:
        service = self._services.get(key)
        return None if service is None else await why_it_does_not_start(self._client, service, self._scaled.get(key))

    def _slice_changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        for obj in (before, after):
            if obj is not None:
                labels = obj["metadata"].get("labels") or {}
                self._services_changed.add(Key(key.namespace, labels.get("kubernetes.io/service-name", "")))
        self._changed.set()

    async def _keep(self) -> None:
        """Apply every change at once; several that come together are one."""
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._apply()
                retry_seconds = FIRST_RETRY_SECONDS
            except Exception as error:  # a gateway that no longer follows would serve the dead for good
                unforeseen = not isinstance(error, (GrandstandError, OSError))
                log.warning("%s; again in %.1f s", error, retry_seconds, exc_info=unforeseen)
                await self._clock.sleep(retry_seconds)
                retry_seconds = min(retry_seconds * 2, LAST_RETRY_SECONDS)
                self._changed.set()

    async def _apply(self) -> None:
        async with self._turn:
            self._decide()
            wanted = self._wanted()
            serving = {name: serving_names(servers) for name, servers in wanted.servers.items()}
            backends = {name: backend.service for name, backend in self._routes.backends.items()}
            steady = [name for name, names in serving.items() if names & self._serving.get(name, frozenset())]
            self._activator.switch(backends, steady)
            left = await self._proxy.apply(wanted)
            self._serving = serving
            self._activator.settle([name for name, names in serving.items() if names], self._proxy.worker)
        if left and (self._look_again is None or self._look_again.done()):
            self._look_again = self._run(self._after(LEFT_OVER_SECONDS))

    async def _after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._changed.set()

    def _decide(self) -> None:
        """Work out again what the changes since the last time touch."""
        self._names = None
        if self._routes_changed:
            self._routes_changed = False
            services = {service.metadata.key: service for service in self._services.all()}
            self._routes = routes_for(services, self._ingresses.all())
            self._certificates, problems = certificates_for(self._ingresses.all(), self._secrets.cache)
            self._report(frozenset(problems))
            self._servers = {}
        changed, self._services_changed = self._services_changed, set()
        self._ending = {uid: duty for uid, duty in self._ending.items() if uid in self._pods}
        for name, backend in self._routes.backends.items():
            if name not in self._servers or backend.service in changed:
                servers = servers_for(backend, self._slices[backend.service], self._ending)
                self._servers[name] = weighed(servers, self._shares.get(backend.service.namespace, {}))

    def _wanted(self) -> Wanted:
        certificates = {listed(each): each for each in self._certificates}
        backends = tuple(self._routes.backends[name] for name in sorted(self._routes.backends))
        return Wanted(
            Layout(self._settings, backends, tuple(certificates), has_activator=True, has_functions=True),
            {each.file: certificate.pem for each, certificate in certificates.items()},
            route_map({FUNCTION_ROUTE: FUNCTIONS} | dict(self._routes.targets)),
            self._servers,
        )

    def _report(self, problems: frozenset[Problem]) -> None:
        for problem in problems - self._reported:
            log.warning("Ingress %s: %s", problem.ingress, problem.message)
            ingress = self._ingresses.object(problem.ingress)
            if self._recorder is not None and ingress is not None:
                self._recorder.record(ingress, "Warning", "BadCertificate", problem.message)
        self._reported = problems

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _same_wish(before: Object, after: Object) -> bool:
    """Whether nothing changed but the status, or who wrote what."""

    def wish(obj: Object) -> tuple[object, ...]:
        meta = obj["metadata"]
        wishes = (obj.get(part) for part in ("spec", "data"))
        return (*wishes, meta.get("annotations"), meta.get("deletionTimestamp"), meta.get("uid"))

    return wish(before) == wish(after)
