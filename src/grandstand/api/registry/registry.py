"""Carry out requests on the store: every write is one decision, made on the newest accepted state of its object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from grandstand.api.deletion import deleted
from grandstand.api.lists import ListOptions, Page, page
from grandstand.api.refusals import already_exists, forbidden, method_not_allowed, not_found
from grandstand.api.scale import patched_scale, scale_of, with_scale
from grandstand.api.store import Store, Stored, StoreKey
from grandstand.api.watches import EventStream, WatchOptions, watch
from grandstand.client import DeleteOptions, PatchType, WriteOptions
from grandstand.clock import Clock
from grandstand.errors import AlreadyExists, Cause, NotFound
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import NAMESPACES, PODS, SERVICE_ACCOUNTS

from .claims import AddressClaims
from .creating import NAME_ATTEMPTS, created, named
from .intake import Write, admit, check_name, placed, require_name
from .patching import applied, check_configuration, patched
from .pods import Binding, Eviction, bound, read
from .updating import CREATED_ON_UPDATE, finalized, updated
from .writer import Writer, Written

if TYPE_CHECKING:
    from grandstand.api.schema import Schemas

IMMORTAL = ("default", "kube-system", "kube-public")
"""Namespaces that cannot be deleted, as in Kubernetes."""

DELETED_AT_ONCE = 100
"""So many objects of a collection are deleted together: one sync to disk serves them all."""

JSONPatch = list[Object]


@dataclass(frozen=True, slots=True)
class Deleted:
    """The object as it was after the request, or as it last was when it is gone."""

    stored: Stored
    gone: bool


class Registry:
    """The objects of one cluster. All calls raise the errors that the API answers with."""

    def __init__(self, store: Store, schemas: Schemas, clock: Clock, claims: AddressClaims) -> None:
        self._store = store
        self._schemas = schemas
        self._clock = clock
        self._writer = Writer(store, claims)
        # Namespaces whose deletion is accepted but not yet durable: nothing may be created in them any more.
        self._closing: set[str] = set()

    @property
    def store(self) -> Store:
        return self._store

    @property
    def clock(self) -> Clock:
        return self._clock

    def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Stored:
        stored = self._store.get(StoreKey(resource.qualified, namespace, name))
        if stored is None:
            raise not_found(resource, name)
        match subresource:
            case "" | "status":
                return stored
            case "scale":
                return _scaled(stored)
            case _:
                raise method_not_allowed(resource)

    def list(self, resource: Resource, namespace: str, options: ListOptions) -> Page:
        return page(self._store, resource, namespace, options)

    def watch(self, resource: Resource, namespace: str, options: WatchOptions) -> EventStream:
        return watch(self._store, resource, namespace, options)

    async def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions) -> Stored:
        """Create an object under its name, or under a generated one."""
        write = self._begin(resource, options)
        sent = placed(resource, admit(write, obj), namespace)
        require_name(resource, sent)
        for attempt in range(NAME_ATTEMPTS):
            try:
                return await self._create(write, named(sent, self._clock.suffix()))
            except AlreadyExists:
                if sent["metadata"].get("name") or attempt == NAME_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def bind(self, namespace: str, name: str, body: Object, options: WriteOptions) -> Stored:
        """Say on which node a Pod runs (subresource `binding`)."""
        binding = read(body, Binding)

        def decide(old: Object | None) -> Object:
            if old is None:
                raise not_found(PODS, name)
            return bound(old, binding, self._clock.now())

        return await self._writer.write(StoreKey(PODS.qualified, namespace, name), decide, options.dry_run)

    async def evict(self, namespace: str, name: str, body: Object, options: WriteOptions) -> Stored:
        """Delete a Pod on behalf of someone who empties its node (subresource `eviction`)."""
        eviction = read(body, Eviction)
        how = eviction.delete_options.options() if eviction.delete_options else DeleteOptions()
        done = await self.delete(PODS, namespace, name, replace(how, dry_run=how.dry_run or options.dry_run))
        return done.stored

    async def update(
        self, resource: Resource, namespace: str, name: str, obj: Object, options: WriteOptions, subresource: str = ""
    ) -> Written:
        """Replace an object, or the part of it that the subresource is."""
        if subresource == "scale":
            return await self._rescale(resource, namespace, name, lambda _: obj, options)
        if subresource not in ("", "status", "finalize"):
            raise method_not_allowed(resource)
        write = self._begin(resource, options, subresource)
        sent = placed(resource, admit(write, obj), namespace)
        check_name(sent, name)

        def decide(old: Object | None) -> Object | None:
            if old is None:
                if subresource or resource not in CREATED_ON_UPDATE or sent["metadata"].get("uid"):
                    raise not_found(resource, name)
                return self._new(write, sent)
            if subresource == "finalize":
                return finalized(sent, old)
            return updated(write, sent, old)

        return await self._writer.change(write, namespace, name, decide)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Object | JSONPatch,
        kind: PatchType,
        options: WriteOptions,
        subresource: str = "",
    ) -> Written:
        """Change an object as a patch says; a server-side apply creates what is not there."""
        if subresource == "scale":
            return await self._rescale(resource, namespace, name, lambda old: patched_scale(old, patch, kind), options)
        if subresource not in ("", "status"):
            raise method_not_allowed(resource)
        write = self._begin(resource, options, subresource)
        if kind is PatchType.APPLY:
            return await self._apply(write, namespace, name, patch)

        def decide(old: Object | None) -> Object | None:
            if old is None:
                raise not_found(resource, name)
            return updated(write, patched(write, old, patch, kind), old)

        return await self._writer.change(write, namespace, name, decide)

    async def delete(self, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> Deleted:
        """Delete an object, or mark it where something must happen first."""
        if resource is NAMESPACES and name in IMMORTAL:
            raise forbidden(resource, name, "this namespace may not be deleted")
        gone = False

        def decide(old: Object | None) -> Object | None:
            nonlocal gone
            if old is None:
                raise not_found(resource, name)
            after = deleted(resource, old, options, self._clock.now())
            gone = after is None
            if resource is NAMESPACES and not options.dry_run:
                self._closing.add(name)
            return after

        try:
            stored = await self._writer.write(StoreKey(resource.qualified, namespace, name), decide, options.dry_run)
        finally:
            if resource is NAMESPACES:
                self._closing.discard(name)
        return Deleted(stored, gone)

    async def delete_collection(
        self, resource: Resource, namespace: str, which: ListOptions, options: DeleteOptions
    ) -> Page:
        """Delete every object of a list; one that is gone meanwhile is no error."""
        found = self.list(resource, namespace, which)

        async def remove(item: Stored) -> None:
            try:
                await self.delete(resource, item.key.namespace, item.key.name, options)
            except NotFound:
                return

        for start in range(0, len(found.items), DELETED_AT_ONCE):
            await asyncio.gather(*(remove(item) for item in found.items[start : start + DELETED_AT_ONCE]))
        return found

    def _begin(self, resource: Resource, options: WriteOptions, subresource: str = "") -> Write:
        return Write(self._schemas, resource, options, self._clock.now(), subresource)

    async def _create(self, write: Write, obj: Object) -> Stored:
        resource, metadata = write.resource, obj["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        self._check_namespace(resource, namespace, name)
        new = created(write, obj, self._clock.uid())

        def decide(old: Object | None) -> Object:
            if old is not None:
                raise already_exists(resource, name)
            self._check_namespace(resource, namespace, name)
            return new

        written = await self._writer.change(write, namespace, name, decide)
        if resource is NAMESPACES and not write.options.dry_run:
            await self.furnish(name)
        return written.stored

    async def furnish(self, namespace: str) -> None:
        """Give a namespace the ServiceAccount that Pods have where they name none."""
        account = {"metadata": {"name": "default"}}
        try:
            await self.create(SERVICE_ACCOUNTS, namespace, account, WriteOptions())
        except (AlreadyExists, NotFound):
            return

    async def _apply(self, write: Write, namespace: str, name: str, patch: object) -> Written:
        resource = write.resource
        configuration = placed(resource, check_configuration(write, patch), namespace)
        configuration["metadata"].setdefault("name", name)
        check_name(configuration, name)

        def decide(old: Object | None) -> Object | None:
            if old is None and write.subresource:
                raise not_found(resource, name)
            merged = applied(write, old, configuration)
            return self._new(write, merged, tracked=True) if old is None else updated(write, merged, old, tracked=True)

        return await self._writer.change(write, namespace, name, decide)

    async def _rescale(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        scale_after: Callable[[Object], Object],
        options: WriteOptions,
    ) -> Written:
        write = self._begin(resource, options, "scale")

        def decide(old: Object | None) -> Object | None:
            if old is None:
                raise not_found(resource, name)
            return updated(write, with_scale(resource, old, scale_after(scale_of(old))), old)

        written = await self._writer.change(write, namespace, name, decide)
        return Written(_scaled(written.stored))

    def _new(self, write: Write, obj: Object, *, tracked: bool = False) -> Object:
        """An object made by an update or an apply of what was not there."""
        metadata = obj["metadata"]
        self._check_namespace(write.resource, metadata.get("namespace", ""), metadata["name"])
        return created(write, obj, self._clock.uid(), tracked=tracked)

    def _check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        """Raise where nothing may be created in a namespace: it is missing, or being deleted."""
        if not resource.namespaced:
            return
        stored = self._store.get(StoreKey(NAMESPACES.qualified, "", namespace))
        if stored is None:
            raise not_found(NAMESPACES, namespace)
        if "deletionTimestamp" in stored.object["metadata"] or namespace in self._closing:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
            raise forbidden(resource, name, why, (cause,))


def _scaled(stored: Stored) -> Stored:
    scale = scale_of(stored.object)
    return Stored(stored.key, scale, stored.revision, msgspec.json.encode(scale))
