"""How events are invoked: Put, Update, Get, List and DeleteFunctionEventInvokeConfig."""

from __future__ import annotations

from collections.abc import Callable

from grandstand.clock import parse_time, rfc3339
from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST

from .calls import Call, Parts, Reply
from .faults import invalid, not_found, out_of_bounds, validation
from .names import Reference, function_arn, parse
from .pages import page
from .qualified import all_settings, settings_of, with_setting

Combine = Callable[[Object, Object], Object]

_NUMBERS = (
    ("MaximumRetryAttempts", "maximumRetryAttempts", 0, 2),
    ("MaximumEventAgeInSeconds", "maximumEventAgeSeconds", 60, 21_600),
)


async def put(parts: Parts, call: Call) -> Reply:
    """Replaces the whole configuration."""
    return await _write(parts, call, lambda before, given: given)


async def update(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    _existing(parts, (await parts.stored.target(reference)).function, reference)
    return await _write(parts, call, lambda before, given: {**before, **given})


async def _write(parts: Parts, call: Call, combine: Combine) -> Reply:
    reference, given = parse(call.path["FunctionName"], parts.settings, call.qualifier), _given(call.asked())
    await parts.stored.target(reference)
    given["changedAt"] = rfc3339(parts.clock.now())

    def decide(function: Object) -> Object:
        before = settings_of(function, reference.qualifier).get("asyncInvoke") or {}
        return with_setting(function, reference.qualifier, "asyncInvoke", combine(before, given))

    function = await parts.stored.change(reference.name, decide)
    return Reply(_shown(parts, reference, _existing(parts, function, reference)))


async def get(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    function = (await parts.stored.target(reference)).function
    return Reply(_shown(parts, reference, _existing(parts, function, reference)))


async def list_all(parts: Parts, call: Call) -> Reply:
    name = parse(call.path["FunctionName"], parts.settings).name
    found = all_settings(await parts.stored.function(name), "asyncInvoke")
    shown, marker = page(found, lambda item: item[0], *call.marker)
    listed = [_shown(parts, Reference(name, qualifier), setting) for qualifier, setting in shown]
    return Reply({"FunctionEventInvokeConfigs": listed} | ({"NextMarker": marker} if marker else {}))


async def delete(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    await parts.stored.target(reference)

    def decide(function: Object) -> Object:
        _existing(parts, function, reference)
        return with_setting(function, reference.qualifier, "asyncInvoke", None)

    await parts.stored.change(reference.name, decide)
    return Reply(status=204)


def _existing(parts: Parts, function: Object, reference: Reference) -> Object:
    setting: Object | None = settings_of(function, reference.qualifier).get("asyncInvoke")
    if setting is None:
        arn = function_arn(parts.settings, reference.name, reference.qualifier or LATEST)
        raise not_found(f"The function {arn} doesn't have an EventInvokeConfig")
    return setting


def _given(asked: Object) -> Object:
    given: Object = {}
    for field, own, least, most in _NUMBERS:
        value = asked.get(field)
        if value is None:
            continue
        if not isinstance(value, int) or not least <= value <= most:
            constraint = f"Member must have value between {least} and {most}"
            raise validation([out_of_bounds(field[0].lower() + field[1:], value, constraint)])
        given[own] = value
    destinations = asked.get("DestinationConfig")
    if destinations is not None:
        for field, own in (("OnSuccess", "onSuccess"), ("OnFailure", "onFailure")):
            given[own] = _destination(field, (destinations.get(field) or {}).get("Destination") or "")
    if not given:
        raise invalid("You must specify at least one of error handling or destination setting.")
    return given


def _destination(field: str, arn: str) -> str:
    """The queue or function that results are sent to."""
    if arn and not arn.startswith(("arn:aws:sqs:", "arn:aws:lambda:")):
        raise invalid(f"The destination of {field} must be the ARN of a queue or a function here: {arn}")
    return arn


def _shown(parts: Parts, reference: Reference, setting: Object) -> Object:
    shown: Object = {
        "FunctionArn": function_arn(parts.settings, reference.name, reference.qualifier or LATEST),
        "LastModified": parse_time(setting["changedAt"]) if setting.get("changedAt") else 0,
        "DestinationConfig": {
            field: {"Destination": setting[own]} if setting.get(own) else {}
            for field, own in (("OnSuccess", "onSuccess"), ("OnFailure", "onFailure"))
        },
    }
    return shown | {field: setting[own] for field, own, _, _ in _NUMBERS if own in setting}
