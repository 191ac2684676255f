"""Names for versions, with shares of requests: CreateAlias, UpdateAlias, GetAlias, ListAliases, DeleteAlias."""

from __future__ import annotations

from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST

from .calls import Call, Parts, Reply
from .faults import conflict, function_not_found, invalid, not_found, out_of_bounds, stale, validation
from .names import function_arn, is_alias, is_version, parse
from .pages import page
from .shown import alias_revision
from .stored import alias_of


async def create(parts: Parts, call: Call) -> Reply:
    name, asked = parse(call.path["FunctionName"], parts.settings).name, call.asked()
    alias = {"name": asked.get("Name") or "", "version": asked.get("FunctionVersion") or "", **_described(asked)}
    if not is_alias(alias["name"]):
        constraint = "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        raise validation([out_of_bounds("name", alias["name"], constraint)])
    await _check(parts, name, alias)

    def decide(function: Object) -> Object:
        if alias_of(function, alias["name"]) is not None:
            raise conflict(f"Alias already exists: {function_arn(parts.settings, name, alias['name'])}")
        return {**function["spec"], "aliases": [*(function["spec"].get("aliases") or []), alias]}

    return Reply(_shown(parts, await parts.stored.change(name, decide), alias))


async def update(parts: Parts, call: Call) -> Reply:
    name, asked = parse(call.path["FunctionName"], parts.settings).name, call.asked()
    now = await parts.stored.function(name)
    before = _existing(parts, now, name, call.path["Name"])
    _check_revision(now, before, asked)
    changes = _described(asked)
    if asked.get("FunctionVersion"):
        changes["version"] = asked["FunctionVersion"]
    if asked.get("RoutingConfig") is not None:
        changes["weights"] = asked["RoutingConfig"].get("AdditionalVersionWeights") or {}
    await _check(parts, name, {**before, **changes})

    def decide(function: Object) -> Object:
        alias = _existing(parts, function, name, call.path["Name"])
        _check_revision(function, alias, asked)
        changed = {**alias, **changes}
        aliases = [changed if each is alias else each for each in function["spec"]["aliases"]]
        return {**function["spec"], "aliases": aliases}

    function = await parts.stored.change(name, decide)
    return Reply(_shown(parts, function, _existing(parts, function, name, call.path["Name"])))


async def get(parts: Parts, call: Call) -> Reply:
    name = parse(call.path["FunctionName"], parts.settings).name
    function = await parts.stored.function(name)
    return Reply(_shown(parts, function, _existing(parts, function, name, call.path["Name"])))


async def list_all(parts: Parts, call: Call) -> Reply:
    function = await parts.stored.function(parse(call.path["FunctionName"], parts.settings).name)
    version = call.query.get("FunctionVersion", "")
    aliases = [alias for alias in function["spec"].get("aliases") or [] if not version or alias["version"] == version]
    shown, marker = page(aliases, lambda alias: str(alias["name"]), *call.marker)
    listed = [_shown(parts, function, alias) for alias in shown]
    return Reply({"Aliases": listed} | ({"NextMarker": marker} if marker else {}))


async def delete(parts: Parts, call: Call) -> Reply:
    name, alias = parse(call.path["FunctionName"], parts.settings).name, call.path["Name"]

    def decide(function: Object) -> Object:
        spec = {**function["spec"]}
        spec["aliases"] = [each for each in spec.get("aliases") or [] if each["name"] != alias]
        spec["qualified"] = {key: value for key, value in (spec.get("qualified") or {}).items() if key != alias}
        return {key: value for key, value in spec.items() if key not in ("aliases", "qualified") or value}

    await parts.stored.change(name, decide)
    return Reply(status=204)


def _check_revision(function: Object, alias: Object, asked: Object) -> None:
    if asked.get("RevisionId") and asked["RevisionId"] != alias_revision(function, alias):
        raise stale("GetAlias")


def _described(asked: Object) -> Object:
    described: Object = {}
    if asked.get("Description") is not None:
        described["description"] = asked["Description"]
    weights = (asked.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
    return described | ({"weights": weights} if weights else {})


async def _check(parts: Parts, name: str, alias: Object) -> None:
    version, weights = alias["version"], alias.get("weights") or {}
    if version != LATEST and not is_version(version):
        constraint = r"Member must satisfy regular expression pattern: (\$LATEST|[0-9]+)"
        raise validation([out_of_bounds("functionVersion", version, constraint)])
    function = await parts.stored.function(name)
    there = {LATEST, *(obj["spec"]["version"] for obj in await parts.stored.versions(name))}
    if version not in there:
        raise function_not_found(function_arn(parts.settings, name, version))
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other, share in weights.items():
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            bounds = "Member must have value between 0.0 and 1.0"
            raise validation([out_of_bounds("routingConfig.additionalVersionWeights", share, bounds)])
        if version == LATEST:
            raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        if other == version:
            arn = function_arn(parts.settings, function["spec"]["functionName"], other)
            raise invalid(
                f"Invalid function version {arn}. "
                f"Function version {other} is already included in routing configuration."
            )
        if other == LATEST or other not in there:
            raise function_not_found(function_arn(parts.settings, name, other))


def _existing(parts: Parts, function: Object, name: str, alias: str) -> Object:
    found = alias_of(function, alias)
    if found is None:
        raise not_found(f"Cannot find alias arn: {function_arn(parts.settings, name, alias)}")
    return found


def _shown(parts: Parts, function: Object, alias: Object) -> Object:
    shown: Object = {
        "AliasArn": function_arn(parts.settings, function["spec"]["functionName"], alias["name"]),
        "Name": alias["name"],
        "FunctionVersion": alias["version"],
        "Description": alias.get("description") or "",
        "RevisionId": alias_revision(function, alias),
    }
    if alias.get("weights"):
        shown["RoutingConfig"] = {"AdditionalVersionWeights": alias["weights"]}
    return shown
