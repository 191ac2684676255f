"""Event source mappings, which are FunctionTrigger objects: Create, Get, Update, List, Delete."""

from __future__ import annotations

from grandstand.clock import parse_time, rfc3339
from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST
from grandstand.kinds.resources import FUNCTION_TRIGGERS

from .calls import Call, Parts, Reply
from .faults import conflict, invalid, not_found, out_of_bounds, unsupported, validation
from .names import function_arn, mapping_arn, parse
from .pages import page
from .stored import Stored

_NUMBERS = (
    ("BatchSize", "batchSize", 1, 10_000),
    ("MaximumBatchingWindowInSeconds", "maximumBatchingWindowSeconds", 0, 300),
)
_KNOWN = frozenset(
    (
        *("EventSourceArn", "FunctionName", "Enabled", "Tags", "FilterCriteria", "ScalingConfig"),
        *("FunctionResponseTypes", "BatchSize", "MaximumBatchingWindowInSeconds"),
    )
)
_MOST_WITHOUT_A_WINDOW = 10


async def create(parts: Parts, call: Call) -> Reply:
    asked = call.asked()
    source = asked.get("EventSourceArn") or ""
    if not source.startswith("arn:aws:sqs:"):
        raise invalid(f"Events can come from queues only (arn:aws:sqs:…), not from {source or 'nothing'}")
    reference = parse(asked.get("FunctionName") or "", parts.settings)
    await parts.stored.target(reference)
    sqs = {"queueArn": source, "batchSize": 10, **_sqs(asked)}
    _check_window(sqs)
    qualifier = "" if reference.qualifier == LATEST else reference.qualifier
    spec: Object = {
        "functionName": reference.name,
        "enabled": asked.get("Enabled") is not False,
        "sqs": sqs,
        "changedAt": rfc3339(parts.clock.now()),
        **({"qualifier": qualifier} if qualifier else {}),
        **({"tags": asked["Tags"]} if asked.get("Tags") else {}),
    }
    for other in await _mappings(parts.stored):
        mapped = (other["spec"]["sqs"]["queueArn"], other["spec"]["functionName"], other["spec"].get("qualifier") or "")
        if mapped == (source, reference.name, qualifier):
            arn = function_arn(parts.settings, reference.name, qualifier)
            raise conflict(
                f'The event source arn (" {source} ") and function (" {arn} ") provided mapping already exists. '
                f"Please update or delete the existing mapping with UUID {other['metadata']['name']}"
            )
    made = await parts.stored.create(FUNCTION_TRIGGERS, parts.clock.uid(), spec, "The mapping exists already")
    return Reply(_shown(parts, made, "Creating"))


async def get(parts: Parts, call: Call) -> Reply:
    return Reply(_shown(parts, await _mapping(parts, call)))


async def update(parts: Parts, call: Call) -> Reply:
    asked, trigger = call.asked(), await _mapping(parts, call)
    spec = {**trigger["spec"], "changedAt": rfc3339(parts.clock.now())}
    spec["sqs"] = {**spec["sqs"], **_sqs(asked)}
    _check_window(spec["sqs"])
    if asked.get("Enabled") is not None:
        spec["enabled"] = asked["Enabled"]
    if asked.get("FunctionName"):
        reference = parse(asked["FunctionName"], parts.settings)
        await parts.stored.target(reference)
        spec |= {"functionName": reference.name, "qualifier": reference.qualifier}
    return Reply(_shown(parts, await parts.stored.replace(FUNCTION_TRIGGERS, {**trigger, "spec": spec}), "Updating"))


