"""CreateFunction, GetFunction, ListFunctions, DeleteFunction and the two updates."""

from __future__ import annotations

import asyncio
import base64
import binascii
from pathlib import Path

from grandstand.errors import ArtefactRefused
from grandstand.functions.artefacts import read_local
from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST, object_name, version_name
from grandstand.kinds.resources import FUNCTION_VERSIONS, FUNCTIONS

from . import given
from .calls import Call, Parts, Reply
from .faults import conflict, invalid, out_of_bounds, stale, unsupported, validation
from .layers import check_size, layers_of
from .names import Reference, function_arn, is_version, parse
from .pages import page
from .shown import configuration, function_revision
from .stored import Target
from .versions import publish

_NO_CODE = ("S3ObjectVersion", "S3ObjectStorageMode", "SourceKMSKeyArn", "PublishTo")
LOCAL_BUCKET = "local"
"""The S3Bucket that means: S3Key is a path of this machine."""


async def create(parts: Parts, call: Call) -> Reply:
    asked = call.asked()
    name = parse(asked.get("FunctionName") or "", parts.settings).name
    given.check_created(asked)
    if not asked.get("Role"):
        raise validation([out_of_bounds("role", "null", "Member must not be null")])
    spec: Object = {
        "functionName": name,
        "timeoutSeconds": 3,
        "memoryMB": 128,
        "ephemeralStorageMB": 512,
        "architectures": ["x86_64"],
        "concurrency": 1,
        **given.spec_of(asked),
        "tags": asked.get("Tags") or {},
    }
    spec["code"] = await code_of(parts, asked.get("Code") or {})
    spec["layers"] = await layers_of(parts, asked.get("Layers") or [], spec["code"])
    spec = {key: value for key, value in spec.items() if value not in ({}, [], "")}
    made = await parts.stored.create(FUNCTIONS, object_name(name), spec, f"Function already exist: {name}")
    return await _answered(parts, made, publishes=bool(asked.get("Publish")), description="")


async def _answered(parts: Parts, function: Object, *, publishes: bool, description: str) -> Reply:
    """The function as it is after a write; with Publish, the version that was made of it."""
    if not publishes:
        shown = configuration(Target(function, function, LATEST), parts.settings, parts.clock.now())
        return Reply(shown)
    target = await publish(parts, function, description)
    return Reply(configuration(target, parts.settings, parts.clock.now(), target.version))


async def code_of(parts: Parts, code: Object) -> Object:
    """What a request's code becomes in a spec: the hash of a zip that is kept, or an image. Raises ServiceFault."""
    for field in _NO_CODE:
        if code.get(field):
            raise unsupported(field, "code comes with the request, or from a path of this machine")
    if code.get("ImageUri"):
        return {"image": code["ImageUri"]}
    content = await _content(parts, code)
    try:
        kept = await asyncio.to_thread(parts.artefacts.add, content)
    except ArtefactRefused as error:
        raise invalid(error.message) from error
    return {"sha256": kept.sha256, "sizeBytes": kept.size_bytes}


