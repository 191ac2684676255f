"""An API in memory, for tests of whatever works through a `Client`: no HTTP, no defaults, no validation.

It keeps revisions, conflicts, generated names, selectors, watches with history, finalizers, grace, the separation of
`/status`, and `binding`. Of the patch types it takes the merge patch only. Watches can be held back, to see what a
controller does while its caches lag; calls can be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from grandstand import selectors
from grandstand.clock import Clock, SystemClock, rfc3339
from grandstand.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Expired,
    GrandstandError,
    NotFound,
    UnsupportedMediaType,
)
from grandstand.kinds import Key, Object, Resource, is_deleting, key_of
from grandstand.kinds.resources import NAMESPACES, PODS

from . import (
    DEFAULT_DELETE,
    DEFAULT_WRITE,
    DeleteOptions,
    EventType,
    JSONPatch,
    ObjectList,
    PatchType,
    Propagation,
    WatchEvent,
    WriteOptions,
)

Refusal = Callable[[str, Resource, Key], GrandstandError | None]
"""Given a verb, a resource and a key: the error to answer with, or None to go on."""

FINALIZERS = {Propagation.FOREGROUND: "foregroundDeletion", Propagation.ORPHAN: "orphan"}
POD_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Entry:
    """One change in the history: the object after it, and before it."""

    revision: int
    resource: Resource
    type: EventType
    object: Object
    before: Object | None


class FakeClient:
    """A `Client` over dictionaries. `refuse` says which calls fail; `calls` tells what was called, in order."""

    def __init__(self, clock: Clock | None = None, refuse: Refusal | None = None) -> None:
        self.calls: list[tuple[str, str, Key]] = []
        self.refuse = refuse
        self.revision = 0
        self._clock = clock or SystemClock()
        self._objects: dict[Resource, dict[Key, Object]] = {}
        self._history: list[Entry] = []
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
        """Forget the history: watches that start from an older version get Expired."""
        self._history.clear()
        self._compacted = self.revision

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """The objects of a resource, sorted by key."""
        found = self._objects.get(resource, {})
        return [found[key] for key in sorted(found) if not namespace or key.namespace == namespace]

    # What every client does.

    async def get(self, resource: Resource, namespace: str, name: str, *, subresource: str = "") -> Object:
        self._called("get", resource, Key(namespace, name))
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
        found = [obj for obj in self.all(resource, namespace) if _selected(obj, labels, fields)]
        start = int(continue_token or 0)
        end = start + limit if limit else len(found)
        return ObjectList(found[start:end], str(self.revision), str(end) if end < len(found) else "")

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
        position = int(resource_version or self.revision)
        while True:
            if position < self._compacted:
                raise Expired
            for entry in self._history[position - self._compacted :]:  # revisions have no gaps
                await self._flowing.wait()
                position = entry.revision
                event = _event(entry, resource, namespace, labels, fields)
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
        meta = dict(obj.get("metadata") or {})
        namespace = (namespace or meta.get("namespace", "default")) if resource.namespaced else ""
        if subresource:
            self._called("create", resource, Key(namespace, name))
            return self._bind(resource, Key(namespace, name), obj, subresource)
        if not meta.get("name"):
            meta["name"] = meta.get("generateName", "") + self._clock.suffix()
        key = Key(namespace, meta["name"])
        self._called("create", resource, key)
        if key in self._objects.get(resource, {}):
            raise AlreadyExists(f'{resource.qualified} "{key.name}" already exists')
        meta |= {"uid": self._clock.uid(), "creationTimestamp": rfc3339(self._clock.now()), "generation": 1}
        meta |= {"namespace": namespace} if namespace else {}
        made: Object = {"apiVersion": resource.api_version, "kind": resource.kind} | deepcopy(obj) | {"metadata": meta}
        if resource is NAMESPACES:
            made.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        return self._commit(resource, EventType.ADDED, None, made)

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = DEFAULT_WRITE
    ) -> Object:
        self._called("update", resource, key_of(obj))
        before = self._existing(resource, key_of(obj))
        version = obj["metadata"].get("resourceVersion")
        if version is not None and version != before["metadata"]["resourceVersion"]:
            raise Conflict
        return self._replace(resource, before, deepcopy(obj), subresource)

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
        if type is not PatchType.MERGE or not isinstance(patch, dict):
            raise UnsupportedMediaType("the fake API takes merge patches only")
        before = self._existing(resource, Key(namespace, name))
        for precondition in ("uid", "resourceVersion"):
            wanted = patch.get("metadata", {}).get(precondition)
            if wanted is not None and wanted != before["metadata"][precondition]:
                raise Conflict(f"the {precondition} is another than in the patch")
        return self._replace(resource, before, merged(before, deepcopy(patch)), subresource)

    async def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = DEFAULT_DELETE
    ) -> Object:
        key = Key(namespace, name)
        self._called("delete", resource, key)
        before = self._existing(resource, key)
        if options.uid not in (None, before["metadata"]["uid"]):
            raise Conflict(f"the uid is another than {options.uid}")
        finalizers = list(before["metadata"].get("finalizers", []))
        wanted = FINALIZERS.get(options.propagation) if options.propagation else None
        if wanted and wanted not in finalizers:
            finalizers.append(wanted)
        grace = self._grace(resource, before, options)
        if not (finalizers or grace or _namespace_content(resource, before)):
            return self._commit(resource, EventType.DELETED, before, before)
        meta = before["metadata"] | {"finalizers": finalizers, "deletionGracePeriodSeconds": grace}
        meta.setdefault("deletionTimestamp", rfc3339(self._clock.now() + grace))
        after = before | {"metadata": {name: value for name, value in meta.items() if value != []}}
        if resource is NAMESPACES:
            after["status"] = (before.get("status") or {}) | {"phase": "Terminating"}
        return self._write(resource, before, after)

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

    def _grace(self, resource: Resource, before: Object, options: DeleteOptions) -> int:
        if resource is not PODS or not before["spec"].get("nodeName"):
            return 0
        own = before["spec"].get("terminationGracePeriodSeconds", POD_GRACE_SECONDS)
        return int(own if options.grace_seconds is None else options.grace_seconds)

    def _bind(self, resource: Resource, key: Key, binding: Object, subresource: str) -> Object:
        if resource is not PODS or subresource != "binding":
            raise BadRequest(f"the fake API knows no subresource {subresource} to create of {resource.qualified}")
        before = self._existing(PODS, key)
        if before["spec"].get("nodeName") or is_deleting(before):
            raise Conflict(f"pod {key.name} is already assigned to a node, or is being deleted")
        if (binding.get("metadata") or {}).get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
            raise Conflict(f"pod {key.name} is another than the binding means")
        status = before.get("status") or {}
        conditions = [c for c in status.get("conditions", []) if c["type"] != "PodScheduled"]
        conditions.append({"type": "PodScheduled", "status": "True"})
        spec = before["spec"] | {"nodeName": binding["target"]["name"]}
        self._write(PODS, before, before | {"spec": spec, "status": status | {"conditions": conditions}})
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _replace(self, resource: Resource, before: Object, after: Object, subresource: str) -> Object:
        """Write what the caller may write: all but status, or only that; who and when stay as they were."""
        if subresource == "status":
            after = before | ({"status": after["status"]} if "status" in after else {})
        elif subresource == "" and "status" in resource.subresources:
            after = {name: value for name, value in after.items() if name != "status"}
            after |= {"status": before["status"]} if "status" in before else {}
        kept = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion")
        meta = after["metadata"] | {name: before["metadata"][name] for name in kept if name in before["metadata"]}
        meta["generation"] = before["metadata"]["generation"] + (after.get("spec") != before.get("spec"))
        return self._write(resource, before, after | {"metadata": meta})

    def _write(self, resource: Resource, before: Object, after: Object) -> Object:
        if after == before:
            return before
        ended = is_deleting(after) and not after["metadata"].get("finalizers")
        if ended and not _held(resource, after):
            return self._commit(resource, EventType.DELETED, before, after)
        return self._commit(resource, EventType.MODIFIED, before, after)

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


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386): null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _held(resource: Resource, obj: Object) -> bool:
    """Whether something other than finalizers still keeps a deleting object."""
    return _namespace_content(resource, obj) or bool(obj["metadata"].get("deletionGracePeriodSeconds"))


def _namespace_content(resource: Resource, obj: Object) -> bool:
    return resource is NAMESPACES and bool(obj.get("spec", {}).get("finalizers"))


def _selected(obj: Object, labels: str, fields: str) -> bool:
    return selectors.matches(selectors.parse_labels(labels), obj["metadata"].get("labels")) and selectors.fields_match(
        selectors.parse_fields(fields, lambda path: True), obj
    )


def _event(entry: Entry, resource: Resource, namespace: str, labels: str, fields: str) -> WatchEvent | None:
    """The event of a change for one watch; an object that begins or ceases to match is added or deleted."""
    if entry.resource is not resource or namespace not in ("", key_of(entry.object).namespace):
        return None
    was = entry.before is not None and _selected(entry.before, labels, fields)
    now = entry.type is not EventType.DELETED and _selected(entry.object, labels, fields)
    if not was and not now:
        return None
    return WatchEvent(
        EventType.MODIFIED if was and now else EventType.ADDED if now else EventType.DELETED, entry.object
    )
