"""Serve the Kubernetes API of one engine, over HTTPS and in process."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from aiohttp import web

from grandstand.clock import Clock, SystemClock
from grandstand.engine import Engine
from grandstand.errors import PeerError, Unavailable
from grandstand.exposition import Exposer, process_families
from grandstand.measurements import ResourceMeasurements

from .access import Access
from .bodies import make_request
from .bootstrap import bootstrap
from .connections import BoundedServer
from .embedded import EmbeddedClient
from .exposed import store_families, workload_families
from .front import Front
from .logs import NoLogs, PodLogs
from .measured import NoMeasurements
from .registry import Registry
from .registry.claims import AddressClaims
from .routes import Routes
from .schema import Schemas
from .store import Store
from .streams import NoStreams, PodStreams

LOOPBACK = "127.0.0.1"
MOST_URL_BYTES = 64 * 1024
"""Label selectors stand in the URL."""

STOP_SECONDS = 5.0
"""How long requests in flight may take when the server stops."""


class ApiServer:
    """The API over an open store. `start` returns when it is served; `client` is there from then on."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        *,
        clock: Clock | None = None,
        pod_logs: PodLogs | None = None,
        pod_streams: PodStreams | None = None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock or SystemClock()
        self._pod_logs: PodLogs = pod_logs or NoLogs()
        self._measurements: ResourceMeasurements = NoMeasurements()
        self._exposers: list[Exposer] = []
        self._pod_streams: PodStreams = pod_streams or NoStreams()
        self._access = Access(engine, self._clock)
        self._routes: Routes | None = None
        self._front: Front | None = None
        self._client: EmbeddedClient | None = None
        self._runner: web.ServerRunner | None = None
        self._renewal: asyncio.Task[None] | None = None
        self.port = engine.api_port

    @property
    def client(self) -> EmbeddedClient:
        if self._client is None:
            raise Unavailable("the API has not started: await start() first")
        return self._client

    @property
    def root_ca(self) -> str:
        """What clients check the API's certificate with, as PEM."""
        return self._access.root_ca

    def read_logs_with(self, pod_logs: PodLogs) -> None:
        """Let the node read logs; it needs the client first, so it may come after `start`."""
        self._pod_logs = pod_logs
        if self._routes is not None:
            self._routes.pod_logs = pod_logs

    def expose(self, exposer: Exposer) -> None:
        """Show more numbers under `/metrics`; may come after `start`."""
        self._exposers.append(exposer)

    def show_measurements(self, measurements: ResourceMeasurements) -> None:
        """Serve what the node measures as `metrics.k8s.io`; may come after `start`."""
        self._measurements = measurements
        if self._routes is not None:
            self._routes.measurements = measurements

    def open_streams_with(self, pod_streams: PodStreams) -> None:
        """Let the node open streams into containers; as with logs, it may come after `start`."""
        self._pod_streams = pod_streams
        if self._routes is not None:
            self._routes.pod_streams = pod_streams

    async def start(self) -> None:
        """Raises PlatformError and PeerError that say what to do, e.g. where the port is taken."""
        schemas, _ = await asyncio.gather(asyncio.to_thread(Schemas.load), self._access.prepare())
        claims = AddressClaims(self._store, self._engine.services, self._engine.api_address)
        registry = Registry(self._store, schemas, self._clock, claims)
        await bootstrap(registry, self._engine)
        self._client = EmbeddedClient(registry)
        self._routes = Routes(registry, self._pod_logs, self._pod_streams, self._measurements)
        address = f"{LOOPBACK}:{self.port}"
        self._exposers += [process_families, partial(store_families, self._store), partial(workload_families, registry)]
        self._front = Front(self._routes, schemas, lambda: self._access.tokens, address, self._exposers, self._clock)
        await self._listen(self._front)
        self._access.admit_admin(self.port)
        self._renewal = asyncio.create_task(self._access.keep_certificates())
        self._front.ready = True

    async def stop(self) -> None:
        """Finish what is in flight, end watches, and stop listening. The store stays open."""
        if self._front is not None:
            self._front.ready = False
            self._front.end_lasting()
        if self._renewal is not None:
            self._renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewal
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._pod_streams.settled()

    async def _listen(self, front: Front) -> None:
        server = BoundedServer(
            front.handle,
            request_factory=make_request,
            # A client that goes away ends its watch at once, not with the next event.
            handler_cancellation=True,
            access_log=None,
            max_line_size=MOST_URL_BYTES,
            max_field_size=MOST_URL_BYTES,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self.port, ssl_context=self._access.tls)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            raise PeerError(
                f"the API cannot listen on {LOOPBACK}:{self.port}: {error.strerror or error}. "
                "Choose another port with --api-port, or end what listens there."
            ) from error
        self.port = self._runner.addresses[0][1]
