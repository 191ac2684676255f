"""Do what controllers decided: turn actions into calls, and tell the caches what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from grandstand.client import Client, DeleteOptions, PatchType
from grandstand.errors import Conflict, NotFound
from grandstand.kinds import Key, Object, Resource, is_deleting, key_of

from .actions import Action, Again, Create, Delete, Emit, InBatches, Patch, Update, Write
from .caches import Caches
from .recorder import Recorder


class Actor:
    """Does actions in their order; the first error ends it and is raised."""

    def __init__(self, client: Client, caches: Caches, recorder: Recorder) -> None:
        self._client = client
        self._caches = caches
        self._recorder = recorder

    async def perform(self, actions: Iterable[Action]) -> float | None:
        """Do them all; return after how many seconds to reconcile again, None for when something changes."""
        delays: list[float] = []
        for action in actions:
            match action:
                case Again(after_seconds=seconds):
                    delays.append(seconds)
                case Emit():
                    self._emit(action, action.about)
                case InBatches(writes=writes, first=first):
                    await self._in_batches(writes, first or len(writes))
                case _:
                    await self._write(action)
        return min(delays, default=None)

    async def _in_batches(self, writes: tuple[Write, ...], size: int) -> None:
        while writes:
            results = await asyncio.gather(*map(self._write, writes[:size]), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            writes, size = writes[size:], size * 2

    async def _write(self, action: Write) -> None:
        match action:
            case Create():
                await self._create(action)
            case Update(resource=resource, object=obj, subresource=subresource):
                await self._take(
                    resource, await self._client.update(resource, obj, subresource=subresource), key_of(obj)
                )
            case Patch():
                await self._patch(action)
            case Delete():
                await self._delete(action)

    async def _create(self, action: Create) -> None:
        made = await self._client.create(
            action.resource,
            action.object,
            namespace=action.namespace,
            subresource=action.subresource,
            name=action.name,
        )
        if action.subresource:  # the answer is a Status: what became of the object has to be asked for
            made = await self._client.get(action.resource, action.namespace, action.name)
        self._caches.remember(action.resource, made)
        self._emit(action.announce, made)

    async def _patch(self, action: Patch) -> None:
        patch = action.patch
        if action.uid:
            patch = patch | {"metadata": (patch.get("metadata") or {}) | {"uid": action.uid}}
        result = await self._client.patch(
            action.resource,
            action.key.namespace,
            action.key.name,
            patch,
            PatchType.MERGE,
            subresource=action.subresource,
        )
        if action.subresource == "scale":  # the answer is a Scale
            result = await self._client.get(action.resource, action.key.namespace, action.key.name)
        await self._take(action.resource, result, action.key)
        self._emit(action.announce, result)

    async def _take(self, resource: Resource, result: Object, key: Key) -> None:
        """Tell the cache of a write; one that removed the last finalizer has ended the object."""
        meta = result["metadata"]
        if is_deleting(result) and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds"):
            try:
                result = await self._client.get(resource, key.namespace, key.name)
            except NotFound:
                self._caches.forget(resource, key, str(meta.get("uid", "")))
                return
        self._caches.remember(resource, result)

    async def _delete(self, action: Delete) -> None:
        options = DeleteOptions(grace_seconds=action.grace_seconds, uid=action.uid, propagation=action.propagation)
        try:
            result = await self._client.delete(action.resource, action.key.namespace, action.key.name, options)
        except NotFound:
            result = {}
        except Conflict:
            return  # another object of that name by now: the one that was meant is gone
        if result.get("kind") == action.resource.kind and is_deleting(result):
            await self._take(action.resource, result, action.key)
        else:
            self._caches.forget(action.resource, action.key, action.uid)
        self._emit(action.announce, {"metadata": {"name": action.key.name}})

    def _emit(self, event: Emit | None, result: Object) -> None:
        if event is not None:
            name = str(result["metadata"].get("name", ""))
            self._recorder.record(event.about, event.type, event.reason, event.message.replace("{name}", name))
