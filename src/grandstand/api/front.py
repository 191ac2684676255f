"""Stand between the network and the API: who is it, is there room, what is asked, and every error as a `Status`."""

from __future__ import annotations

import asyncio
import logging
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from http import HTTPStatus

import msgspec
from aiohttp import web

from grandstand.clock import Clock
from grandstand.errors import (
    BadRequest,
    CallerError,
    Forbidden,
    GrandstandError,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    TooManyRequests,
)
from grandstand.exposition import CONTENT_TYPE, Exposer, exposition

from . import discovery
from .answers import error_answer, json_answer, object_answer
from .exposed import Requests
from .negotiation import Shape, accepted
from .parameters import flag
from .paths import STREAMS, Target, target_of
from .routes import Routes
from .schema import Schemas
from .tokens import Tokens

log = logging.getLogger(__name__)
requests = logging.getLogger("grandstand.api.requests")
"""Every request with its answer's status, at level DEBUG: what a client asks, and what it trips over."""

MOST_READING = 400
MOST_WRITING = 200
"""Requests in flight, as Kubernetes allows; watches, logs and streams do not count."""

CLIENT_CLOSED_REQUEST = 499
"""The status, in the log and the metrics alone, of a request that was not even begun to be answered: nginx's word."""

PUBLIC = ("healthz", "livez", "readyz", "version")
DISCOVERY_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Room:
    """Room for so many requests at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Raises TooManyRequests when there is none."""
        if self._taken >= self._most:
            error = TooManyRequests("too many requests, please try again later")
            error.details = {"retryAfterSeconds": 1}
            raise error
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class Front:
    """Handles every HTTP request of the API."""

    def __init__(
        self,
        routes: Routes,
        schemas: Schemas,
        tokens: Callable[[], Tokens],
        address: str,
        exposers: Sequence[Exposer],
        clock: Clock,
    ) -> None:
        self._routes = routes
        self._exposers = exposers
        self._clock = clock
        self._counted = Requests()
        self._schemas = schemas
        self._tokens = tokens
        self._address = address
        self._reading = Room(MOST_READING)
        self._writing = Room(MOST_WRITING)
        self._lasting: set[asyncio.Task[object]] = set()
        self.ready = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; whatever goes wrong is answered too."""
        begun = self._clock.monotonic()
        status: int | None = None
        try:
            answer = await self._answer_or_error(request)
            status = answer.status
            return answer
        finally:
            if status is None:  # the client has gone, as clients of watches do when they have seen enough
                status = HTTPStatus.OK if request.writer.output_size else CLIENT_CLOSED_REQUEST
            self._count(request, status, self._clock.monotonic() - begun)
            requests.debug("%s %s %d %s", request.method, request.path_qs, status, request.headers.get("User-Agent"))

    def _count(self, request: web.BaseRequest, status: int, seconds: float) -> None:
        try:
            target = target_of(request.path)
        except GrandstandError:
            target = None
        lasting = flag(request.query, "watch") or (target is not None and target.subresource in (*STREAMS, "log"))
        self._counted.count(request.method, target, status, seconds, lasting=lasting)

    async def _answer_or_error(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except GrandstandError as error:
            if not isinstance(error, CallerError | TooManyRequests):
                log.warning("%s %s: %s", request.method, request.path, error)
            return error_answer(error)
        except RecursionError:
            return error_answer(BadRequest("the request body is nested too deeply"))
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return error_answer(GrandstandError("something went wrong in Grandstand: the engine's log says what"))

    def end_lasting(self) -> None:
        """End watches and followed logs, so that the server can stop."""
        for task in tuple(self._lasting):
            task.cancel()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        steps = request.path.strip("/").split("/")
        if steps[0] in PUBLIC:
            return self._public(request, steps)
        user = self._tokens().holder(request.headers.get("Authorization", ""))
        if any(name.lower().startswith("impersonate-") for name in request.headers):
            raise Forbidden("impersonation is not supported: leave out --as")
        if steps[0] in ("api", "apis") and len(steps) > (2 if steps[0] == "api" else 3):
            target = target_of(request.path)
            with self._room(request, target):
                return await self._routes.answer(request, target, user)
        if request.method != "GET":
            raise MethodNotAllowed
        return self._metrics() if steps == ["metrics"] else self._document(request, steps)

    @contextmanager
    def _room(self, request: web.BaseRequest, target: Target) -> Iterator[None]:
        writing = request.method != "GET"
        lasting = target.subresource in (*STREAMS, "log") or (not writing and flag(request.query, "watch"))
        task = asyncio.current_task()
        with nullcontext() if lasting else (self._writing if writing else self._reading).taken():
            if lasting and task is not None:
                self._lasting.add(task)
            try:
                yield
            finally:
                if task is not None:
                    self._lasting.discard(task)

    def _public(self, request: web.BaseRequest, steps: list[str]) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed
        match steps:
            case ["version"]:
                implementation = f"{sys.implementation.name}{platform.python_version()}"
                return object_answer(discovery.version(implementation, f"linux/{_architecture()}"))
            case ["readyz", *_] if not self.ready:
                return web.Response(text="the API is starting or stopping\n", status=503)
            case ["healthz" | "livez" | "readyz" as check] if flag(request.query, "verbose"):
                return web.Response(text=f"[+]ping ok\n{check} check passed\n")
            case ["healthz" | "livez" | "readyz"] | ["healthz" | "livez" | "readyz", "ping"]:
                return web.Response(text="ok")
        raise NotFound

    def _document(self, request: web.BaseRequest, steps: list[str]) -> web.Response:
        match steps:
            case [""]:
                return object_answer({"paths": self._paths})
            case ["openapi", *rest]:
                return self._openapi(request, rest)
        whole = accepted(request.headers.get("Accept", "")) is Shape.DISCOVERY
        match steps:
            case ["api"] if whole:
                return json_answer(msgspec.json.encode(discovery.aggregated([""])), content_type=DISCOVERY_TYPE)
            case ["apis"] if whole:
                body = msgspec.json.encode(discovery.aggregated(discovery.groups()))
                return json_answer(body, content_type=DISCOVERY_TYPE)
            case ["api"]:
                return object_answer(discovery.core_versions(self._address))
            case ["apis"]:
                return object_answer(discovery.group_list())
            case ["api", version]:
                return object_answer(discovery.resource_list("", version))
            case ["apis", group]:
                return object_answer(discovery.group(group))
            case ["apis", group, version]:
                return object_answer(discovery.resource_list(group, version))
        raise NotFound

    def _metrics(self) -> web.Response:
        families = [*self._counted.families(), *(family for expose in self._exposers for family in expose())]
        return json_answer(exposition(families).encode(), content_type=CONTENT_TYPE)

    def _openapi(self, request: web.BaseRequest, rest: list[str]) -> web.Response:
        from . import openapi

        match rest:
            case ["v2"]:
                return self._openapi_v2(request.headers.get("Accept", "*/*"))
            case ["v3"]:
                return json_answer(self._openapi_index)
            case ["v3", *path]:
                return json_answer(openapi.document(self._schemas, discovery.DESCRIBED, "/".join(path)))
        raise NotFound

    def _openapi_v2(self, accept: str) -> web.Response:
        from . import openapi

        if any(name in accept for name in openapi.gnostic.ACCEPTED):
            body = openapi.v2_protobuf(self._schemas, discovery.DESCRIBED)
            return json_answer(body, content_type=openapi.gnostic.CONTENT_TYPE)
        if "json" not in accept and "*/*" not in accept:
            raise NotAcceptable(f"OpenAPI v2 is served as application/json and {openapi.gnostic.CONTENT_TYPE}")
        return json_answer(openapi.v2(self._schemas, discovery.DESCRIBED))

    @cached_property
    def _openapi_index(self) -> bytes:
        """Kept, for clients ask for it often and its hashes take the time of all documents to compute."""
        from . import openapi

        return msgspec.json.encode(openapi.index(self._schemas, discovery.DESCRIBED))

    @cached_property
    def _paths(self) -> list[str]:
        named = [f"/apis/{group}" for group in discovery.groups()]
        versions = [f"/apis/{group}/{v}" for group in discovery.groups() for v in discovery.versions_of(group)]
        public = [f"/{name}" for name in PUBLIC]
        return sorted(
            ["/api", "/api/v1", "/apis", *named, *versions, *public, "/metrics", "/openapi/v2", "/openapi/v3"]
        )


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
