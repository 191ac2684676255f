"""Keep a local, current copy of the objects of one resource, and tell subscribers of every change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from grandstand.client import Client, EventType, WatchEvent
from grandstand.clock import Clock, SystemClock
from grandstand.errors import Expired, GrandstandError
from grandstand.kinds import Key, Object, Resource, key_of

log = logging.getLogger(__name__)

Change = Callable[[Key, Object | None, Object | None], None]
"""Called with a key, the object before (None: it is new) and after (None: it is gone). Must not block."""

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 10.0


class Informer:
    """List once, then watch; after an error, list again and report only what differs.

    Objects in `cache` are shared and read-only. `run` never returns by itself: cancel it.

    The cache lags behind the API by the way of a watch event. A controller that writes must not decide again from what
    was before its own write, so it hands the results back (`remember`, `forget`): the cache then holds what was
    written, and the watch's older and equal news are passed over.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        clock: Clock | None = None,
    ) -> None:
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._clock = clock or SystemClock()
        self._objects: dict[Key, Object] = {}
        self._subscribers: list[Change] = []
        self._synced = asyncio.Event()
        self._version = ""
        self._forgotten: dict[Key, str] = {}

    @property
    def cache(self) -> Mapping[Key, Object]:
        return MappingProxyType(self._objects)

    @property
    def version(self) -> int:
        """The newest resourceVersion that the cache reflects."""
        return int(self._version or 0)

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key)

    def subscribe(self, on_change: Change) -> None:
        """Call `on_change` for every change from now on; objects known already are reported at once, as new."""
        self._subscribers.append(on_change)
        for key, obj in self._objects.items():
            self._tell(on_change, key, None, obj)

    def remember(self, obj: Object) -> None:
        """Take in the result of an own write at once. Passed over where the watch has been further already."""
        key, filtered = key_of(obj), self._labels or self._fields
        if filtered or self._namespace not in ("", key.namespace) or _revision(obj) <= self.version:
            return
        self._set_newer(key, obj)

    def forget(self, key: Key, uid: str) -> None:
        """Take in the own deletion of an object; the watch's news about this uid are passed over until it is gone."""
        known = self._objects.get(key)
        if known is not None and known["metadata"].get("uid") == uid:
            self._forgotten[key] = uid
            self._set(key, None)

    async def synced(self) -> None:
        """Return when the first list has been taken in."""
        await self._synced.wait()

    async def run(self) -> None:
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                if not self._version:
                    await self._list()
                    retry_seconds = FIRST_RETRY_SECONDS
                await self._watch()
                await self._clock.sleep(FIRST_RETRY_SECONDS)  # a server that closes every watch at once
            except Expired:
                self._version = ""
            except (GrandstandError, OSError) as error:
                log.warning("watching %s failed: %s; again in %.1f s", self.resource.qualified, error, retry_seconds)
                self._version = ""
                await self._clock.sleep(retry_seconds)
                retry_seconds = min(retry_seconds * 2, LAST_RETRY_SECONDS)

    async def _list(self) -> None:
        found = await self._client.list(self.resource, self._namespace, labels=self._labels, fields=self._fields)
        objects = {key_of(obj): self._named(obj) for obj in found.items}
        self._version = found.resource_version
        self._forgotten.clear()
        for key in [key for key, obj in self._objects.items() if key not in objects and _revision(obj) <= self.version]:
            self._set(key, None)
        for key, obj in objects.items():
            self._set_newer(key, obj)
        self._synced.set()

    async def _watch(self) -> None:
        events = self._client.watch(
            self.resource,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            resource_version=self._version,
            bookmarks=True,
        )
        async for event in events:
            self._take(event)

    def _take(self, event: WatchEvent) -> None:
        self._version = event.object["metadata"]["resourceVersion"]
        if event.type is EventType.BOOKMARK:
            return
        key, uid = key_of(event.object), event.object["metadata"].get("uid")
        if event.type is not EventType.DELETED:
            self._set_newer(key, event.object)
            return
        if self._forgotten.get(key) == uid:
            del self._forgotten[key]
        known = self._objects.get(key)
        if known is not None and (known["metadata"].get("uid") == uid or _revision(known) <= self.version):
            self._set(key, None)

    def _set_newer(self, key: Key, obj: Object) -> None:
        """Take an object in, unless a newer state of it is known."""
        if self._forgotten.get(key, "") == obj["metadata"].get("uid"):
            return
        known = self._objects.get(key)
        if known is None or _revision(known) <= _revision(obj):
            self._set(key, obj)

    def _set(self, key: Key, obj: Object | None) -> None:
        before = self._objects.get(key)
        if obj is None:
            self._objects.pop(key, None)
        else:
            self._objects[key] = obj
        if before is not None and obj is not None and _version(before) == _version(obj):
            return
        if before is None and obj is None:
            return
        for subscriber in self._subscribers:
            self._tell(subscriber, key, before, obj)

    def _tell(self, subscriber: Change, key: Key, before: Object | None, after: Object | None) -> None:
        try:
            subscriber(key, before, after)
        except Exception:  # one object that a subscriber cannot read must not end the watch of all others
            log.exception("a change of %s %s could not be taken in", self.resource.qualified, key)

    def _named(self, obj: Object) -> Object:
        """The object with its apiVersion and kind, which Kubernetes leaves out in lists."""
        if "kind" in obj:
            return obj
        return {"apiVersion": self.resource.api_version, "kind": self.resource.kind} | obj


def _version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))


def _revision(obj: Object) -> int:
    return int(_version(obj) or 0)