async def list_all(parts: Parts, call: Call) -> Reply:
    found = await _mappings(parts.stored)
    if source := call.query.get("EventSourceArn"):
        found = [trigger for trigger in found if trigger["spec"]["sqs"]["queueArn"] == source]
    if text := call.query.get("FunctionName"):
        reference = parse(text, parts.settings)
        wanted = (reference.name, reference.qualifier)
        found = [
            trigger
            for trigger in found
            if (trigger["spec"]["functionName"], trigger["spec"].get("qualifier") or "") == wanted
        ]
    shown, marker = page(found, lambda trigger: str(trigger["metadata"]["name"]), *call.marker, default=100)
    listed = [_shown(parts, trigger) for trigger in shown]
    return Reply({"EventSourceMappings": listed} | ({"NextMarker": marker} if marker else {}))


async def delete(parts: Parts, call: Call) -> Reply:
    trigger = await _mapping(parts, call)
    await parts.stored.delete(FUNCTION_TRIGGERS, trigger["metadata"]["name"])
    return Reply(_shown(parts, trigger, "Deleting"))


async def _mappings(stored: Stored) -> list[Object]:
    """Triggers of other sources are no event source mappings, as on AWS."""
    return [trigger for trigger in await stored.all(FUNCTION_TRIGGERS) if trigger["spec"].get("sqs") is not None]


async def _mapping(parts: Parts, call: Call) -> Object:
    trigger = await parts.stored.get(FUNCTION_TRIGGERS, call.path["UUID"])
    if trigger["spec"].get("sqs") is None:
        raise not_found()
    return trigger


def _sqs(asked: Object) -> Object:
    given: Object = {}
    for field, value in asked.items():
        if field not in _KNOWN and value not in (None, [], {}, ""):
            raise unsupported(field, "it is not for queues, or nothing here acts on it")
    for field, own, least, most in _NUMBERS:
        value = asked.get(field)
        if value is None:
            continue
        if not isinstance(value, int) or not least <= value <= most:
            constraint = f"Member must have value between {least} and {most}"
            raise validation([out_of_bounds(field[0].lower() + field[1:], value, constraint)])
        given[own] = value
    if asked.get("ScalingConfig") is not None:
        most = asked["ScalingConfig"].get("MaximumConcurrency")
        if most is not None and not 2 <= most <= 1000:
            constraint = "Member must have value between 2 and 1000"
            raise validation([out_of_bounds("scalingConfig.maximumConcurrency", most, constraint)])
        given |= {"maximumConcurrency": most} if most is not None else {}
    if asked.get("FunctionResponseTypes") is not None:
        given["reportBatchItemFailures"] = "ReportBatchItemFailures" in asked["FunctionResponseTypes"]
    if asked.get("FilterCriteria") is not None:
        given["filters"] = [each.get("Pattern") or "{}" for each in asked["FilterCriteria"].get("Filters") or []]
    return given


def _check_window(sqs: Object) -> None:
    if sqs["batchSize"] > _MOST_WITHOUT_A_WINDOW and not sqs.get("maximumBatchingWindowSeconds"):
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")


def _shown(parts: Parts, trigger: Object, state: str = "") -> Object:
    spec, sqs, uuid = trigger["spec"], trigger["spec"]["sqs"], trigger["metadata"]["name"]
    changed = spec.get("changedAt") or trigger["metadata"]["creationTimestamp"]
    shown: Object = {
        "UUID": uuid,
        "EventSourceMappingArn": mapping_arn(parts.settings, uuid),
        "EventSourceArn": sqs["queueArn"],
        "FunctionArn": function_arn(parts.settings, spec["functionName"], spec.get("qualifier") or ""),
        "BatchSize": sqs.get("batchSize", 10),
        "MaximumBatchingWindowInSeconds": sqs.get("maximumBatchingWindowSeconds") or 0,
        "LastModified": parse_time(changed),
        "State": state or ("Enabled" if spec.get("enabled", True) else "Disabled"),
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if sqs.get("reportBatchItemFailures") else [],
    }
    if sqs.get("maximumConcurrency"):
        shown["ScalingConfig"] = {"MaximumConcurrency": sqs["maximumConcurrency"]}
    if sqs.get("filters"):
        shown["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in sqs["filters"]]}
    return shown
