"""PublishVersion and ListVersionsByFunction."""

from __future__ import annotations

from grandstand.errors import ServiceFault
from grandstand.functions.artefacts import aws_digest
from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST, version_name
from grandstand.kinds.resources import FUNCTION_VERSIONS

from .calls import Call, Parts, Reply
from .faults import invalid, stale
from .names import parse
from .pages import page
from .shown import configuration, function_revision
from .stored import Target

_OF_THE_FUNCTION = ("reservedConcurrency", "url", "aliases", "asyncInvoke", "qualified", "policy", "tags")
"""What is not frozen: it belongs to the function, whatever version runs."""
_OF_THE_VERSION = ("version", "function", "description")
_TRIES = 20


async def publish_version(parts: Parts, call: Call) -> Reply:
    asked = call.asked()
    reference = parse(call.path["FunctionName"], parts.settings)
    function = await parts.stored.function(reference.name)
    if asked.get("PublishTo"):
        raise invalid("PublishTo is not supported by Grandstand: versions are published in one place")
    if asked.get("RevisionId") and asked["RevisionId"] != function_revision(function):
        raise stale("GetFunction")
    code = aws_digest((function["spec"].get("code") or {}).get("sha256") or "")
    if asked.get("CodeSha256") and asked["CodeSha256"] != code:
        raise invalid(
            f"CodeSHA256 ({asked['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({code}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    target = await publish(parts, function, asked.get("Description") or "")
    return Reply(configuration(target, parts.settings, parts.clock.now(), target.version))


async def publish(parts: Parts, function: Object, description: str) -> Target:
    """Freeze a function; if nothing has changed since the last version, that is the one, as in AWS."""
    name = function["spec"]["functionName"]
    frozen = {key: value for key, value in function["spec"].items() if key not in _OF_THE_FUNCTION}
    if description:
        frozen["description"] = description
    for _ in range(_TRIES):
        versions = await parts.stored.versions(name)
        if versions and _unchanged(versions[-1]["spec"], frozen):
            return Target(function, versions[-1], versions[-1]["spec"]["version"])
        # The status may have been written since `function` was read.
        counted = ((await parts.stored.function(name)).get("status") or {}).get("latestVersion") or 0
        number = max(counted, *(int(version["spec"]["version"]) for version in versions), 0) + 1
        spec = {**frozen, "function": function["metadata"]["name"], "version": str(number)}
        try:
            made = await parts.stored.create(
                FUNCTION_VERSIONS, version_name(name, str(number)), spec, "taken", function
            )
        except ServiceFault:
            continue  # somebody else published at the same time
        await parts.stored.count_version(function, number)
        return Target(function, made, str(number))
    raise ServiceFault("TooManyRequestsException", "Rate exceeded: versions are published by others: try again", 429)


def _unchanged(published: Object, frozen: Object) -> bool:
    before, after = (
        {key: value for key, value in spec.items() if key not in _OF_THE_VERSION} for spec in (published, frozen)
    )
    return before == after


async def list_versions(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings)
    function = await parts.stored.function(reference.name)
    targets = [Target(function, function, LATEST)]
    targets += [Target(function, obj, obj["spec"]["version"]) for obj in await parts.stored.versions(reference.name)]
    shown, marker = page(targets, lambda target: f"{target.version.replace(LATEST, '0'):0>12}", *call.marker)
    now = parts.clock.now()
    listed = [configuration(target, parts.settings, now, target.version) for target in shown]
    return Reply({"Versions": listed} | ({"NextMarker": marker} if marker else {}))
