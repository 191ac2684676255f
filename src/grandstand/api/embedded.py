"""The API without HTTP: `client.Client` for the parts of Grandstand that run in the API server's process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from grandstand.client import (
    DEFAULT_DELETE,
    DEFAULT_WRITE,
    DeleteOptions,
    JSONPatch,
    ObjectList,
    PatchType,
    WatchEvent,
    WriteOptions,
)
from grandstand.client.paths import require_name, require_subresource
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import PODS

from .lists import Filter, ListOptions
from .refusals import method_not_allowed
from .registry import Registry
from .watches import WatchOptions


class EmbeddedClient:
    """Calls the registry directly. Objects that come out are the store's own: copy before changing."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def get(self, resource: Resource, namespace: str, name: str, *, subresource: str = "") -> Object:
        _check(resource, namespace, name, subresource)
        return self._registry.get(resource, namespace, name, subresource).object

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> ObjectList:
        options = ListOptions(Filter.parse(resource, labels, fields), limit, continue_token)
        found = self._registry.list(resource, namespace, options)
        return ObjectList([item.object for item in found.items], str(found.revision), found.continue_token)

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        bookmarks: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        wanted = Filter.parse(resource, labels, fields)
        options = WatchOptions(wanted, resource_version, bookmarks=bookmarks)
        async with aclosing(self._registry.watch(resource, namespace, options)) as batches:
            async for events in batches:
                for event in events:
                    yield WatchEvent(event.type, event.object)

    async def create(
        self,
        resource: Resource,
        obj: Object,
        *,
        namespace: str = "",
        subresource: str = "",
        name: str = "",
        options: WriteOptions = DEFAULT_WRITE,
    ) -> Object:
        options = _own(options)
        namespace = namespace or (obj.get("metadata") or {}).get("namespace", "")
        match subresource:
            case "":
                return (await self._registry.create(resource, namespace, obj, options)).object
            case "binding" if resource is PODS:
                return (await self._registry.bind(namespace, name, obj, options)).object
            case "eviction" if resource is PODS:
                return (await self._registry.evict(namespace, name, obj, options)).object
            case _:
                raise method_not_allowed(resource)

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = DEFAULT_WRITE
    ) -> Object:
        meta = obj.get("metadata") or {}
        namespace, name = meta.get("namespace", ""), meta.get("name", "")
        _check(resource, namespace, name, subresource)
        written = await self._registry.update(resource, namespace, name, obj, _own(options), subresource)
        return written.stored.object

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Object | JSONPatch,
        type: PatchType = PatchType.MERGE,  # noqa: A002
        *,
        subresource: str = "",
        options: WriteOptions = DEFAULT_WRITE,
    ) -> Object:
        _check(resource, namespace, name, subresource)
        written = await self._registry.patch(resource, namespace, name, patch, type, _own(options), subresource)
        return written.stored.object

    async def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = DEFAULT_DELETE
    ) -> Object:
        _check(resource, namespace, name)
        return (await self._registry.delete(resource, namespace, name, options)).stored.object


def _check(resource: Resource, namespace: str, name: str, subresource: str = "") -> None:
    """Raise what a path over HTTP would be refused with."""
    require_name(resource, namespace, name)
    require_subresource(resource, subresource)


def _own(options: WriteOptions) -> WriteOptions:
    """The default options are shared by all callers: their list of warnings must not grow."""
    if options is DEFAULT_WRITE:
        return WriteOptions(manager=options.manager)
    return options
