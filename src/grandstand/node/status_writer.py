"""Write the status of Pods to the API: only what changed, changes that come together in one write."""

from __future__ import annotations

import asyncio
import logging

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.errors import Conflict, GrandstandError, NotFound
from grandstand.kinds import Object
from grandstand.kinds.resources import PODS

from .context import PodContext
from .wake import Wake, cancelled

log = logging.getLogger(__name__)

WRITES_AT_ONCE = 32
FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 10.0


def difference(before: Object, after: Object) -> Object:
    """The merge patch from one status to the other: top-level fields that differ, None for those that are gone."""
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return changed | {name: None for name in ("reason", "message") if name in before and name not in after}


class _Pen:
    """What is to be written of one Pod, and when."""

    def __init__(self, context: PodContext, clock: Clock) -> None:
        self.context = context
        self.wake = Wake(clock)
        self.due: float | None = None
        self.idle = asyncio.Event()
        self.idle.set()
        self.task: asyncio.Task[None] | None = None


class StatusWriter:
    """One short-lived task per Pod that has something to be written."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._pens: dict[str, _Pen] = {}
        self._places = asyncio.Semaphore(WRITES_AT_ONCE)

    def mark(self, context: PodContext, in_seconds: float = 0.0) -> None:
        """The status of a Pod may have changed: write it, at the latest in so many seconds."""
        pen = self._pens.setdefault(context.uid, _Pen(context, self._clock))
        due = self._clock.now() + in_seconds
        if pen.due is None or due < pen.due:
            pen.due = due
            pen.wake.ring()
        pen.idle.clear()
        if pen.task is None or pen.task.done():
            pen.task = asyncio.create_task(self._write(pen), name=f"status of {context.name}")

    async def written(self, uid: str) -> None:
        """Return when the newest status of a Pod is in the API, or the Pod is not."""
        if pen := self._pens.get(uid):
            pen.due = self._clock.now()
            pen.wake.ring()
            await pen.idle.wait()

    def forget(self, uid: str) -> None:
        pen = self._pens.pop(uid, None)
        if pen is not None and pen.task is not None:
            pen.task.cancel()

    async def stop(self) -> None:
        await cancelled(*(pen.task for pen in self._pens.values() if pen.task is not None))

    async def _write(self, pen: _Pen) -> None:
        pause = FIRST_RETRY_SECONDS
        try:
            while pen.due is not None:
                if pen.due > self._clock.now():
                    await pen.wake.wait(pen.due)
                    continue
                await asyncio.sleep(0)  # let what happens in this turn come together
                pen.due = None
                try:
                    await self._patch(pen.context)
                except (NotFound, Conflict):
                    return  # another Pod of this name, or none: the watch will say so
                except (GrandstandError, OSError) as error:
                    log.warning("status of pod %s not written: %s; again in %.1f s", pen.context.name, error, pause)
                    await self._clock.sleep(pause)
                    pause, pen.due = min(pause * 2, LAST_RETRY_SECONDS), self._clock.now()
        finally:
            pen.idle.set()

    async def _patch(self, context: PodContext) -> None:
        patch = difference(context.object.get("status") or {}, context.status())
        if not patch or context.gone:
            return
        meta = context.pod.metadata
        body = {"metadata": {"uid": context.uid}, "status": patch}
        async with self._places:
            answer = await self._client.patch(PODS, meta.namespace, meta.name, body, subresource="status")
        context.take(answer)
