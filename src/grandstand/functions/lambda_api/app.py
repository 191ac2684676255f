"""The application of Lambda's port: takes requests in, finds who answers, and writes what comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Any, cast

import msgspec
from aiohttp import web

from grandstand.client import Client
from grandstand.clock import Clock, SystemClock
from grandstand.errors import GrandstandError, NotFound, ServiceFault
from grandstand.functions import sqs_api
from grandstand.functions.artefacts import Artefacts
from grandstand.functions.queues.ports import Queues
from grandstand.functions.signing import Credentials, SignedRequest, presign
from grandstand.kinds.functions import SHA256

from . import front, identity, log_reading, xml_answers
from .asked import logs_fields
from .calls import Call, Parts, Reply
from .operations import find
from .outcomes import Outcome, failed, fault_of
from .ports import Answer, Auth, Invoker, Logs, Settings
from .stored import Stored

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 70_167_211
"""AWS's limit for CreateFunction: a zip of 50 MB, in base64, and what goes with it."""
LARGE_BYTES = 256 * 1024
CODE_EXPIRES_SECONDS = 600
_CODE_PATH = "code"
DEFAULT_SETTINGS = Settings()


def build(
    client: Client,
    invoker: Invoker,
    artefacts: Artefacts,
    auth: Auth,
    logs: Logs,
    settings: Settings = DEFAULT_SETTINGS,
    clock: Clock | None = None,
    queues: Queues | None = None,
) -> web.Application:
    """The application; it keeps nothing, so that there may be several over the same objects.

    Without `queues`, SQS's API is refused.
    """
    clock = clock or SystemClock()
    if not auth.required and not settings.loopback:
        raise ValueError("requests without signatures are for loopback only")
    parts = Parts(Stored(client, settings), invoker, artefacts, logs, settings, clock, auth.required)
    application = web.Application(client_max_size=MOST_BODY_BYTES)
    application.router.add_route("*", "/{path:.*}", _Port(parts, auth, queues).answer)
    return application


