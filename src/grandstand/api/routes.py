"""Answer the requests for objects: from verb, path, query and body to the registry, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from aiohttp import web

from grandstand.client import PatchType, WriteOptions
from grandstand.errors import BadRequest, GrandstandError
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import PODS, SERVICE_ACCOUNTS, SERVICES
from grandstand.measurements import ResourceMeasurements

from .answers import DONE, json_answer, object_answer, success
from .bodies import read_body
from .log_answers import send_log
from .logs import PodLogs, log_options
from .measured import MEASURED, Measured
from .negotiation import EMPTY, Body, Shape, accepted, read_object, read_patch
from .parameters import delete_options, flag, list_options, watch_options, write_options
from .paths import STREAMS, Target
from .refusals import method_not_allowed
from .registry import Registry
from .registry.intake import complain
from .reviews import REVIEWS, User, review
from .shapes import Presenter, error_event
from .streams import PodStreams, stream
from .watches import EventStream, check_options

T = TypeVar("T")

SHOWN_WHEN_GONE = (PODS, SERVICES, SERVICE_ACCOUNTS)
"""Resources whose deletion is answered with the object as it last was, as in Kubernetes; others with a Status."""


class Routes:
    """Answers requests whose sender is known. Raises the errors that the caller turns into `Status` objects."""

    def __init__(
        self, registry: Registry, pod_logs: PodLogs, pod_streams: PodStreams, measurements: ResourceMeasurements
    ) -> None:
        self.pod_logs = pod_logs
        self.pod_streams = pod_streams
        self.measurements = measurements
        self._registry = registry

    async def answer(self, request: web.BaseRequest, target: Target, user: User) -> web.StreamResponse:
        if target.subresource in STREAMS:
            self._registry.get(target.resource, target.namespace, target.name)
            return await stream(request, target, self.pod_streams)
        if target.resource in REVIEWS:
            return await self._review(request, target, user)
        if target.resource in MEASURED:
            return self._measured(request, target)
        match request.method:
            case "GET":
                return await self._read(request, target)
            case "POST":
                return await self._create(request, target)
            case "PUT" if target.name:
                return await self._update(request, target)
            case "PATCH" if target.name:
                return await self._patch(request, target)
            case "DELETE" if not target.subresource:
                return await (self._delete(request, target) if target.name else self._delete_all(request, target))
        raise method_not_allowed(target.resource)

    async def _read(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        query = request.query
        if target.subresource == "log":
            return await self._log(request, target)
        if flag(query, "watch") and not target.subresource:
            return await self._watch(request, target)
        presenter = self._presenter(request, target)
        if target.name:
            stored = self._registry.get(target.resource, target.namespace, target.name, target.subresource)
            return json_answer(presenter.single(stored))
        page = self._registry.list(target.resource, target.namespace, list_options(target.resource, query))
        return json_answer(presenter.page(page))

    def _measured(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        if request.method != "GET" or flag(request.query, "watch"):
            raise method_not_allowed(target.resource)
        measured = Measured(self._registry, self.measurements)
        if target.name:
            return object_answer(measured.one(target.resource, target.namespace, target.name))
        options = list_options(MEASURED[target.resource], request.query)
        return object_answer(measured.all(target.resource, target.namespace, options))

    async def _watch(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        options = watch_options(target.resource, request.query, target.name)
        check_options(options)
        presenter = self._presenter(request, target)
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache"})
        await response.prepare(request)
        events = self._registry.watch(target.resource, target.namespace, options)
        with suppress(ConnectionError):
            async with aclosing(events):
                await self._send_events(response, events, presenter)
            await response.write_eof()
        return response

    async def _send_events(self, response: web.StreamResponse, events: EventStream, presenter: Presenter) -> None:
        now = self._registry.clock.now
        try:
            async for batch in events:
                await response.write(b"".join([presenter.event(event, now()) for event in batch]))
        except GrandstandError as error:
            await response.write(error_event(error))

    async def _log(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        self._registry.get(target.resource, target.namespace, target.name)
        options = log_options(request.query, self._registry.clock.now())
        pieces = self.pod_logs.read(target.namespace, target.name, options)
        return await send_log(request, pieces, follow=options.follow)

    async def _create(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        if bool(target.name) is not bool(target.subresource):
            raise method_not_allowed(target.resource)
        body, options = await self._object(request, target.resource)
        presenter = self._presenter(request, target)
        match target.subresource:
            case "":
                work = self._registry.create(target.resource, target.namespace, body.value, options)
                return json_answer(presenter.single(await _whole(work)), 201, warnings=options.warnings)
            case "binding":
                await _whole(self._registry.bind(target.namespace, target.name, body.value, options))
            case "eviction":
                await _whole(self._registry.evict(target.namespace, target.name, body.value, options))
            case _:
                raise method_not_allowed(target.resource)
        return object_answer(DONE, 201, warnings=options.warnings)

    async def _update(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        body, options = await self._object(request, target.resource)
        presenter = self._presenter(request, target)
        work = self._registry.update(
            target.resource, target.namespace, target.name, body.value, options, target.subresource
        )
        written = await _whole(work)
        status = 201 if written.new else 200
        return json_answer(presenter.single(written.stored), status, warnings=options.warnings)

    async def _patch(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        kind, patch = read_patch(request.headers.get("Content-Type", ""), await read_body(request))
        options = write_options(request.query, request.headers.get("User-Agent", ""), apply=kind is PatchType.APPLY)
        presenter = self._presenter(request, target)
        work = self._registry.patch(
            target.resource, target.namespace, target.name, patch, kind, options, target.subresource
        )
        written = await _whole(work)
        status = 201 if written.new else 200
        return json_answer(presenter.single(written.stored), status, warnings=options.warnings)

    async def _delete(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        options = delete_options(request.query, await self._delete_body(request))
        work = self._registry.delete(target.resource, target.namespace, target.name, options)
        done = await _whole(work)
        if done.gone and target.resource not in SHOWN_WHEN_GONE:
            return object_answer(success(target.resource, done.stored.object))
        return json_answer(self._presenter(request, target).single(done.stored))

    async def _delete_all(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        if target.resource.namespaced and not target.namespace:
            raise method_not_allowed(target.resource)
        options = delete_options(request.query, await self._delete_body(request))
        which = list_options(target.resource, request.query)
        work = self._registry.delete_collection(target.resource, target.namespace, which, options)
        return json_answer(self._presenter(request, target).page(await _whole(work)))

    async def _review(self, request: web.BaseRequest, target: Target, user: User) -> web.StreamResponse:
        if request.method != "POST" or target.name:
            raise method_not_allowed(target.resource)
        body, _ = await self._object(request, target.resource)
        return object_answer(review(target.resource, body.value, user), 201)

    async def _object(self, request: web.BaseRequest, resource: Resource) -> tuple[Body, WriteOptions]:
        body = read_object(request.headers.get("Content-Type", ""), await read_body(request))
        options = write_options(request.query, request.headers.get("User-Agent", ""))
        complain(resource, options, tuple(f'duplicate field "{path}"' for path in body.duplicates))
        return body, options

    async def _delete_body(self, request: web.BaseRequest) -> Object:
        sent = await read_body(request)
        body = read_object(request.headers.get("Content-Type", ""), sent) if sent else EMPTY
        kind = body.value.get("kind", "DeleteOptions")
        if kind != "DeleteOptions":
            raise BadRequest(f"the body of a delete request is a DeleteOptions, not a {kind}")
        return dict(body.value)

    def _presenter(self, request: web.BaseRequest, target: Target) -> Presenter:
        shape = accepted(request.headers.get("Accept", ""))
        if target.subresource in ("scale", "log"):
            shape = Shape.OBJECT
        include = request.query.get("includeObject", "Metadata")
        return Presenter(target.resource, shape, self._registry.clock.now(), include)


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """Finish a write even when its client goes away in the middle."""
    return await asyncio.shield(asyncio.ensure_future(work))
