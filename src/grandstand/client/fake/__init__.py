"""An API in memory, for tests of whatever works through a `Client`: no HTTP, no defaults, no validation.

It keeps revisions, conflicts, generated names, selectors, pages, watches with history, finalizers, grace, dry runs, the
separation of `/status`, and `binding`; not managedFields, and no bookmarks. Of the patch types it takes the merge patch
only. Watches can be held back, to see what a controller does while its caches lag; calls can be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from copy import deepcopy

from grandstand.client import (
    DEFAULT_DELETE,
    DEFAULT_WRITE,
    DeleteOptions,
    EventType,
    JSONPatch,
    ObjectList,
    PatchType,
    WatchEvent,
    WriteOptions,
)
from grandstand.client.paths import require_name, require_subresource
from grandstand.clock import Clock, SystemClock, rfc3339
from grandstand.errors import (
    AlreadyExists,
    BadRequest,
    Cause,
    Expired,
    GrandstandError,
    Invalid,
    NotFound,
    UnsupportedMediaType,
)
from grandstand.kinds import Key, Object, Resource, key_of
from grandstand.kinds.resources import NAMESPACES, PODS

from .changes import bound, check_preconditions, deleted, is_finished, merged, replaced, scale_of
from .history import Entry, Selection, event_of

Refusal = Callable[[str, Resource, Key], GrandstandError | None]
"""Given a verb, a resource and a key: the error to answer with, or None to go on."""


class FakeClient:
    """A `Client` over dictionaries. `refuse` says which calls fail; `calls` tells what was called, in order."""

    def __init__(self, clock: Clock | None = None, refuse: Refusal | None = None) -> None:
        self.calls: list[tuple[str, str, Key]] = []
        self.refuse = refuse
        self.revision = 0
        self._clock = clock or SystemClock()
        self._objects: dict[Resource, dict[Key, Object]] = {}
        self._history: list[Entry] = []
        self._pages: list[ObjectList] = []
        self._compacted = 0
        self._changed = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()

    # What only a test does.

    def hold_watches(self) -> None:
        """Deliver no more events until `release_watches`."""
        self._flowing.clear()

    def release_watches(self) -> None:
        self._flowing.set()

    def compact(self) -> None:
        """Forget the history: watches that start from an older version, and lists that go on, get Expired."""
        self._history.clear()
        self._pages.clear()
        self._compacted = self.revision

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """The objects of a resource, sorted by key."""
        found = self._objects.get(resource, {})
        return [found[key] for key in sorted(found) if not namespace or key.namespace == namespace]

    # What every client does.

    async def get(self, resource: Resource, namespace: str, name: str, *, subresource: str = "") -> Object:
        self._called("get", resource, Key(namespace, name))
        require_name(resource, namespace, name)
        require_subresource(resource, subresource)
        if subresource not in ("", "status"):
            raise BadRequest(f"the fake API does not read {resource.qualified}/{subresource}")
        return self._existing(resource, Key(namespace, name))

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
        self._called("list", resource, Key(namespace, ""))
        if continue_token:
            whole = self._page(continue_token)
        else:
            selection = Selection.parse(labels, fields)
            found = [obj for obj in self.all(resource, namespace) if selection.accepts(obj)]
            whole = ObjectList(found, str(self.revision))
        if not limit or len(whole.items) <= limit:
            return whole
        self._pages.append(ObjectList(whole.items[limit:], whole.resource_version))
        return ObjectList(whole.items[:limit], whole.resource_version, str(len(self._pages)))

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        bookmarks: bool = False,
    ) -> AsyncIterator[WatchEvent]:
        selection = Selection.parse(labels, fields)
        position = int(resource_version or 0)
        if position > self.revision:
            raise Expired(f"Too large resource version: {position}, current: {self.revision}: list again")
        if not position:
            position = self.revision
            for obj in [obj for obj in self.all(resource, namespace) if selection.accepts(obj)]:
                await self._flowing.wait()
                yield WatchEvent(EventType.ADDED, obj)
        while True:
            if position < self._compacted:
                raise Expired
            for entry in self._history[position - self._compacted :]:  # revisions have no gaps
                await self._flowing.wait()
                position = entry.revision
                event = event_of(entry, resource, namespace, selection)
                if event is not None:
                    yield event
            if position >= self.revision:
                await self._changed.wait()

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
        meta = deepcopy(obj.get("metadata") or {})
        namespace = (namespace or meta.get("namespace", "")) if resource.namespaced else ""
        if subresource:
            self._called("create", resource, Key(namespace, name))
            return self._bind(resource, Key(namespace, name), obj, subresource, options.dry_run)
        key = Key(namespace, self._name(resource, meta))
        self._called("create", resource, key)
        if resource.namespaced and not namespace:
            raise BadRequest(f"a {resource.kind} is created in a namespace: name it in metadata.namespace")
        if key in self._objects.get(resource, {}):
            raise AlreadyExists(f'{resource.qualified} "{key.name}" already exists')
        meta |= {"name": key.name, "uid": self._clock.uid(), "creationTimestamp": rfc3339(self._clock.now())}
        meta |= {"generation": 1} | ({"namespace": namespace} if namespace else {})
        made: Object = {"apiVersion": resource.api_version, "kind": resource.kind} | deepcopy(obj) | {"metadata": meta}
        if resource is NAMESPACES:
            made.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        return made if options.dry_run else self._commit(resource, EventType.ADDED, None, made)

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = DEFAULT_WRITE
    ) -> Object:
        meta = obj.get("metadata") or {}
        require_name(resource, meta.get("namespace", ""), meta.get("name", ""))
        require_subresource(resource, subresource)
        self._called("update", resource, key_of(obj))
        before = self._existing(resource, key_of(obj))
        check_preconditions(obj["metadata"], before)
        return self._write(resource, before, replaced(resource, before, deepcopy(obj), subresource), options.dry_run)

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
        self._called("patch", resource, Key(namespace, name))
        require_name(resource, namespace, name)
        require_subresource(resource, subresource)
        if type is not PatchType.MERGE or not isinstance(patch, dict):
            raise UnsupportedMediaType("the fake API takes merge patches only")
        before = self._existing(resource, Key(namespace, name))
        check_preconditions(patch.get("metadata") or {}, before)
        after = replaced(resource, before, merged(before, deepcopy(patch)), subresource)
        written = self._write(resource, before, after, options.dry_run)
        return scale_of(written) if subresource == "scale" else written

    async def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = DEFAULT_DELETE
    ) -> Object:
        key = Key(namespace, name)
        self._called("delete", resource, key)
        require_name(resource, namespace, name)
        before = self._existing(resource, key)
        after = deleted(resource, before, options, self._clock.now())
        if after is not None:
            return self._write(resource, before, after, options.dry_run)
        return before if options.dry_run else self._commit(resource, EventType.DELETED, before, before)

    # How it is done.

    def _called(self, verb: str, resource: Resource, key: Key) -> None:
        self.calls.append((verb, resource.plural, key))
        error = self.refuse(verb, resource, key) if self.refuse else None
        if error is not None:
            raise error

    def _existing(self, resource: Resource, key: Key) -> Object:
        try:
            return self._objects[resource][key]
        except KeyError:
            raise NotFound(f'{resource.qualified} "{key.name}" not found') from None

    def _name(self, resource: Resource, meta: Object) -> str:
        if meta.get("name"):
            return str(meta["name"])
        if meta.get("generateName"):
            return f"{meta['generateName']}{self._clock.suffix()}"
        cause = Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
        raise Invalid(f'{resource.kind} "" is invalid: {cause.field}: {cause.message}', (cause,))

    def _page(self, token: str) -> ObjectList:
        if not token.isdigit() or int(token) > len(self._pages):
            raise Expired("The provided continue parameter is too old: start a new list without it.")
        return self._pages[int(token) - 1]

    def _bind(self, resource: Resource, key: Key, binding: Object, subresource: str, dry_run: bool) -> Object:
        if resource is not PODS or subresource != "binding":
            raise BadRequest(f"the fake API knows no subresource {subresource} to create of {resource.qualified}")
        before = self._existing(PODS, key)
        self._write(PODS, before, bound(before, binding), dry_run)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _write(self, resource: Resource, before: Object, after: Object, dry_run: bool) -> Object:
        if after == before or dry_run:
            return after
        finished = is_finished(resource, after)
        return self._commit(resource, EventType.DELETED if finished else EventType.MODIFIED, before, after)

    def _commit(self, resource: Resource, type_: EventType, before: Object | None, after: Object) -> Object:
        self.revision += 1
        after = after | {"metadata": after["metadata"] | {"resourceVersion": str(self.revision)}}
        objects = self._objects.setdefault(resource, {})
        if type_ is EventType.DELETED:
            del objects[key_of(after)]
        else:
            objects[key_of(after)] = after
        self._history.append(Entry(self.revision, resource, type_, after, before))
        self._changed.set()
        self._changed = asyncio.Event()
        return after


__all__ = ["FakeClient", "merged"]