class _Port:
    """Answers every request of the port."""

    def __init__(self, parts: Parts, auth: Auth, queues: Queues | None) -> None:
        self._parts = parts
        self._auth = auth
        home = sqs_api.Home(parts.settings.region, parts.settings.account)
        self._sqs_parts = None if queues is None else sqs_api.Parts(queues, home)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        request_id, service = self._parts.clock.uid(), "lambda"
        try:
            signed = front.signed_request(request, b"")
            service = front.guess(signed)  # errors of who is not let in are written in its protocol too
            front.check_head(signed, self._auth, self._parts.clock.now())
            signed = replace(signed, body=await _body(request))
            service = await self._let_in(signed)
            outcome = await self._dispatch(service, signed, request_id, partial(_is_gone, request))
        except GrandstandError as error:
            outcome = failed(service, fault_of(error), request_id)
        except Exception:
            log.exception("A request to Lambda's port failed: %s %s", request.method, request.path)
            message = "Something went wrong inside Grandstand. The log of the engine says more."
            outcome = failed(service, ServiceFault("ServiceException", message, 500), request_id)
        return await _sent(request, outcome, request_id)

    async def _let_in(self, request: SignedRequest) -> str:
        """Large bodies are hashed in a thread: other requests are answered meanwhile."""
        now = self._parts.clock.now()
        if len(request.body) < LARGE_BYTES:
            return front.check(request, self._auth, now)
        return await asyncio.to_thread(front.check, request, self._auth, now)

    async def _dispatch(
        self, service: str, request: SignedRequest, request_id: str, gone: Callable[[], bool]
    ) -> Outcome | Answer:
        match service:
            case "sts":
                return await self._query(request, identity.STS_ACTIONS, identity.STS_NAMESPACE, request_id)
            case "iam":
                return await self._query(request, identity.IAM_ACTIONS, identity.IAM_NAMESPACE, request_id)
            case "logs":
                return await self._logs(request)
            case "sqs":
                return await self._sqs(request, gone)
        return await self._lambda(request)

    async def _lambda(self, request: SignedRequest) -> Outcome | Answer:
        segments = front.segments_of(request.path)
        if request.method == "GET" and segments[0] == _CODE_PATH and len(segments) == 2:
            return await self._code(segments[1])
        found = find(request.method, segments)
        if found is None:
            message = f"{request.method} {request.path} is no operation of Lambda's API"
            raise ServiceFault("UnknownOperationException", message, 404)
        operation, parameters = found
        refused = operation.refused or self._parts.settings.unserved.get(operation.name, "")
        if operation.handler is None or refused:
            message = f"{operation.name} is not supported by Grandstand: {refused}"
            raise ServiceFault("UnknownOperationException", message, 404)
        headers = {name.lower(): value for name, value in request.headers}
        call = Call(parameters, front.query_of(request.query), headers, request.body, partial(self._location, request))
        reply = await operation.handler(self._parts, call)
        if isinstance(reply, Answer):
            return reply
        status = operation.status if reply.status is None else reply.status
        return _json(status, reply)

    async def _query(
        self, request: SignedRequest, actions: dict[str, identity.Action], namespace: str, request_id: str
    ) -> Outcome:
        form = front.form_of(request)
        name = form.get("Action", "")
        action = actions.get(name)
        if action is None:
            message = f"The action {name} is not supported by Grandstand; these are: {', '.join(actions)}"
            raise ServiceFault("InvalidAction", message, 400)
        body = xml_answers.answer(name, namespace, await action(self._parts, form), request_id)
        return Outcome(200, body, {"Content-Type": "text/xml"})

    async def _logs(self, request: SignedRequest) -> Outcome:
        name = (request.value("x-amz-target") or "").rpartition(".")[2]
        read = log_reading.READS.get(name)
        if read is None:
            message = f"{name} is not supported by Grandstand: logs of functions are for reading"
            raise ServiceFault("UnknownOperationException", message, 400)
        body = msgspec.json.encode(await read(self._parts, logs_fields(request.body)))
        return Outcome(200, body, {"Content-Type": "application/x-amz-json-1.1"})

    async def _sqs(self, request: SignedRequest, gone: Callable[[], bool]) -> Outcome:
        if self._sqs_parts is None:
            raise ServiceFault("UnsupportedOperation", "This engine serves functions without queues", 400)
        call = sqs_api.Call(request.body, request.value("host") or "localhost", gone)
        body = await sqs_api.answer(self._sqs_parts, request.value("x-amz-target") or "", call)
        return Outcome(200, body, {"Content-Type": sqs_api.CONTENT_TYPE})

    async def _code(self, name: str) -> Outcome:
        """The zip of a function or layer, as Code.Location promises."""
        digest = name.removesuffix(".zip")
        if not SHA256.fullmatch(digest) or not self._parts.artefacts.has(digest):
            raise NotFound("There is no such code here")
        content = await asyncio.to_thread(self._parts.artefacts.zip_path(digest).read_bytes)
        return Outcome(200, content, {"Content-Type": "application/zip"})

    def _location(self, request: SignedRequest, sha256: str) -> str:
        host, path = request.value("host") or "localhost", f"/{_CODE_PATH}/{sha256}.zip"
        if not self._auth.required:
            return f"http://{host}{path}"
        key, secret = next(iter(self._auth.secrets.items()))
        wanted = SignedRequest("GET", path, "", [("Host", host)])
        region, now = self._parts.settings.region, self._parts.clock.now()
        query = presign(wanted, Credentials(key, secret), region, "lambda", now, CODE_EXPIRES_SECONDS)
        return f"http://{host}{path}?{query}"


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        message = f"Request must be smaller than {MOST_BODY_BYTES} bytes for the CreateFunction operation"
        raise ServiceFault("RequestEntityTooLargeException", message, 413) from error


def _json(status: int, reply: Reply) -> Outcome:
    if reply.body is None:
        return Outcome(status, b"", reply.headers)
    return Outcome(status, msgspec.json.encode(reply.body), {"Content-Type": "application/json", **reply.headers})


async def _sent(request: web.Request, outcome: Outcome | Answer, request_id: str) -> web.StreamResponse:
    known = {name.lower() for name in outcome.headers}
    headers = dict(outcome.headers) | ({} if "x-amzn-requestid" in known else {"x-amzn-RequestId": request_id})
    if isinstance(outcome, Outcome):
        return web.Response(status=outcome.status, body=outcome.body, headers=headers)
    if "content-type" not in known and outcome.status == 200:
        headers["Content-Type"] = "application/json"
    response = web.StreamResponse(status=outcome.status, headers=headers)
    async with aclosing(cast("Any", outcome.body)) as pieces:
        with suppress(ConnectionResetError):  # who asked is gone: there is nobody to tell
            await response.prepare(request)
            async for piece in pieces:
                await response.write(piece)
            await response.write_eof()
    return response
