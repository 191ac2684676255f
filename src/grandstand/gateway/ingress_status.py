"""Write the gateway's address into the status of our Ingresses."""

from __future__ import annotations

import asyncio
import logging

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.errors import GrandstandError, NotFound
from grandstand.kinds import Ingress, Key, Object
from grandstand.kinds.resources import INGRESSES
from grandstand.reconcile.caches import Table
from grandstand.reconcile.queue import WorkQueue

from .routes import is_ours

log = logging.getLogger(__name__)


class IngressStatus:
    """One write per Ingress whose status names another address."""

    def __init__(self, client: Client, ingresses: Table[Ingress], address: str, clock: Clock) -> None:
        self._client = client
        self._ingresses = ingresses
        self._points = [{"ip": address}]
        self._queue: WorkQueue[Key] = WorkQueue(clock)

    def changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        if after is not None:
            self._queue.add(key)

    async def run(self) -> None:
        """Never returns by itself: cancel it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._write(key)
                self._queue.succeeded(key)
            except (GrandstandError, OSError) as error:
                log.warning("status of Ingress %s not written: %s", key, error)
                self._queue.add_failed(key)
            finally:
                self._queue.done(key)

    async def _write(self, key: Key) -> None:
        ingress, obj = self._ingresses.get(key), self._ingresses.object(key)
        if ingress is None or obj is None or not is_ours(ingress):
            return
        status = (obj.get("status") or {}).get("loadBalancer") or {}
        if status.get("ingress") == self._points:
            return
        patch = {"metadata": {"uid": ingress.metadata.uid}, "status": {"loadBalancer": {"ingress": self._points}}}
        try:
            await self._client.patch(INGRESSES, key.namespace, key.name, patch, subresource="status")
        except NotFound:
            return
