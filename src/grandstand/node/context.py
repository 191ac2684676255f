"""One Pod as its worker holds it: the newest object, what is known of its containers, and the bells to ring."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import msgspec

from grandstand.errors import GrandstandError
from grandstand.kinds import Container, Object, Pod, uid_of, view

from .checks import Exec
from .fields import Place
from .network import Sandbox
from .parts import Parts
from .prober import Prober
from .records import ContainerRecord, Happening, PodRecord, Step, Waiting, all_containers, encode
from .sources import SourceCache
from .status import Addresses, pod_status
from .volumes import PodVolumes, Source
from .wake import Wake, cancelled

log = logging.getLogger(__name__)

STATE_FILE = "state.json"


class PodContext:
    """Changed only on the event loop, by the Pod's own worker and the tasks that it started."""

    def __init__(self, parts: Parts, sources: SourceCache, obj: Object, record: PodRecord | None = None) -> None:
        self.parts = parts
        self.sources = sources
        self.object = obj
        self.pod: Pod = view(Pod, obj)
        self.uid = uid_of(obj)
        self.directory = parts.directory(self.uid)
        self.record = record or PodRecord(self.uid, obj, parts.clock.now())
        self.sandbox: Sandbox | None = None
        self.volumes = PodVolumes(self.directory)
        self.volume_sources: dict[str, Source] = {}
        self.wake = Wake(parts.clock)
        self.sources_changed = Wake(parts.clock)
        self.prepared = asyncio.Event()
        self.gone = False
        self.refused = False
        self.silent = False
        """The API knows more of the Pod than this node: its status is left alone."""
        self.probers: dict[str, Prober] = {}
        self.exits: dict[str, asyncio.Event] = {}
        self.patient: set[asyncio.Task[None]] = set()
        """Tasks that may be cancelled at any moment: they wait, or only look."""
        self.steady: set[asyncio.Task[None]] = set()
        """Tasks that make or remove containers, and must not be interrupted."""
        self.on_change: Callable[[], None] = lambda: None
        self._tasks: set[asyncio.Task[None]] = set()

    # What is known.

    @property
    def name(self) -> str:
        """As events and messages write it."""
        return f"{self.pod.metadata.name}_{self.pod.metadata.namespace}({self.uid})"

    @property
    def place(self) -> Place:
        capacity = self.parts.capacity
        address = self.sandbox.address if self.sandbox else ""
        host = str(self.parts.engine.bridge_address)
        return Place(self.pod.spec.node_name, host, address, capacity.memory_bytes, capacity.cpu_millicores)

    def container(self, name: str) -> Container:
        return next(container for container in all_containers(self.pod) if container.name == name)

    def state(self, name: str) -> ContainerRecord:
        return self.record.container(name)

    def alive(self) -> list[Container]:
        """The containers that run, in the order in which they were started."""
        return [container for container in all_containers(self.pod) if self.state(container.name).alive]

    def status(self) -> Object:
        """The status to be shown now. The API's own newest one says what others wrote, and since when things hold."""
        addresses = Addresses(str(self.parts.engine.bridge_address), self.sandbox.address if self.sandbox else "")
        now = self.parts.clock.now()
        return pod_status(self.pod, self.record, addresses, self.object.get("status") or {}, now)

    # What changes.

    def take(self, obj: Object) -> None:
        """Take in a newer version of the object (from the watch, or as the answer to a write)."""
        if int(obj["metadata"].get("resourceVersion") or 0) < int(self.object["metadata"].get("resourceVersion") or 0):
            return
        self.object = obj
        self.pod = view(Pod, obj)

    def change(self, name: str, happening: Happening | None = None, /, **fields: Any) -> ContainerRecord:
        """Record something about a container, keep it for a restart, and let everybody who cares know."""
        state = self.state(name)
        if happening is not None:
            state = state.moved(happening)
        state = replace(state, **fields)
        self.remember(self.record.with_container(name, state))
        return state

    def remember(self, record: PodRecord) -> None:
        if record != self.record:
            self.record = record
            self.save()
            self.wake.ring()
            self.on_change()

    def save(self) -> None:
        """Write the record where a later engine finds it. It need not survive a power cut: no container does."""
        try:
            self._write_record()
        except FileNotFoundError:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write_record()

    def _write_record(self) -> None:
        # On the event loop, some seven times while a Pod starts: as few calls of the kernel as it takes.
        file = self.directory / STATE_FILE
        part = file.with_suffix(".new")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb", buffering=0) as whole:  # noqa: PTH123  (a descriptor, not a path)
            whole.write(encode(replace(self.record, pod=self.object)))
        part.replace(file)

    def hold(self, name: str, reason: str, message: str, retry_at: float | None) -> None:
        """A container cannot be started: say why, and when it is tried again (None: when something changes)."""
        now = self.parts.clock.now()
        waiting = Waiting(reason, message, now, retry_at)
        if self.state(name).step is Step.STARTING:
            self.change(name, Happening.REFUSED, waiting=waiting)
        else:
            self.change(name, waiting=waiting)

    def retry_held(self) -> None:
        """Try containers again that wait for a ConfigMap, Secret or key."""
        self.sources_changed.ring()
        if self.refused:
            return
        for name, state in self.record.containers.items():
            if state.step is Step.WAITING and state.waiting is not None and state.waiting.retry_at is None:
                self.change(name, waiting=replace(state.waiting, retry_at=0.0))

    # Whom to tell.

    def event(self, type_: str, reason: str, message: str, container: Container | None = None) -> None:
        self.parts.events.record(self.object, type_, reason, message, self._field_path(container))

    def _field_path(self, container: Container | None) -> str:
        if container is None:
            return ""
        initial = any(init.name == container.name for init in self.pod.spec.init_containers)
        return f"spec.{'initContainers' if initial else 'containers'}{{{container.name}}}"

    # What is under way.

    def spawn(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        """Run something beside the worker; its failure is logged, and seen by nobody else."""
        task = asyncio.create_task(self._guarded(work, what), name=f"{what} of {self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before its first step, it would never be awaited
        return task

    def spawn_patient(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Run something that the end of the Pod may interrupt."""
        task = self.spawn(work, what)
        self.patient.add(task)
        task.add_done_callback(self.patient.discard)

    def spawn_steady(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Run something to its end, whatever happens."""
        task = self.spawn(work, what)
        self.steady.add(task)
        task.add_done_callback(self.steady.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await work
        except (GrandstandError, OSError, msgspec.MsgspecError) as error:
            log.error("%s of pod %s failed: %s", what, self.name, error)
        except Exception:
            log.exception("%s of pod %s failed: this is a bug in Grandstand", what, self.name)

    async def settled(self) -> None:
        """Return when nothing is under way any more."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def abandon(self) -> None:
        """Stop everything that is under way, and leave the containers alone."""
        for prober in self.probers.values():
            prober.stop()
        await cancelled(*self.patient)
        if self.steady:
            await asyncio.wait(set(self.steady))
        await cancelled(*self._tasks)

    def exec_in(self, name: str) -> Exec:
        """How to run a command in the container's newest run."""

        async def run(args: tuple[str, ...], seconds: float) -> tuple[int, bytes]:
            result = await self.parts.runtime.exec(self.state(name).id, args, seconds)
            return result.code, result.output

        return run

    def forget_containers(self) -> None:
        """The Pod has ended, and nothing is known of its containers: nothing is to be started or reported."""
        self.record = replace(self.record, completed=True)
        self.silent = True
