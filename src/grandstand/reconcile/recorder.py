"""Record Kubernetes Events about objects: repeats are counted, not written anew, and recording never blocks."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from grandstand.client import Client
from grandstand.clock import Clock, rfc3339
from grandstand.errors import GrandstandError, NotFound
from grandstand.kinds import Object
from grandstand.kinds.resources import EVENTS

log = logging.getLogger(__name__)

REMEMBERED = 4096
"""How many different events repeats are recognised of, as in client-go."""
MOST_WAITING = 1000
WRITES_AT_ONCE = 32
MESSAGE_LIMIT = 1024


class Same(NamedTuple):
    """Two events with the same of these are one that happened twice."""

    involved: tuple[tuple[str, str], ...]
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class Waiting:
    """An event that is not written yet: when it came first and last, and how often."""

    first: float
    last: float
    count: int = 1


@dataclass(slots=True)
class Written:
    namespace: str
    name: str
    count: int


class Recorder:
    """Takes events from one component; `run` writes them. What cannot be written is dropped: events are a courtesy.

    `linger_seconds`: how long they wait first, so that writing them delays nothing that they tell of.
    """

    def __init__(self, client: Client, component: str, clock: Clock, *, linger_seconds: float = 0.0) -> None:
        self._client = client
        self._linger_seconds = linger_seconds
        self._component = component
        self._clock = clock
        self._waiting: OrderedDict[Same, Waiting] = OrderedDict()
        self._written: OrderedDict[Same, Written] = OrderedDict()
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def record(self, obj: Object, type: str, reason: str, message: str, field_path: str = "") -> None:  # noqa: A002
        """Say that something happened to an object; `type` is "Normal" or "Warning".

        `field_path` names a part of it, e.g. `spec.containers{app}`.
        """
        now = self._clock.now()
        same = Same(_reference(obj, field_path), type, reason, message[:MESSAGE_LIMIT])
        waiting = self._waiting.get(same)
        if waiting is not None:
            waiting.count, waiting.last = waiting.count + 1, now
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[same] = Waiting(now, now)
        else:
            log.warning("too many events at once; dropped: %s %s", reason, message)
            return
        self._empty.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Write what was recorded. Never returns by itself: cancel it."""
        while True:
            await self._arrived.wait()
            if self._linger_seconds:
                await self._clock.sleep(self._linger_seconds)
            batch = [self._waiting.popitem(last=False) for _ in range(min(len(self._waiting), WRITES_AT_ONCE))]
            await asyncio.gather(*(self._write(same, waiting) for same, waiting in batch))
            if not self._waiting:
                self._arrived.clear()
                self._empty.set()

    async def flushed(self) -> None:
        """Return when everything recorded so far has been written or dropped."""
        await self._empty.wait()

    async def _write(self, same: Same, waiting: Waiting) -> None:
        try:
            written = self._written.pop(same, None)
            if written is None or not await self._count(written, waiting):
                written = await self._create(same, waiting)
            self._written[same] = written
            if len(self._written) > REMEMBERED:
                self._written.popitem(last=False)
        except (GrandstandError, OSError) as error:
            log.debug("event %s %r not written: %s", same.reason, same.message, error)

    async def _count(self, written: Written, waiting: Waiting) -> bool:
        """Add to the event that is there already; False when it has expired."""
        count = written.count + waiting.count
        patch = {"count": count, "lastTimestamp": rfc3339(waiting.last)}
        try:
            await self._client.patch(EVENTS, written.namespace, written.name, patch)
        except NotFound:
            return False
        written.count = count
        return True

    async def _create(self, same: Same, waiting: Waiting) -> Written:
        involved = dict(same.involved)
        event = {
            "metadata": {
                "name": self._name(involved["name"], waiting.first),
                "namespace": involved.get("namespace", "default"),
            },
            "involvedObject": involved,
            "type": same.type,
            "reason": same.reason,
            "message": same.message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
            "firstTimestamp": rfc3339(waiting.first),
            "lastTimestamp": rfc3339(waiting.last),
            "count": waiting.count,
        }
        made = await self._client.create(EVENTS, event)
        return Written(made["metadata"]["namespace"], made["metadata"]["name"], waiting.count)

    def _name(self, involved: str, first: float) -> str:
        """By time, for times have whole seconds only: kubectl shows events of one second by name."""
        return f"{involved}.{int(first * 1e9):016x}{self._clock.suffix(4)}"


def _reference(obj: Object, field_path: str) -> tuple[tuple[str, str], ...]:
    """The `ObjectReference` of an object, without its resourceVersion: that would make every repeat another event."""
    meta = obj["metadata"]
    reference = {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta.get("name"),
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "fieldPath": field_path,
    }
    return tuple((name, value) for name, value in reference.items() if value)
