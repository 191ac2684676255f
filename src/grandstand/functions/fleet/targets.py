"""Find what a name and a qualifier mean: one version of a function, by an alias's weights where it has some. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from grandstand.functions.lambda_api.names import function_arn
from grandstand.functions.lambda_api.ports import Settings
from grandstand.kinds import Function, FunctionVersion
from grandstand.kinds.functions import LATEST, Alias, VersionSpec


@dataclass(frozen=True, slots=True)
class Target:
    """One version of a function. Its instances serve as long as `key` is the same: a new description has another."""

    function_uid: str
    version: str
    qualifier: str
    spec: VersionSpec
    reserved: int | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.function_uid, self.version, digest(self.spec)


def digest(spec: VersionSpec) -> str:
    """Of all that an instance is made from."""
    made_from = {name: getattr(spec, name) for name in VersionSpec.__struct_fields__}
    return hashlib.sha256(msgspec.json.encode(made_from, order="sorted")).hexdigest()


def target_of(
    function: Function, versions: Mapping[str, FunctionVersion], qualifier: str, chance: float
) -> Target | None:
    """None where there is no such version or alias. `chance`, from 0 to 1, chooses by the alias's weights."""
    version = qualifier or LATEST
    alias = next((each for each in function.spec.aliases if each.name == qualifier), None)
    if alias is not None:
        version = chosen(alias, chance)
    spec: VersionSpec | None = function.spec if version == LATEST else None
    if spec is None and version in versions:
        spec = versions[version].spec
    if spec is None:
        return None
    return Target(function.metadata.uid, version, qualifier, spec, function.spec.reserved_concurrency)


def chosen(alias: Alias, chance: float) -> str:
    """The version that an alias gives a request: each of `weights` its share, the rest to `version`."""
    passed = 0.0
    for version, weight in sorted(alias.weights.items()):
        passed += weight
        if chance < passed:
            return version
    return alias.version


def supervisor_settings(target: Target, stream: str, settings: Settings) -> dict[str, Any]:
    """What the supervisor of an instance is bound with."""
    spec = target.spec
    return {
        "function": spec.function_name,
        "version": target.version,
        "arn": function_arn(settings, spec.function_name, target.qualifier),
        "handler": spec.handler,
        "runtime": spec.runtime,
        "timeoutSeconds": spec.timeout_seconds,
        "memoryMB": spec.memory_mb,
        "environment": dict(spec.environment),
        "logGroup": spec.log_group,
        "logStream": stream,
        "concurrency": spec.concurrency,
        "region": settings.region,
        "accountId": settings.account,
    }
