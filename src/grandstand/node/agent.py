"""Run the Pods that are assigned to this node: one worker each, taken up again after a restart of the engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from grandstand.engine import NODE_NAME
from grandstand.errors import GrandstandError
from grandstand.kinds import Key, Object, Resource, uid_of
from grandstand.kinds.resources import CONFIG_MAPS, PODS
from grandstand.reconcile.informer import Informer

from .context import PodContext
from .network import Sandbox
from .parts import Parts
from .pod_worker import PodWorker
from .records import PodRecord
from .removal import read_records, remove_everything
from .runtime import Adopted
from .sources import SourceCache, references
from .status_writer import StatusWriter
from .usage import Running
from .wake import cancelled

log = logging.getLogger(__name__)

RESTART_SECONDS = 5.0
"""A worker that failed, by a bug, takes its Pod up again after so long."""


class Agent:
    """`start` returns when all Pods have been taken up; `stop` leaves their containers running."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sources = SourceCache(parts.client)
        self._pods = Informer(parts.client, PODS, fields=f"spec.nodeName={NODE_NAME}", clock=parts.clock)
        self._statuses = StatusWriter(parts.client, parts.clock)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._adopted: dict[str, dict[str, Adopted]] = {}
        self._sandboxes: dict[str, Sandbox] = {}
        self._records: dict[str, PodRecord] = {}
        self._done: set[str] = set()
        """Pods that are over here and still in the API, held by finalizers."""

    async def start(self) -> None:
        """Network, runtime and API must be there already."""
        self._parts.pods_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for informer in (*self._sources.informers, self._pods):
            self._spawn(informer.run(), f"watching {informer.resource.plural}")
        self._spawn(self._parts.runtime.keep_logs_small(), "log rotation")
        for informer in (*self._sources.informers, self._pods):
            await informer.synced()
        await self._look_around()
        self._pods.subscribe(self._on_pod)
        self._sources.subscribe(self._on_source)
        await self._take_up_the_rest()

    async def stop(self) -> None:
        """Let go of everything; containers go on."""
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))
        await cancelled(*self._tasks)
        await self._statuses.stop()

    async def destroy(self) -> None:
        """End all containers, with their grace, and remove what they used."""
        await self.stop()
        await remove_everything(self._parts)

    def pod(self, key: Key) -> PodContext | None:
        """What is known of a Pod of this node."""
        obj = self._pods.get(key)
        worker = None if obj is None else self._workers.get(uid_of(obj))
        return None if worker is None else worker.context

    def running(self) -> list[Running]:
        """The containers of this node that run now."""
        return [
            Running(meta.namespace, meta.name, uid, container.name, id_, f"{self._parts.cgroup(uid)}/{id_}")
            for uid, worker in self._workers.items()
            for meta in [worker.context.pod.metadata]
            for container in worker.context.alive()
            for id_ in [worker.context.state(container.name).id]
        ]

    # What an earlier engine left.

    async def _look_around(self) -> None:
        for adopted in await asyncio.to_thread(self._parts.runtime.adopt):
            self._adopted.setdefault(adopted.pod_uid, {})[adopted.id] = adopted
        self._sandboxes = dict(self._parts.network.sandboxes())
        self._records = await asyncio.to_thread(read_records, self._parts.pods_directory)

    async def _take_up_the_rest(self) -> None:
        """End what belongs to no Pod any more."""
        for uid in sorted(self._records.keys() - self._workers.keys()):
            worker = self._employ(self._records[uid].pod)
            worker.gone()
        known = {state.id for record in self._records.values() for state in record.containers.values()}
        for uid, containers in self._adopted.items():
            for container_id in containers.keys() - known:
                self._spawn(self._remove_container(container_id), f"removing container {container_id}")
            if uid not in self._workers:
                self._sandboxes.setdefault(uid, Sandbox(uid, None, None, None, "", ""))
        for uid in self._sandboxes.keys() - self._workers.keys():
            self._spawn(self._remove_sandbox(uid), f"removing sandbox {uid}")
        for container_id in set(self._parts.rootfs.mounted()) - known - self._adopted_ids():
            self._spawn(self._parts.rootfs.unmount(container_id), f"unmounting {container_id}")

    def _adopted_ids(self) -> set[str]:
        return {container_id for containers in self._adopted.values() for container_id in containers}

    async def _remove_container(self, container_id: str) -> None:
        await self._parts.runtime.remove(container_id)
        await self._parts.rootfs.unmount(container_id)

    async def _remove_sandbox(self, uid: str) -> None:
        for container_id in self._adopted.get(uid, {}):
            await self._remove_container(container_id)
        await self._parts.network.remove(uid)
        await self._parts.cgroups.remove(self._parts.cgroup(uid))

    # What happens in the API.

    def _on_pod(self, key: Key, before: Object | None, after: Object | None) -> None:
        if before is not None and (after is None or uid_of(before) != uid_of(after)):
            self._done.discard(uid_of(before))
            if replaced := self._workers.get(uid_of(before)):
                replaced.gone()
        if after is not None and uid_of(after) not in self._done:
            worker = self._workers.get(uid_of(after))
            if worker is None:
                self._employ(after)
            else:
                worker.update(after)

    def _on_source(self, namespace: str, resource: Resource, name: str) -> None:
        for worker in self._workers.values():
            pod = worker.context.pod
            if pod.metadata.namespace == namespace and name in references(pod)[resource is not CONFIG_MAPS]:
                worker.sources_changed()

    # Workers.

    def _employ(self, obj: Object) -> PodWorker:
        uid = uid_of(obj)
        worker = PodWorker(self._context(obj, self._records.get(uid)), self._statuses)
        self._workers[uid] = worker
        self._spawn(self._work(worker), f"pod {worker.context.name}")
        return worker

    def _context(self, obj: Object, record: PodRecord | None) -> PodContext:
        context = PodContext(self._parts, self._sources, obj, record)
        if record is None and context.pod.finished:
            context.forget_containers()
        return context

    async def _work(self, worker: PodWorker) -> None:
        uid = worker.context.uid
        adopted, sandbox = self._adopted.pop(uid, {}), self._sandboxes.pop(uid, None)
        while True:
            try:
                await worker.run(adopted, sandbox)
                break
            except Exception:
                log.exception(
                    "pod %s: its worker failed, by a bug; again in %g s", worker.context.name, RESTART_SECONDS
                )
            await worker.stop()
            await self._parts.clock.sleep(RESTART_SECONDS)
            left = await asyncio.to_thread(self._parts.runtime.adopt)
            adopted = {container.id: container for container in left if container.pod_uid == uid}
            sandbox = self._parts.network.sandboxes().get(uid)
            gone = worker.context.gone
            worker = PodWorker(self._context(worker.context.object, worker.context.record), self._statuses)
            worker.context.gone = gone
            self._workers[uid] = worker
        del self._workers[uid]
        if not worker.context.gone:
            self._done.add(uid)

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        task = asyncio.create_task(_logged(work, what), name=what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        await work
    except (GrandstandError, OSError) as error:
        log.error("%s failed: %s", what, error)
