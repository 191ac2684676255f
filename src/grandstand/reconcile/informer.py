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
            on_change(key, None, obj)

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
            except Expired:
                self._version = ""
            except (GrandstandError, OSError) as error:
                log.warning("watching %s failed: %s; again in %.1f s", self.resource.qualified, error, retry_seconds)
                self._version = ""
                await self._clock.sleep(retry_seconds)
                retry_seconds = min(retry_seconds * 2, LAST_RETRY_SECONDS)

    async def _list(self) -> None:
        found = await self._client.list(self.resource, self._namespace, labels=self._labels, fields=self._fields)
        objects = {key_of(obj): obj for obj in found.items}
        for key in [key for key in self._objects if key not in objects]:
            self._set(key, None)
        for key, obj in objects.items():
            self._set(key, obj)
        self._version = found.resource_version
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
        if event.type is not EventType.BOOKMARK:
            self._set(key_of(event.object), None if event.type is EventType.DELETED else event.object)

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
            subscriber(key, before, obj)


def _version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))
