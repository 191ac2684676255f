"""Layers: PublishLayerVersion, GetLayerVersion, the lists, DeleteLayerVersion; and what functions name of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

from grandstand.clock import parse_time
from grandstand.errors import ArtefactRefused, NotFound, ServiceFault
from grandstand.functions.artefacts import aws_digest, read_local
from grandstand.kinds import Object
from grandstand.kinds.functions import version_name
from grandstand.kinds.resources import FUNCTION_LAYERS

from .calls import Call, Parts, Reply
from .faults import invalid, not_found
from .names import layer_arn, parse_layer
from .pages import page
from .shown import aws_time

DELETED = "grandstand.dev/deleted"
"""Marks the highest version when it is deleted, so that its number is not given again."""
_TRIES = 20


async def publish(parts: Parts, call: Call) -> Reply:
    asked = call.asked()
    name, version = parse_layer(call.path["LayerName"])
    if version:
        raise invalid(f"{call.path['LayerName']} names a version: give the layer alone")
    code = await _kept(parts, asked.get("Content") or {})
    fields = {
        "description": asked.get("Description"),
        "licenseInfo": asked.get("LicenseInfo"),
        "compatibleRuntimes": asked.get("CompatibleRuntimes"),
        "compatibleArchitectures": asked.get("CompatibleArchitectures"),
    }
    given = {key: value for key, value in fields.items() if value}
    for _ in range(_TRIES):
        number = max((int(obj["spec"]["version"]) for obj in await _versions(parts, name, deleted=True)), default=0) + 1
        arn = layer_arn(parts.settings, name, str(number))
        spec = {"layerName": name, "version": str(number), "arn": arn, "code": code, **given}
        try:
            made = await parts.stored.create(FUNCTION_LAYERS, version_name(name, str(number)), spec, "taken")
        except ServiceFault:
            continue  # somebody else published at the same time
        return Reply(_shown(parts, made, call))
    raise ServiceFault("TooManyRequestsException", "Rate exceeded: the layer is published by others: try again", 429)


async def _kept(parts: Parts, content: Object) -> Object:
    try:
        if content.get("ZipFile") is not None:
            zipped = base64.b64decode(content["ZipFile"], validate=True)
        elif content.get("S3Bucket") == "local" and parts.settings.loopback:
            zipped = await asyncio.to_thread(read_local, Path(content.get("S3Key") or ""), public_only=not parts.signed)
        else:
            raise invalid("There is no S3 here: send the layer as ZipFile")
        kept = await asyncio.to_thread(parts.artefacts.add, zipped)
    except (binascii.Error, TypeError) as error:
        raise invalid("Could not unzip uploaded file: it is not in base64") from error
    except ArtefactRefused as error:
        raise invalid(error.message) from error
    return {"sha256": kept.sha256, "sizeBytes": kept.size_bytes}


async def layers_of(parts: Parts, arns: Sequence[str], code: Object) -> list[Object]:
    """Layers as a Function names them; with its code they must not be too large. Raises ServiceFault."""
    found = []
    for arn in arns:
        name, version = parse_layer(arn)
        if not version:
            raise invalid(f"Layer version ARN expected, got {arn}: add the number of a version")
        layer = await _version(parts, name, version)
        if layer is None:
            raise invalid(f"Layer version {arn} does not exist.")
        found.append({"arn": layer["spec"]["arn"], **layer["spec"]["code"]})
    names = {parse_layer(layer["arn"])[0] for layer in found}
    if len(names) < len(found):
        raise invalid("Two different versions of the same layer are not allowed to be referenced in the same function.")
    await check_size(parts, code, found)
    return found


async def check_size(parts: Parts, code: Object, layers: Sequence[Object]) -> None:
    """Raise ServiceFault where code and layers are too large together, or one is not here."""
    if not layers or not code.get("sha256"):
        return
    digests = [code["sha256"], *(layer["sha256"] for layer in layers)]
    try:
        await asyncio.to_thread(parts.artefacts.check_size, digests)
    except (ArtefactRefused, NotFound) as error:
        raise invalid(error.message) from error


async def get(parts: Parts, call: Call) -> Reply:
    name, _ = parse_layer(call.path["LayerName"])
    return await _answered(parts, call, name, call.path["VersionNumber"])


async def get_by_arn(parts: Parts, call: Call) -> Reply:
    name, version = parse_layer(call.query.get("Arn", ""))
    return await _answered(parts, call, name, version)


async def _answered(parts: Parts, call: Call, name: str, version: str) -> Reply:
    layer = await _version(parts, name, version)
    if layer is None:
        raise not_found()
    return Reply(_shown(parts, layer, call))


async def list_versions(parts: Parts, call: Call) -> Reply:
    name, _ = parse_layer(call.path["LayerName"])
    layers = [layer for layer in await _versions(parts, name) if _is_compatible(layer, call)]
    shown, marker = page(layers, _newest_first, *call.marker)
    listed = [_shown(parts, layer, None) for layer in shown]
    return Reply({"LayerVersions": listed} | ({"NextMarker": marker} if marker else {}))


async def list_all(parts: Parts, call: Call) -> Reply:
    """GetLayerVersionByArn has the same path."""
    if call.query.get("find") == "LayerVersion":
        return await get_by_arn(parts, call)
    newest: dict[str, Object] = {}
    for layer in await parts.stored.all(FUNCTION_LAYERS):
        name = layer["spec"]["layerName"]
        if not _is_deleted(layer) and _is_compatible(layer, call):
            newest[name] = max(newest.get(name, layer), layer, key=lambda each: int(each["spec"]["version"]))
    shown, marker = page(newest.items(), lambda item: item[0], *call.marker)
    listed = [
        {
            "LayerName": name,
            "LayerArn": layer_arn(parts.settings, name),
            "LatestMatchingVersion": _shown(parts, layer, None),
        }
        for name, layer in shown
    ]
    return Reply({"Layers": listed} | ({"NextMarker": marker} if marker else {}))


async def delete(parts: Parts, call: Call) -> Reply:
    """Functions that name it keep it: they name its code."""
    name, version = parse_layer(call.path["LayerName"])[0], call.path["VersionNumber"]
    layer = await _version(parts, name, version)
    if layer is None:
        return Reply(status=204)
    versions = await _versions(parts, name, deleted=True)
    if layer["spec"]["version"] == versions[-1]["spec"]["version"]:
        annotations = {**(layer["metadata"].get("annotations") or {}), DELETED: "true"}
        await parts.stored.replace(
            FUNCTION_LAYERS, {**layer, "metadata": {**layer["metadata"], "annotations": annotations}}
        )
    else:
        await parts.stored.delete(FUNCTION_LAYERS, layer["metadata"]["name"])
    return Reply(status=204)


async def _versions(parts: Parts, name: str, *, deleted: bool = False) -> list[Object]:
    """The versions of a layer, the oldest first."""
    found = [layer for layer in await parts.stored.all(FUNCTION_LAYERS) if layer["spec"]["layerName"] == name]
    return sorted(
        (layer for layer in found if deleted or not _is_deleted(layer)), key=lambda layer: int(layer["spec"]["version"])
    )


async def _version(parts: Parts, name: str, version: str) -> Object | None:
    return next((layer for layer in await _versions(parts, name) if layer["spec"]["version"] == version), None)


def _is_deleted(layer: Object) -> bool:
    return DELETED in (layer["metadata"].get("annotations") or {})


def _is_compatible(layer: Object, call: Call) -> bool:
    wanted = (
        ("CompatibleRuntime", "compatibleRuntimes"),
        ("CompatibleArchitecture", "compatibleArchitectures"),
    )
    return all(not call.query.get(aws) or call.query[aws] in layer["spec"].get(own, []) for aws, own in wanted)


def _newest_first(layer: Object) -> str:
    return f"{10**12 - int(layer['spec']['version']):013d}"


def _shown(parts: Parts, layer: Object, call: Call | None) -> Object:
    """One version; with the call, also where its code can be fetched."""
    spec = layer["spec"]
    shown: Object = {
        "LayerVersionArn": layer_arn(parts.settings, spec["layerName"], spec["version"]),
        "Version": int(spec["version"]),
        "Description": spec.get("description") or "",
        "CreatedDate": aws_time(parse_time(layer["metadata"]["creationTimestamp"])),
    }
    for aws, own in (
        ("CompatibleRuntimes", "compatibleRuntimes"),
        ("CompatibleArchitectures", "compatibleArchitectures"),
        ("LicenseInfo", "licenseInfo"),
    ):
        if spec.get(own):
            shown[aws] = spec[own]
    if call is not None:
        code = spec["code"]
        shown["LayerArn"] = layer_arn(parts.settings, spec["layerName"])
        shown["Content"] = {
            "Location": call.location(code["sha256"]),
            "CodeSha256": aws_digest(code["sha256"]),
            "CodeSize": code.get("sizeBytes") or 0,
        }
    return shown
