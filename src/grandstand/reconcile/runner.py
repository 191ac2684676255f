"""Run controllers: watch, queue keys, call the pure `reconcile`, have its actions done, retry."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.errors import AlreadyExists, Conflict, Expired, GrandstandError, NotFound
from grandstand.exposition import Family, Kind, Sample
from grandstand.kinds import Key, Object, Resource

from .acting import Actor
from .actions import Action
from .caches import Caches
from .queue import WorkQueue
from .recorder import Recorder

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
W = TypeVar("W")
S = TypeVar("S")

ORDINARY = (Conflict, AlreadyExists, NotFound, Expired)
"""What happens to everyone who works from a cache: try again, and tell nobody."""


@dataclass(frozen=True, slots=True)
class Controller(Generic[K, W, S]):
    """What the runner has to know of a controller.

    `watches` says for each resource which keys a change concerns (the object before and after it; None: was not, is no
    more). `look` gives what is wanted of a key and what is seen, at a time; None when there is nothing to do.
    `reconcile` is pure. `failed`, also pure, says what to write when an action failed; the key is retried anyway.
    `other_causes` is called once, with what queues a key: for reasons to look that are no change of an object.
    """

    name: str
    watches: Mapping[Resource, Callable[[Object | None, Object | None], Iterable[K]]]
    look: Callable[[K, float], Awaitable[tuple[W, S] | None]]
    reconcile: Callable[[W, S], Sequence[Action]]
    failed: Callable[[W, S, GrandstandError], Sequence[Action]] | None = None
    workers: int = 8
    other_causes: Callable[[Callable[[K], None]], None] | None = None


class Runner:
    """Runs controllers over shared caches. After its own writes a controller always sees them (`Informer.remember`)."""

    def __init__(
        self,
        controllers: Iterable[Controller[Any, Any, Any]],
        client: Client,
        caches: Caches,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._controllers = tuple(controllers)
        self._caches = caches
        self._actor = Actor(client, caches, recorder)
        self._clock = clock
        self._queues: dict[str, WorkQueue[Any]] = {}
        self._synced = asyncio.Event()
        self._turns: Counter[tuple[str, str]] = Counter()
        for controller in self._controllers:
            self._queues[controller.name] = WorkQueue(clock)
            if controller.other_causes is not None:
                controller.other_causes(self._queues[controller.name].add)
            for resource, concerned in controller.watches.items():
                queue = self._queues[controller.name]
                caches.informer(resource).subscribe(partial(_enqueue, queue, concerned))

    @property
    def idle(self) -> bool:
        """Whether no controller has anything to do until something changes or a delay is over."""
        return self._synced.is_set() and all(queue.idle for queue in self._queues.values())

    async def synced(self) -> None:
        """Return when all caches are filled and the workers go."""
        await self._synced.wait()

    def families(self) -> Iterable[Family]:
        """For Prometheus, in the names of controller-runtime."""
        depths = tuple(Sample(len(queue), {"name": name}) for name, queue in self._queues.items())
        yield Family("workqueue_depth", Kind.GAUGE, "Keys that wait for a worker.", depths)
        turns = tuple(Sample(n, {"controller": name, "result": how}) for (name, how), n in self._turns.items())
        yield Family("controller_runtime_reconcile_total", Kind.COUNTER, "Keys that were looked at.", turns)

    async def run(self) -> None:
        """Never returns by itself: cancel it."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._caches.informers:
                tasks.create_task(informer.run(), name=f"informer {informer.resource.qualified}")
            for informer in self._caches.informers:
                await informer.synced()
            for controller in self._controllers:
                queue = self._queues[controller.name]
                tasks.create_task(queue.run(), name=f"{controller.name} delays")
                for number in range(controller.workers):
                    tasks.create_task(self._work(controller, queue), name=f"{controller.name} worker {number}")
            self._synced.set()

    async def _work(self, controller: Controller[K, W, S], queue: WorkQueue[K]) -> None:
        while True:
            key = await queue.get()
            try:
                delay = await self._turn(controller, key)
            except ORDINARY as error:
                self._turns[controller.name, "requeue"] += 1
                log.debug("%s %s: %s; again in %.3f s", controller.name, key, error, queue.add_failed(key))
            except GrandstandError as error:
                self._turns[controller.name, "error"] += 1
                log.warning("%s %s: %s; again in %.3f s", controller.name, key, error, queue.add_failed(key))
            except Exception:
                self._turns[controller.name, "error"] += 1
                log.exception("%s %s failed; again in %.3f s", controller.name, key, queue.add_failed(key))
            else:
                self._turns[controller.name, "success"] += 1
                queue.succeeded(key)
                if delay is not None:
                    queue.add_after(key, delay)
            finally:
                queue.done(key)

    async def _turn(self, controller: Controller[K, W, S], key: K) -> float | None:
        looked = await controller.look(key, self._clock.now())
        if looked is None:
            return None
        wanted, seen = looked
        try:
            return await self._actor.perform(controller.reconcile(wanted, seen))
        except GrandstandError as error:
            if controller.failed is not None:
                await self._actor.perform(controller.failed(wanted, seen, error))
            raise


def _enqueue(
    queue: WorkQueue[K],
    concerned: Callable[[Object | None, Object | None], Iterable[K]],
    _key: Key,
    before: Object | None,
    after: Object | None,
) -> None:
    for key in concerned(before, after):
        queue.add(key)