async def _content(parts: Parts, code: Object) -> bytes:
    bucket, key = code.get("S3Bucket"), code.get("S3Key") or ""
    if code.get("ZipFile") is not None and not bucket:
        try:
            return await asyncio.to_thread(base64.b64decode, code["ZipFile"], validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise invalid("Could not unzip uploaded file: it is not in base64") from error
    if not bucket:
        raise invalid("Please provide a source for function code.")
    if bucket != LOCAL_BUCKET or not key.startswith("/"):
        raise invalid(
            f"There is no S3 here: send the code as ZipFile, or S3Bucket={LOCAL_BUCKET} with S3Key=/path/of/a.zip"
        )
    if not parts.settings.loopback:
        raise invalid("Code is read from paths only where this port is on loopback: send it as ZipFile")
    try:
        return await asyncio.to_thread(read_local, Path(key), public_only=not parts.signed)
    except ArtefactRefused as error:
        raise invalid(error.message) from error


async def update_code(parts: Parts, call: Call) -> Reply:
    asked = call.asked()
    name = _unqualified(parts, call)
    revision = asked.get("RevisionId")
    before = await parts.stored.function(name)
    _check_revision(before, revision)
    if bool(asked.get("ImageUri")) != bool((before["spec"].get("code") or {}).get("image")):
        kind = "Image" if not asked.get("ImageUri") else "Zip"
        raise invalid(f"Please provide code that fits the function's PackageType {kind}.")
    code = await code_of(parts, asked)
    # A layer that was deleted since is still used: only its size matters.
    await check_size(parts, code, before["spec"].get("layers") or [])

    def decide(function: Object) -> Object:
        _check_revision(function, revision)
        changed = {**function["spec"], "code": code}
        return changed | ({"architectures": asked["Architectures"]} if asked.get("Architectures") else {})

    given.spec_of({"Architectures": asked.get("Architectures")})
    if asked.get("DryRun"):
        planned = {**before, "spec": decide(before)}
        return Reply(configuration(Target(planned, planned, LATEST), parts.settings, parts.clock.now()))
    changed = await parts.stored.change(name, decide)
    return await _answered(parts, changed, publishes=bool(asked.get("Publish")), description="")


async def update_configuration(parts: Parts, call: Call) -> Reply:
    asked = call.asked()
    name = _unqualified(parts, call)
    before = await parts.stored.function(name)
    if (before["spec"].get("code") or {}).get("image"):
        if asked.get("Runtime") or asked.get("Handler") or asked.get("Layers"):
            raise invalid("Please don't provide Handler or Runtime or Layer when the function PackageType is Image.")
    elif asked.get("ImageConfig"):
        raise invalid("Please don't provide ImageConfig when the function PackageType is Zip.")
    changes = given.spec_of(asked)
    if asked.get("Layers") is not None:
        changes["layers"] = await layers_of(parts, asked["Layers"], before["spec"].get("code") or {})

    def decide(function: Object) -> Object:
        _check_revision(function, asked.get("RevisionId"))
        return {key: value for key, value in {**function["spec"], **changes}.items() if value not in ({}, [], "")}

    changed = await parts.stored.change(name, decide)
    return await _answered(parts, changed, publishes=False, description="")


def _unqualified(parts: Parts, call: Call) -> str:
    reference = parse(call.path["FunctionName"], parts.settings)
    if reference.qualifier not in ("", LATEST):
        raise invalid("Only $LATEST can be updated: published versions and aliases keep their code")
    return reference.name


def _check_revision(function: Object, revision: str | None) -> None:
    if revision and revision != function_revision(function):
        raise stale("GetFunction")


async def get_configuration(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    target = await parts.stored.target(reference)
    return Reply(configuration(target, parts.settings, parts.clock.now(), reference.qualifier))


async def get(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    target = await parts.stored.target(reference)
    code, spec = target.running["spec"].get("code") or {}, target.function["spec"]
    if code.get("image"):
        location: Object = {"RepositoryType": "ECR", "ImageUri": code["image"], "ResolvedImageUri": code["image"]}
    else:
        location = {"RepositoryType": "S3", "Location": call.location(code.get("sha256") or "")}
    shown: Object = {
        "Configuration": configuration(target, parts.settings, parts.clock.now(), reference.qualifier),
        "Code": location,
    }
    if spec.get("tags"):
        shown["Tags"] = spec["tags"]
    if spec.get("reservedConcurrency") is not None and not reference.qualifier:
        shown["Concurrency"] = {"ReservedConcurrentExecutions": spec["reservedConcurrency"]}
    return Reply(shown)


async def list_all(parts: Parts, call: Call) -> Reply:
    functions = await parts.stored.all(FUNCTIONS)
    versions = call.query.get("FunctionVersion", "")
    if versions not in ("", "ALL"):
        constraint = "Member must satisfy enum value set: [ALL]"
        raise validation([out_of_bounds("functionVersion", versions, constraint)])
    targets = [Target(function, function, LATEST) for function in functions]
    if versions:
        by_name = {function["spec"]["functionName"]: function for function in functions}
        published = await parts.stored.all(FUNCTION_VERSIONS)
        targets += [
            Target(by_name[obj["spec"]["functionName"]], obj, obj["spec"]["version"])
            for obj in published
            if obj["spec"]["functionName"] in by_name
        ]
    shown, marker = page(targets, _order, *call.marker)
    now = parts.clock.now()
    listed = [
        _without_state(configuration(target, parts.settings, now, target.version if versions else ""))
        for target in shown
    ]
    return Reply({"Functions": listed} | ({"NextMarker": marker} if marker else {}))


def _order(target: Target) -> str:
    """By name; then $LATEST before the versions, which are in the order of their numbers."""
    return (
        f"{target.running['spec']['functionName']} {target.version:>12}"
        if target.version != LATEST
        else (f"{target.running['spec']['functionName']} ")
    )


def _without_state(shown: Object) -> Object:
    """AWS leaves these out of lists."""
    left_out = ("State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason")
    return {key: value for key, value in shown.items() if key not in (*left_out, "LastUpdateStatusReasonCode")}


async def delete(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    function = await parts.stored.function(reference.name, reference.qualifier)
    if reference.qualifier:
        await _delete_version(parts, function, reference)
        return Reply(status=204)
    for version in await parts.stored.versions(reference.name):
        await parts.stored.delete(FUNCTION_VERSIONS, version["metadata"]["name"])
    await parts.stored.delete(FUNCTIONS, function["metadata"]["name"])
    return Reply(status=204)


async def _delete_version(parts: Parts, function: Object, reference: Reference) -> None:
    qualifier = reference.qualifier
    if qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    if not is_version(qualifier):
        raise invalid("Deletion of aliases is not currently supported.")
    aliases = function["spec"].get("aliases") or []
    naming = [alias["name"] for alias in aliases if qualifier in (alias["version"], *(alias.get("weights") or {}))]
    if naming:
        arn = function_arn(parts.settings, reference.name, qualifier)
        raise conflict(f"Version {arn} cannot be deleted: these aliases reference it: {', '.join(naming)}")
    await parts.stored.delete(FUNCTION_VERSIONS, version_name(reference.name, qualifier))

    def decide(seen: Object) -> Object:
        settings = {key: value for key, value in (seen["spec"].get("qualified") or {}).items() if key != qualifier}
        return {**seen["spec"], "qualified": settings} if "qualified" in seen["spec"] else seen["spec"]

    await parts.stored.change(reference.name, decide)


async def signing_configuration(parts: Parts, call: Call) -> Reply:
    """No function has one; infrastructure tools ask for every function."""
    reference = parse(call.path["FunctionName"], parts.settings)
    await parts.stored.function(reference.name)
    return Reply({"FunctionName": reference.name})


__all__ = [
    "create",
    "delete",
    "get",
    "get_configuration",
    "list_all",
    "signing_configuration",
    "update_code",
    "update_configuration",
]
