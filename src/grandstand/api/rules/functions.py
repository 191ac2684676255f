"""What the API checks of Functions and their versions: Lambda's limits, in its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grandstand.kinds import Object
from grandstand.kinds.functions import (
    ALIAS_NAME,
    CORS_LENGTHS,
    CORS_METHODS,
    CORS_TEXT,
    FUNCTION_NAME,
    LATEST,
    LEAST_MEMORY_MB,
    LEAST_STORAGE_MB,
    MOST_ENVIRONMENT_BYTES,
    MOST_LAYERS,
    MOST_MEMORY_MB,
    MOST_STORAGE_MB,
    MOST_TIMEOUT_SECONDS,
    RESERVED_VARIABLES,
    RUNTIMES,
    SHA256,
    environment_bytes,
    is_runtime,
    object_name,
    version_name,
)

from . import names
from .fields import (
    Causes,
    check_choice,
    check_non_negative,
    check_range,
    check_unchanged,
    duplicate,
    fill,
    forbidden,
    indexed,
    invalid,
    items,
    not_supported,
    part,
    required,
    too_long,
    too_many,
)
from .kind_rules import KindRules

_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_HANDLER = re.compile(r"\S{1,128}")
_AUTHENTICATION = ("NONE", "AWS_IAM")
_INVOKE_MODES = ("BUFFERED", "RESPONSE_STREAM")
_ARCHITECTURES = ("x86_64", "arm64")
_SHOWN_RUNTIMES = ("python3.11", *RUNTIMES)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(
        spec,
        functionName=part(obj, "metadata").get("name") or "",
        timeoutSeconds=3,
        memoryMB=128,
        ephemeralStorageMB=512,
        architectures=["x86_64"],
        concurrency=1,
    )
    for url in _urls(spec):
        fill(url, invokeMode="BUFFERED")


def _urls(spec: Object) -> list[Object]:
    urls = [spec.get("url"), *(each.get("url") for each in part(spec, "qualified").values())]
    return [url for url in urls if url is not None]


def _check(obj: Object) -> Causes:
    spec = part(obj, "spec")
    yield from _check_name(obj, object_name(spec.get("functionName") or ""))
    yield from _check_version_fields(spec)
    yield from check_non_negative(spec, "spec", "reservedConcurrency")
    yield from _check_settings(spec, "spec")
    for qualifier, settings in part(spec, "qualified").items():
        path = f"spec.qualified[{qualifier}]"
        if qualifier != LATEST and not (qualifier.isdecimal() or ALIAS_NAME.fullmatch(qualifier)):
            yield invalid(path, qualifier, "must be the number of a version, or the name of an alias")
        yield from _check_settings(settings, path)
        if settings.get("provisioned") is not None and qualifier == LATEST:
            yield forbidden(f"{path}.provisioned", "instances are provisioned for published versions and aliases only")
    yield from _check_aliases(spec)


def _check_name(obj: Object, expected: str) -> Causes:
    spec, name = part(obj, "spec"), part(obj, "metadata").get("name")
    if not FUNCTION_NAME.fullmatch(spec.get("functionName") or ""):
        detail = "must be 1 to 64 letters, digits, hyphens and underscores"
        yield invalid("spec.functionName", spec.get("functionName"), detail)
    elif name != expected:
        yield invalid("metadata.name", name, f"must be {expected} for this spec.functionName")


def _check_version_fields(spec: Object) -> Causes:
    yield from _check_code(spec)
    yield from check_range("spec.timeoutSeconds", spec.get("timeoutSeconds", 3), 1, MOST_TIMEOUT_SECONDS)
    yield from check_range("spec.memoryMB", spec.get("memoryMB", 128), LEAST_MEMORY_MB, MOST_MEMORY_MB)
    storage = spec.get("ephemeralStorageMB", 512)
    yield from check_range("spec.ephemeralStorageMB", storage, LEAST_STORAGE_MB, MOST_STORAGE_MB)
    yield from check_range("spec.concurrency", spec.get("concurrency", 1), 1, 1000)
    yield from check_non_negative(spec, "spec", "idleSeconds")
    yield from _check_environment(part(spec, "environment"))
    if len(items(spec, "layers")) > MOST_LAYERS:
        yield too_many("spec.layers", len(items(spec, "layers")), MOST_LAYERS)
    for path, layer in indexed(spec, "layers", "spec"):
        yield from _check_digest(layer, path)
    if len(items(spec, "architectures")) != 1:
        yield invalid("spec.architectures", spec.get("architectures"), "must have exactly one item")
    for path, architecture in indexed(spec, "architectures", "spec"):
        if architecture not in _ARCHITECTURES:
            yield not_supported(path, architecture, _ARCHITECTURES)
    if len((spec.get("description") or "").encode()) > 256:
        yield too_long("spec.description", 256)


def _check_code(spec: Object) -> Causes:
    code = part(spec, "code")
    if bool(code.get("sha256")) == bool(code.get("image")):
        yield required("spec.code", "must have exactly one of `sha256` (an uploaded zip) and `image`")
    if code.get("image"):
        yield from _check_image(spec)
        return
    if code.get("sha256"):
        yield from _check_digest(code, "spec.code")
    if spec.get("imageConfig"):
        yield forbidden("spec.imageConfig", "it is for functions from an image: leave it out, or set code.image")
    runtime, handler = spec.get("runtime"), spec.get("handler")
    if not runtime:
        yield required("spec.runtime")
    elif not is_runtime(runtime):
        yield not_supported("spec.runtime", runtime, _SHOWN_RUNTIMES)
    if not handler:
        yield required("spec.handler")
    elif not _HANDLER.fullmatch(handler):
        yield invalid("spec.handler", handler, "must be at most 128 characters, without spaces")


def _check_image(spec: Object) -> Causes:
    for key in ("runtime", "handler"):
        if spec.get(key):
            yield forbidden(f"spec.{key}", "an image has its own: leave it out, or set imageConfig.command")
    if items(spec, "layers"):
        yield forbidden("spec.layers", "an image has no layers of functions: put their files into the image")


def _check_digest(code: Object, path: str) -> Causes:
    if not SHA256.fullmatch(code.get("sha256") or ""):
        yield invalid(f"{path}.sha256", code.get("sha256"), "must be a SHA-256 in 64 lower-case hexadecimal digits")


def _check_environment(environment: Object) -> Causes:
    for name in environment:
        path = f"spec.environment[{name}]"
        if name in RESERVED_VARIABLES:
            yield forbidden(path, "the platform sets this variable itself: choose another name")
        elif not _VARIABLE.fullmatch(name):
            yield invalid(path, name, "must begin with a letter, and have at least two letters, digits and underscores")
    if environment_bytes(environment) > MOST_ENVIRONMENT_BYTES:
        yield too_long("spec.environment", MOST_ENVIRONMENT_BYTES)


def _check_settings(settings: Object, path: str) -> Causes:
    """What can be set for the function, and for each version and alias."""
    if (url := settings.get("url")) is not None:
        yield from check_choice(url, "authType", f"{path}.url", _AUTHENTICATION)
        yield from check_choice(url, "invokeMode", f"{path}.url", _INVOKE_MODES)
        yield from _check_cors(part(url, "cors"), f"{path}.url.cors")
    if (invoke := settings.get("asyncInvoke")) is not None:
        where = f"{path}.asyncInvoke"
        tries, age = invoke.get("maximumRetryAttempts", 2), invoke.get("maximumEventAgeSeconds", 21_600)
        yield from check_range(f"{where}.maximumRetryAttempts", tries, 0, 2)
        yield from check_range(f"{where}.maximumEventAgeSeconds", age, 60, 21_600)
    if (provisioned := settings.get("provisioned")) is not None:
        yield from check_range(f"{path}.provisioned.instances", provisioned.get("instances", 0), 1, 1000)


def _check_cors(cors: Object, path: str) -> Causes:
    yield from check_range(f"{path}.maxAgeSeconds", cors.get("maxAgeSeconds") or 0, 0, 86_400)
    for at, method in indexed(cors, "allowMethods", path):
        if method not in CORS_METHODS:
            yield not_supported(at, method, CORS_METHODS)
    for key, most in CORS_LENGTHS.items():
        for at, text in indexed(cors, key, path):
            if not CORS_TEXT.fullmatch(text):
                yield invalid(at, text, "must be printable characters of ASCII, without spaces")
            elif len(text) > most:
                yield too_long(at, most)


def _check_aliases(spec: Object) -> Causes:
    seen: set[str] = set()
    for path, alias in indexed(spec, "aliases", "spec"):
        name, version, weights = alias.get("name") or "", alias.get("version") or "", part(alias, "weights")
        if not ALIAS_NAME.fullmatch(name):
            yield invalid(f"{path}.name", name, "must have letters, digits, hyphens and underscores, not digits alone")
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
        if version != LATEST and not version.isdecimal():
            yield invalid(f"{path}.version", version, f"must be the number of a version, or {LATEST}")
        if len(weights) > 1:
            yield too_many(f"{path}.weights", len(weights), 1)
        for other, share in weights.items():
            if not 0 <= share <= 1:
                yield invalid(f"{path}.weights[{other}]", share, "must be between 0 and 1")
            if LATEST in (version, other) or not other.isdecimal() or other == version:
                detail = "requests are shared between two different published versions only"
                yield invalid(f"{path}.weights[{other}]", other, detail)


def _check_version(obj: Object) -> Causes:
    spec = part(obj, "spec")
    version = spec.get("version") or ""
    if not re.fullmatch("[1-9][0-9]*", version):
        yield invalid("spec.version", version, "must be a number from 1 on")
    yield from _check_name(obj, version_name(spec.get("functionName") or "", version))
    yield from _check_version_fields(spec)
    if spec.get("function") != object_name(spec.get("functionName") or ""):
        yield invalid("spec.function", spec.get("function"), "must be the metadata.name of its Function")


def _frozen(new: Object, old: Object) -> Causes:
    return check_unchanged(new, old, "", "spec")


def _warn(function: Object) -> Iterator[str]:
    """What is kept and nothing acts on yet."""
    spec = part(function, "spec")
    settings = {"spec": spec, **{f"spec.qualified[{name}]": each for name, each in part(spec, "qualified").items()}}
    for path, each in settings.items():
        for field in ("asyncInvoke", "deadLetter", "provisioned"):
            if each.get(field) is not None:
                yield f"{path}.{field}: nothing acts on it yet"


FUNCTIONS = KindRules(
    default=_default,
    check=_check,
    check_update=lambda new, old: check_unchanged(part(new, "spec"), part(old, "spec"), "spec", "functionName"),
    name=names.dns_label,
    initial_status=lambda function: {"state": "Pending", "stateReasonCode": "Creating"},
    has_generation=True,
    warn=_warn,
)
VERSIONS = KindRules(default=_default, check=_check_version, check_update=_frozen)
