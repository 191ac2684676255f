"""Read the fields of CreateFunction and UpdateFunctionConfiguration into the spec of a Function. Pure.

A field that AWS knows and that means nothing here is refused, unless it says what is so anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from grandstand.kinds import Object
from grandstand.kinds.functions import (
    FUNCTION_NAME,
    LEAST_MEMORY_MB,
    LEAST_STORAGE_MB,
    MOST_ENVIRONMENT_BYTES,
    MOST_LAYERS,
    MOST_MEMORY_MB,
    MOST_STORAGE_MB,
    MOST_TIMEOUT_SECONDS,
    RESERVED_VARIABLES,
    RUNTIMES,
    environment_bytes,
    is_runtime,
)

from .faults import invalid, out_of_bounds, unsupported, validation

_ROLE = re.compile(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_HANDLER = re.compile(r"\S{1,128}")

_BOUNDS: tuple[tuple[str, str, int, int], ...] = (
    ("MemorySize", "memorySize", LEAST_MEMORY_MB, MOST_MEMORY_MB),
    ("Timeout", "timeout", 1, MOST_TIMEOUT_SECONDS),
)


def _is_off(*keys: str) -> Callable[[Any], bool]:
    """Whether a structure has nothing in these fields: so tools write what is not used."""
    return lambda value: isinstance(value, dict) and not any(value.get(key) for key in keys)


MEANINGLESS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "VpcConfig": (_is_off("SubnetIds", "SecurityGroupIds"), "functions share the machine's network: leave it out"),
    "TracingConfig": (lambda value: value.get("Mode") in (None, "PassThrough"), "traces are not taken"),
    "SnapStart": (lambda value: value.get("ApplyOn") in (None, "None"), "functions start in milliseconds without it"),
    "KMSKeyArn": (lambda value: not value, "variables are stored as the API's database is"),
    "FileSystemConfigs": (lambda value: not value, "there is no file system to mount"),
    "CodeSigningConfigArn": (lambda value: not value, "code is not signed here"),
    "PublishTo": (lambda value: not value, "versions are published in one place"),
    "TenancyConfig": (lambda value: not value, "instances serve one tenant"),
    "CapacityProviderConfig": (lambda value: not value, "there is one machine"),
    "DurableConfig": (lambda value: not value, "durable executions are not supported"),
    "RuntimeConfig": (lambda value: not value, "the runtime is the machine's"),
    "AcceleratorConfig": (lambda value: not value, "there is no accelerator"),
}
_KNOWN = frozenset(
    (
        *("FunctionName", "Runtime", "Role", "Handler", "Code", "Description", "Timeout", "MemorySize", "Publish"),
        *("PackageType", "DeadLetterConfig", "Environment", "Tags", "Layers", "ImageConfig", "Architectures"),
        *("EphemeralStorage", "LoggingConfig", "RevisionId"),
    )
)


def spec_of(asked: Object) -> Object:
    """The fields of a spec that a request sets; code and layers are looked up elsewhere. Raises ServiceFault."""
    _check_fields(asked)
    _check_bounds(asked)
    spec: Object = {}
    simple = {
        "Runtime": "runtime",
        "Role": "role",
        "Handler": "handler",
        "Description": "description",
        "Timeout": "timeoutSeconds",
        "MemorySize": "memoryMB",
    }
    spec |= {own: asked[aws] for aws, own in simple.items() if asked.get(aws) is not None}
    if asked.get("Environment") is not None:
        spec["environment"] = _environment(asked["Environment"].get("Variables") or {})
    if (storage := asked.get("EphemeralStorage")) is not None:
        spec["ephemeralStorageMB"] = storage.get("Size", LEAST_STORAGE_MB)
    if (target := asked.get("DeadLetterConfig")) is not None:
        spec["deadLetter"] = {"target": target["TargetArn"]} if target.get("TargetArn") else {}
    if (logging := asked.get("LoggingConfig")) is not None:
        spec["logging"] = _logging(logging)
    if (image := asked.get("ImageConfig")) is not None:
        fields = {"EntryPoint": "entryPoint", "Command": "command", "WorkingDirectory": "workingDirectory"}
        spec["imageConfig"] = {own: image[aws] for aws, own in fields.items() if image.get(aws)}
    if asked.get("Architectures") is not None:
        spec["architectures"] = asked["Architectures"]
    return spec


def check_created(asked: Object) -> None:
    """What a new function must have. Raises ServiceFault."""
    image = (asked.get("Code") or {}).get("ImageUri")
    kind = asked.get("PackageType") or "Zip"
    if kind not in ("Zip", "Image"):
        constraint = "Member must satisfy enum value set: [Zip, Image]"
        raise validation([out_of_bounds("packageType", kind, constraint)])
    if (kind == "Image") != bool(image):
        wanted = "an image" if kind == "Image" else "a zip"
        raise invalid(f"Please provide {wanted} as Code for the PackageType {kind}.")
    if kind == "Zip" and not (asked.get("Runtime") and asked.get("Handler")):
        raise invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
    if kind == "Image" and (asked.get("Runtime") or asked.get("Handler") or asked.get("Layers")):
        raise invalid(
            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
        )
    if kind == "Zip" and asked.get("ImageConfig"):
        raise invalid("Please don't provide ImageConfig when the intended function PackageType is Zip.")


def _check_fields(asked: Object) -> None:
    for field, value in asked.items():
        if field in _KNOWN or value is None:
            continue
        if field not in MEANINGLESS:
            raise unsupported(field, "it is not known")
        means_nothing, why = MEANINGLESS[field]
        if not means_nothing(value):
            raise unsupported(field, why)


def _check_bounds(asked: Object) -> None:
    problems = [*_numbers(asked), *_texts(asked)]
    if problems:
        raise validation(problems)
    runtime = asked.get("Runtime")
    if runtime is not None and not is_runtime(runtime):
        known = ", ".join(("python3.11", *RUNTIMES))
        raise invalid(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{known}] or be a valid ARN"
        )
    if len(asked.get("Layers") or []) > MOST_LAYERS:
        raise invalid(f"Cannot reference more than {MOST_LAYERS} layers.")


def _numbers(asked: Object) -> list[str]:
    bounds = [(*bound, asked.get(bound[0])) for bound in _BOUNDS]
    storage = (asked.get("EphemeralStorage") or {}).get("Size")
    bounds.append(("", "ephemeralStorage.size", LEAST_STORAGE_MB, MOST_STORAGE_MB, storage))
    problems = []
    for _, name, least, most, value in bounds:
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            constraint = f"Member must have value greater than or equal to {least}"
            problems.append(out_of_bounds(name, value, constraint))
        elif value > most:
            problems.append(out_of_bounds(name, value, f"Member must have value less than or equal to {most}"))
    return problems


def _texts(asked: Object) -> list[str]:
    problems = []
    rules = (("Role", "role", _ROLE), ("Handler", "handler", _HANDLER))
    for field, name, pattern in rules:
        if asked.get(field) is not None and not pattern.fullmatch(asked[field]):
            constraint = f"Member must satisfy regular expression pattern: {pattern.pattern}"
            problems.append(out_of_bounds(name, asked[field], constraint))
    if len(asked.get("Description") or "") > 256:
        constraint = "Member must have length less than or equal to 256"
        problems.append(out_of_bounds("description", asked["Description"], constraint))
    architectures = asked.get("Architectures")
    if architectures is not None and architectures not in (["x86_64"], ["arm64"]):
        constraint = (
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
            "Member must not be null]"
        )
        problems.append(out_of_bounds("architectures", architectures, constraint))
    return problems


def check_name(name: str) -> None:
    if not FUNCTION_NAME.fullmatch(name):
        raise validation([out_of_bounds("functionName", name, "Member must have length less than or equal to 64")])


def _environment(variables: Object) -> Object:
    reserved = sorted(RESERVED_VARIABLES & variables.keys())
    unable = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    if reserved:
        raise invalid(
            f"{unable} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            constraint = f"Member must satisfy regular expression pattern: {_VARIABLE.pattern}"
            raise validation([out_of_bounds("environment.variables", name, constraint)])
    if environment_bytes(variables) > MOST_ENVIRONMENT_BYTES:
        # AWS shows the variables in its message; they may be secrets, and messages get into logs.
        raise invalid(f"{unable} exceeded the 4KB limit. String measured: {environment_bytes(variables)} bytes")
    return dict(variables)


def _logging(logging: Object) -> Object:
    if logging.get("LogFormat") not in (None, "Text"):
        raise unsupported("LoggingConfig.LogFormat", "logs are text, as functions write them")
    for field in ("ApplicationLogLevel", "SystemLogLevel"):
        if logging.get(field):
            raise unsupported(f"LoggingConfig.{field}", "it is for logs in JSON")
    return {"logGroup": logging["LogGroup"]} if logging.get("LogGroup") else {}
