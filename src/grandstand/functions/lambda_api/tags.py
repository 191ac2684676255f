"""Tags of functions and event source mappings, by their ARNs: ListTags, TagResource, UntagResource."""

from __future__ import annotations

import re
from collections.abc import Callable

from grandstand.kinds import Object
from grandstand.kinds.resources import FUNCTION_TRIGGERS

from .calls import Call, Parts, Reply
from .faults import invalid
from .names import parse

Change = Callable[[Object], Object]
_MAPPING = re.compile(r"arn:aws:lambda:[^:]+:\d{12}:event-source-mapping:(?P<uuid>[0-9a-f-]{36})")
_MOST_TAGS = 50


async def list_all(parts: Parts, call: Call) -> Reply:
    return Reply({"Tags": (await _spec(parts, call.path["Resource"])).get("tags") or {}})


async def tag(parts: Parts, call: Call) -> Reply:
    added = call.asked().get("Tags") or {}
    return await _changed(parts, call.path["Resource"], lambda tags: {**tags, **added})


async def untag(parts: Parts, call: Call) -> Reply:
    keys = call.query.get("tagKeys", "").split("\n")
    return await _changed(parts, call.path["Resource"], lambda tags: {k: v for k, v in tags.items() if k not in keys})


async def _spec(parts: Parts, arn: str) -> Object:
    if found := _MAPPING.fullmatch(arn):
        spec: Object = (await parts.stored.get(FUNCTION_TRIGGERS, found["uuid"]))["spec"]
        return spec
    reference = parse(arn, parts.settings)
    if reference.qualifier:
        raise invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
    return dict((await parts.stored.function(reference.name))["spec"])


async def _changed(parts: Parts, arn: str, change: Change) -> Reply:
    def decide(obj: Object) -> Object:
        tags = change(obj["spec"].get("tags") or {})
        if len(tags) > _MOST_TAGS:
            raise invalid(f"The number of tags exceeds the limit of {_MOST_TAGS}.")
        return {**obj["spec"], "tags": tags}

    await _spec(parts, arn)
    if found := _MAPPING.fullmatch(arn):
        trigger = await parts.stored.get(FUNCTION_TRIGGERS, found["uuid"])
        await parts.stored.replace(FUNCTION_TRIGGERS, {**trigger, "spec": decide(trigger)})
    else:
        await parts.stored.change(parse(arn, parts.settings).name, decide)
    return Reply(status=204)
