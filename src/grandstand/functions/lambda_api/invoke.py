"""Invoke, InvokeAsync and InvokeWithResponseStream: checked here, run by the invoker."""

from __future__ import annotations

import base64
import binascii

import msgspec

from grandstand.kinds.functions import LATEST

from .calls import Call, Parts, Reply
from .faults import bad_json, conflict, invalid, out_of_bounds, too_large, validation
from .names import parse
from .ports import Answer, InvokeKind

MOST_SYNC_BYTES = 6 * 1024 * 1024
MOST_EVENT_BYTES = 1024 * 1024
MOST_CONTEXT_BYTES = 3583
_KINDS = (InvokeKind.REQUEST_RESPONSE, InvokeKind.EVENT, InvokeKind.DRY_RUN)


async def invoke(parts: Parts, call: Call) -> Reply | Answer:
    asked = call.headers.get("x-amz-invocation-type", InvokeKind.REQUEST_RESPONSE)
    if asked not in _KINDS:
        constraint = "Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
        raise validation([out_of_bounds("invocationType", asked, constraint)])
    return await _invoked(parts, call, InvokeKind(asked), "InvokeFunction")


async def invoke_async(parts: Parts, call: Call) -> Reply:
    """The old way to send an event; its answer is a body."""
    answer = await _invoked(parts, call, InvokeKind.EVENT, "InvokeAsync")
    async for _ in answer.body:
        pass
    return Reply({}, status=202)


async def invoke_with_response_stream(parts: Parts, call: Call) -> Reply | Answer:
    asked = call.headers.get("x-amz-invocation-type", InvokeKind.REQUEST_RESPONSE)
    if asked == InvokeKind.DRY_RUN:
        return await _invoked(parts, call, InvokeKind.DRY_RUN, "InvokeWithResponseStream")
    if asked != InvokeKind.REQUEST_RESPONSE:
        constraint = "Member must satisfy enum value set: [RequestResponse, DryRun]"
        raise validation([out_of_bounds("invocationType", asked, constraint)])
    return await _invoked(parts, call, InvokeKind.STREAM, "InvokeWithResponseStream")


async def _invoked(parts: Parts, call: Call, kind: InvokeKind, operation: str) -> Answer:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    target = await parts.stored.target(reference)
    _check_payload(call.body, kind, operation)
    _check_headers(call)
    status = target.function.get("status") or {}
    if target.version == LATEST and status.get("state") == "Failed":
        raise conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Failed"
        )
    kept = ("x-amz-log-type", "x-amz-client-context")
    headers = {name: call.headers[name] for name in kept if name in call.headers}
    return await parts.invoker.invoke(reference.name, reference.qualifier, call.body, headers, kind)


def _check_payload(payload: bytes, kind: InvokeKind, operation: str) -> None:
    if kind is InvokeKind.EVENT and len(payload) > MOST_EVENT_BYTES:
        raise too_large(MOST_EVENT_BYTES, operation)
    if len(payload) > MOST_SYNC_BYTES:
        raise too_large(MOST_SYNC_BYTES, operation)
    if payload:
        try:
            msgspec.json.decode(payload, type=msgspec.Raw)
        except msgspec.DecodeError as error:
            raise bad_json(f"Could not parse payload into json: {error}") from error


def _check_headers(call: Call) -> None:
    log_type = call.headers.get("x-amz-log-type", "None")
    if log_type not in ("None", "Tail"):
        constraint = "Member must satisfy enum value set: [None, Tail]"
        raise validation([out_of_bounds("logType", log_type, constraint)])
    context = call.headers.get("x-amz-client-context")
    if context is None:
        return
    if len(context) > MOST_CONTEXT_BYTES:
        raise invalid(f"Client context must be no more than {MOST_CONTEXT_BYTES} bytes long")
    try:
        msgspec.json.decode(base64.b64decode(context, validate=True))
    except (binascii.Error, msgspec.DecodeError, UnicodeError) as error:
        raise bad_json("Client context must be a valid Base64-encoded JSON object.") from error
