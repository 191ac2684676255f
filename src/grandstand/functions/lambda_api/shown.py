"""Show Functions and their versions as AWS does: states, revisions, times. Pure: time is an argument."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from grandstand.clock import parse_time
from grandstand.functions.artefacts import aws_digest
from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST

from .names import function_arn
from .ports import Settings
from .stored import Target

_CREATING = {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
_UPDATING = {
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}


def revision(*parts: object) -> str:
    """A revision in the form of a UUID, that follows from what is given."""
    digits = hashlib.sha256(msgspec.json.encode([str(part) for part in parts])).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def function_revision(obj: Object) -> str:
    """The revision of a Function or FunctionVersion: it changes whenever the description does."""
    meta = obj["metadata"]
    return revision(meta["uid"], meta.get("generation", 1))


def alias_revision(function: Object, alias: Object) -> str:
    return revision(function["metadata"]["uid"], msgspec.json.encode(alias, order="sorted").hex())


def policy_revision(function: Object) -> str:
    return revision(function["metadata"]["uid"], function["spec"].get("policy"))


def aws_time(seconds: float) -> str:
    """As Lambda writes times: `2026-12-04T20:00:00.000+0000`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{moment.microsecond // 1000:03d}+0000"


def configuration(target: Target, settings: Settings, now: float, qualifier: str = "") -> Object:
    """A FunctionConfiguration. `qualifier` is the one that was asked for: it is part of the ARN."""
    spec = target.running["spec"]
    shown: Object = {
        "FunctionName": spec["functionName"],
        "FunctionArn": function_arn(settings, spec["functionName"], qualifier),
        **_code(spec),
        "Role": spec.get("role") or "",
        "CodeSize": (spec.get("code") or {}).get("sizeBytes") or 0,
        "Description": spec.get("description") or "",
        "Timeout": spec.get("timeoutSeconds", 3),
        "MemorySize": spec.get("memoryMB", 128),
        "Version": target.version,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": function_revision(target.running),
        "Architectures": spec.get("architectures") or ["x86_64"],
        "EphemeralStorage": {"Size": spec.get("ephemeralStorageMB", 512)},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": log_group(spec)},
        **_optional(spec),
        **_state(target, now),
    }
    return shown


def log_group(spec: Object) -> str:
    return (spec.get("logging") or {}).get("logGroup") or f"/aws/lambda/{spec['functionName']}"


def _code(spec: Object) -> Object:
    code = spec.get("code") or {}
    if not code.get("image"):
        return {
            "PackageType": "Zip",
            "Runtime": spec.get("runtime") or "",
            "Handler": spec.get("handler") or "",
            "CodeSha256": aws_digest(code.get("sha256") or ""),
        }
    shown: Object = {"PackageType": "Image", "CodeSha256": hashlib.sha256(code["image"].encode()).hexdigest()}
    if image := spec.get("imageConfig"):
        fields = {"EntryPoint": "entryPoint", "Command": "command", "WorkingDirectory": "workingDirectory"}
        inner = {aws: image[own] for aws, own in fields.items() if image.get(own)}
        shown["ImageConfigResponse"] = {"ImageConfig": inner}
    return shown


def _optional(spec: Object) -> Object:
    shown: Object = {}
    if environment := spec.get("environment"):
        shown["Environment"] = {"Variables": environment}
    if layers := spec.get("layers"):
        shown["Layers"] = [{"Arn": layer.get("arn") or "", "CodeSize": layer.get("sizeBytes") or 0} for layer in layers]
    if target := (spec.get("deadLetter") or {}).get("target"):
        shown["DeadLetterConfig"] = {"TargetArn": target}
    return shown


def _state(target: Target, now: float) -> Object:
    """A published version is as its function was when it was published; it does not change."""
    function, status = target.function, target.function.get("status") or {}
    if target.version != LATEST:
        made = parse_time(target.running["metadata"]["creationTimestamp"])
        return {"State": "Active", "LastUpdateStatus": "Successful", "LastModified": aws_time(made)}
    observed = status.get("observedGeneration") or 0
    if not observed:
        made = parse_time(function["metadata"]["creationTimestamp"])
        return {"State": "Pending", "LastModified": aws_time(made), **_CREATING}
    shown: Object = {"State": status.get("state") or "Pending"}
    for aws, own in (("StateReason", "stateReason"), ("StateReasonCode", "stateReasonCode")):
        if status.get(own):
            shown[aws] = status[own]
    if observed < function["metadata"].get("generation", 1):
        return shown | {"LastUpdateStatus": "InProgress", "LastModified": aws_time(now), **_UPDATING}
    shown |= {"LastUpdateStatus": status.get("lastUpdateStatus") or "Successful"}
    if status.get("lastUpdateStatusReason"):
        shown["LastUpdateStatusReason"] = status["lastUpdateStatusReason"]
    modified = status.get("lastModified") or function["metadata"]["creationTimestamp"]
    return shown | {"LastModified": aws_time(parse_time(modified))}
