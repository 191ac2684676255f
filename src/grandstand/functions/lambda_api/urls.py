"""Function URLs: CreateFunctionUrlConfig, UpdateFunctionUrlConfig, Get, List, Delete."""

from __future__ import annotations

from grandstand.clock import parse_time, rfc3339
from grandstand.kinds import Object
from grandstand.kinds.functions import CORS_LENGTHS, CORS_METHODS, CORS_TEXT, LATEST, url_label

from .calls import Call, Parts, Reply
from .faults import conflict, invalid, not_found, out_of_bounds, unsupported, validation
from .names import Reference, function_arn, is_version, parse
from .pages import page
from .ports import Settings
from .qualified import all_settings, settings_of, with_setting

_CHOICES = {"AuthType": ("NONE", "AWS_IAM"), "InvokeMode": ("BUFFERED", "RESPONSE_STREAM")}
_CORS = {
    "AllowCredentials": "allowCredentials",
    "AllowHeaders": "allowHeaders",
    "AllowMethods": "allowMethods",
    "AllowOrigins": "allowOrigins",
    "ExposeHeaders": "exposeHeaders",
    "MaxAge": "maxAgeSeconds",
}


def function_url(settings: Settings, name: str, qualifier: str = "") -> str:
    """Where a function, or an alias of it, answers HTTP."""
    return f"http://{url_label(name, '' if qualifier == LATEST else qualifier)}.{settings.url_authority}/"


async def create(parts: Parts, call: Call) -> Reply:
    reference, url = await _reference(parts, call), _given(call.asked())
    if "authType" not in url:
        raise validation([out_of_bounds("authType", "null", "Member must not be null")])
    now = rfc3339(parts.clock.now())
    url = {"invokeMode": "BUFFERED", **url, "createdAt": now, "changedAt": now}

    def decide(function: Object) -> Object:
        if settings_of(function, reference.qualifier).get("url") is not None:
            arn = function_arn(parts.settings, reference.name, reference.qualifier)
            raise conflict(
                f"Failed to create function url config for [functionArn = {arn}]. "
                "Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        return with_setting(function, reference.qualifier, "url", url)

    await parts.stored.change(reference.name, decide)
    return Reply(_shown(parts, reference.name, reference.qualifier, url))


async def update(parts: Parts, call: Call) -> Reply:
    reference, changes = await _reference(parts, call), _given(call.asked())
    changes["changedAt"] = rfc3339(parts.clock.now())

    def decide(function: Object) -> Object:
        changed = {**_existing(function, reference), **changes}
        return with_setting(function, reference.qualifier, "url", changed)

    function = await parts.stored.change(reference.name, decide)
    return Reply(_shown(parts, reference.name, reference.qualifier, _existing(function, reference)))


async def get(parts: Parts, call: Call) -> Reply:
    reference = await _reference(parts, call)
    url = _existing(await parts.stored.function(reference.name), reference)
    return Reply(_shown(parts, reference.name, reference.qualifier, url))


async def list_all(parts: Parts, call: Call) -> Reply:
    name = parse(call.path["FunctionName"], parts.settings).name
    found = all_settings(await parts.stored.function(name), "url")
    shown, marker = page(found, lambda item: item[0], *call.marker)
    listed = [_shown(parts, name, "" if qualifier == LATEST else qualifier, url) for qualifier, url in shown]
    return Reply({"FunctionUrlConfigs": listed} | ({"NextMarker": marker} if marker else {}))


async def delete(parts: Parts, call: Call) -> Reply:
    reference = await _reference(parts, call)

    def decide(function: Object) -> Object:
        _existing(function, reference)
        return with_setting(function, reference.qualifier, "url", None)

    await parts.stored.change(reference.name, decide)
    return Reply(status=204)


async def _reference(parts: Parts, call: Call) -> Reference:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    if reference.qualifier == LATEST or is_version(reference.qualifier):
        pattern = "Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"
        raise validation([out_of_bounds("qualifier", reference.qualifier, pattern)])
    await parts.stored.target(reference)
    return reference


def _existing(function: Object, reference: Reference) -> Object:
    url: Object | None = settings_of(function, reference.qualifier).get("url")
    if url is None:
        raise not_found()
    return url


def _given(asked: Object) -> Object:
    given: Object = {}
    for field, choices in _CHOICES.items():
        value = asked.get(field)
        if value is None:
            continue
        if value not in choices:
            constraint = f"Member must satisfy enum value set: [{', '.join(choices)}]"
            raise validation([out_of_bounds(field[0].lower() + field[1:], value, constraint)])
        given[field[0].lower() + field[1:]] = value
    if asked.get("Cors") is not None:
        given["cors"] = _cors(asked["Cors"])
    return given


def _cors(cors: Object) -> Object:
    for field in cors:
        if field not in _CORS:
            raise unsupported(f"Cors.{field}", "it is not known")
    if not 0 <= (cors.get("MaxAge") or 0) <= 86_400:
        raise validation([out_of_bounds("cors.maxAge", cors["MaxAge"], "Member must have value between 0 and 86400")])
    wrong = [method for method in cors.get("AllowMethods") or [] if method not in CORS_METHODS]
    if wrong:
        raise invalid(f"Cors.AllowMethods has {wrong[0]}: it must be one of {', '.join(CORS_METHODS)}")
    for aws, own in _CORS.items():
        for text in cors.get(aws) or [] if own in CORS_LENGTHS else []:
            if not CORS_TEXT.fullmatch(text) or len(text) > CORS_LENGTHS[own]:
                detail = f"must be 1 to {CORS_LENGTHS[own]} printable characters of ASCII, without spaces"
                raise invalid(f"Cors.{aws} has {text!r}: it {detail}")
    return {own: cors[aws] for aws, own in _CORS.items() if cors.get(aws) is not None}


def _shown(parts: Parts, name: str, qualifier: str, url: Object) -> Object:
    shown: Object = {
        "FunctionUrl": function_url(parts.settings, name, qualifier),
        "FunctionArn": function_arn(parts.settings, name, qualifier),
        "AuthType": url["authType"],
        "InvokeMode": url.get("invokeMode") or "BUFFERED",
        "CreationTime": _time(url.get("createdAt")),
        "LastModifiedTime": _time(url.get("changedAt")),
    }
    if url.get("cors"):
        shown["Cors"] = {aws: url["cors"][own] for aws, own in _CORS.items() if own in url["cors"]}
    return shown


def _time(text: str | None) -> str:
    """URLs that `kubectl apply` has made carry no times."""
    return rfc3339(parse_time(text)) if text else ""
