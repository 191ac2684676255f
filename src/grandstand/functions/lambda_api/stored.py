"""Find and change the objects behind Lambda's API: every read and write goes through the client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from grandstand.client import Client, WriteOptions
from grandstand.errors import AlreadyExists, Conflict, NotFound
from grandstand.kinds import Object, Resource
from grandstand.kinds.functions import LATEST, object_name, version_name
from grandstand.kinds.resources import FUNCTION_VERSIONS, FUNCTIONS

from .faults import conflict, function_not_found, not_found
from .names import Reference, function_arn, is_version
from .ports import Settings

MANAGER = WriteOptions(manager="lambda-api")
_TRIES = 20
AGAIN_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference means: its Function, and the object that says what runs (itself, or a FunctionVersion).

    `version` is the number, or $LATEST; `alias` is the alias's entry in the Function, if it is one.
    """

    function: Object
    running: Object
    version: str
    alias: Object | None = None


class Stored:
    """Functions and what belongs to them, in one namespace."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self._settings = settings

    async def function(self, name: str, qualifier: str = "") -> Object:
        """Raises ServiceFault where there is none; `qualifier` is only for its message."""
        try:
            return await self.client.get(FUNCTIONS, self._settings.namespace, object_name(name))
        except NotFound:
            raise function_not_found(function_arn(self._settings, name, qualifier)) from None

    async def target(self, reference: Reference) -> Target:
        """Raises ServiceFault where the function, its version or its alias is not there."""
        function = await self.function(reference.name, reference.qualifier)
        qualifier = reference.qualifier
        if qualifier in ("", LATEST):
            return Target(function, function, LATEST)
        if is_version(qualifier):
            return Target(function, await self._version(reference.name, qualifier, qualifier), qualifier)
        alias = alias_of(function, qualifier)
        if alias is None:
            raise function_not_found(function_arn(self._settings, reference.name, qualifier))
        version = alias["version"]
        if version == LATEST:
            return Target(function, function, LATEST, alias)
        return Target(function, await self._version(reference.name, version, qualifier), version, alias)

    async def _version(self, name: str, version: str, qualifier: str) -> Object:
        try:
            return await self.client.get(FUNCTION_VERSIONS, self._settings.namespace, version_name(name, version))
        except NotFound:
            raise function_not_found(function_arn(self._settings, name, qualifier)) from None

    async def versions(self, name: str) -> list[Object]:
        """The published versions of a function, the oldest first."""
        found = [obj for obj in await self.all(FUNCTION_VERSIONS) if obj["spec"]["functionName"] == name]
        return sorted(found, key=lambda obj: int(obj["spec"]["version"]))

    async def all(self, resource: Resource) -> list[Object]:
        return (await self.client.list(resource, self._settings.namespace)).items

    async def get(self, resource: Resource, name: str) -> Object:
        """Raises ServiceFault in AWS's general words."""
        try:
            return await self.client.get(resource, self._settings.namespace, name)
        except NotFound:
            raise not_found() from None

    async def create(
        self, resource: Resource, name: str, spec: Object, exists: str, owner: Object | None = None
    ) -> Object:
        """Raises ServiceFault with the message `exists` where there is one of that name."""
        meta: Object = {"name": name, "namespace": self._settings.namespace}
        if owner is not None:
            meta["ownerReferences"] = [_owner(owner)]
        made = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec}
        try:
            return await self.client.create(resource, made, options=MANAGER)
        except AlreadyExists:
            raise conflict(exists) from None

    async def change(self, name: str, decide: Callable[[Object], Object]) -> Object:
        """Replace a Function's spec by what `decide` makes of the object as it is now.

        Whoever changed it meanwhile is not overwritten: then `decide` is asked anew. It raises to stop.
        """
        for _ in range(_TRIES):
            function = await self.function(name)
            spec = decide(function)
            if spec == function["spec"]:
                return function
            try:
                return await self.client.update(FUNCTIONS, {**function, "spec": spec}, options=MANAGER)
            except Conflict:
                await asyncio.sleep(AGAIN_SECONDS)  # what conflicts is accepted, and can be read once it is durable
        raise conflict(
            "The operation cannot be performed at this time. An update is in progress for resource: "
            f"{function_arn(self._settings, name)}"
        )

    async def replace(self, resource: Resource, obj: Object) -> Object:
        """Write an object that was just read."""
        try:
            return await self.client.update(resource, obj, options=MANAGER)
        except Conflict:
            raise conflict("The resource was changed at the same time: try again") from None

    async def delete(self, resource: Resource, name: str) -> None:
        """Nothing happens where it is gone already."""
        try:
            await self.client.delete(resource, self._settings.namespace, name)
        except NotFound:
            return

    async def count_version(self, function: Object, version: int) -> None:
        """Remember the highest number, so that one that is deleted is not given again."""
        patch = {"status": {"latestVersion": version}}
        name = function["metadata"]["name"]
        await self.client.patch(FUNCTIONS, self._settings.namespace, name, patch, subresource="status", options=MANAGER)


def alias_of(function: Object, name: str) -> Object | None:
    return next((alias for alias in function["spec"].get("aliases") or [] if alias["name"] == name), None)


def _owner(function: Object) -> Object:
    return {
        "apiVersion": function["apiVersion"],
        "kind": function["kind"],
        "name": function["metadata"]["name"],
        "uid": function["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
