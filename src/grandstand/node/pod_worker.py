"""Bring one Pod to what its object says, for as long as it exists: one task per Pod."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from grandstand.client import DeleteOptions
from grandstand.errors import Conflict, GrandstandError, NotFound
from grandstand.kinds import Object
from grandstand.kinds.resources import PODS

from .context import PodContext
from .ending import deadline_of, end_containers, finish, give_back
from .lifecycle import Ending, failure_of, next_steps
from .network import Sandbox
from .preparing import full_volumes, prepare, refresh, refuse
from .records import Failure, Happening
from .resuming import resume
from .runtime import Adopted
from .starting import start_container
from .status_writer import StatusWriter
from .stopping import stop_container
from .wake import Deadline

QUIET_SECONDS = 0.15
"""The status `ContainerCreating` is only worth a write when a Pod does not run this soon."""
NEXT_QUIET_SECONDS = 2.0
"""And what changes of it, before the first container runs, when that takes long."""
RETRY_SECONDS = 1.0
USAGE_PERIOD_SECONDS = 10.0


class PodWorker:
    """`run` returns when the Pod is gone from this machine and from the API."""

    def __init__(self, context: PodContext, statuses: StatusWriter) -> None:
        self.context = context
        self._statuses = statuses
        self._deadline: Deadline | None = None
        context.on_change = self._publish

    # What happens to the object.

    def update(self, obj: Object) -> None:
        """The object has changed in the API."""
        context, before = self.context, self.context.object
        context.take(obj)
        self._hasten()
        if before["metadata"].get("labels") != obj["metadata"].get("labels") or before["metadata"].get(
            "annotations"
        ) != obj["metadata"].get("annotations"):
            context.spawn(refresh(context), "refreshing volumes")
        context.wake.ring()
        self._publish()

    def gone(self) -> None:
        """The object is no longer in the API: deleted by force, or by us."""
        self.context.gone = True
        self._hasten()
        self.context.wake.ring()

    def sources_changed(self) -> None:
        """A ConfigMap or Secret that the Pod refers to has changed."""
        self.context.retry_held()
        self.context.spawn(refresh(self.context), "refreshing volumes")

    def _hasten(self) -> None:
        """A second deletion may leave less time than the first."""
        if self._deadline is not None and (self.context.gone or self.context.pod.metadata.deletion_timestamp):
            self._deadline.no_later_than(deadline_of(self.context, Ending.DELETED))

    # What it does.

    async def run(self, adopted: Mapping[str, Adopted] | None = None, sandbox: Sandbox | None = None) -> None:
        """Live, end, clean up. `adopted` and `sandbox` are what an earlier engine left running."""
        context = self.context
        await resume(context, adopted or {}, sandbox)
        if not context.record.completed and not self._is_ending and not refuse(context):
            context.spawn(prepare(context), "preparing")
            self._watch_usage()
        ending = await self._live()
        while ending is not Ending.DELETED:
            await self._end(ending)
            ending = await self._live()
        await self._end(ending)
        await self._delete()

    async def stop(self) -> None:
        """Let go of the Pod without touching its containers."""
        await self.context.abandon()

    @property
    def _is_ending(self) -> bool:
        return self.context.gone or self.context.pod.metadata.deletion_timestamp is not None

    async def _live(self) -> Ending:
        """Start and stop containers until the Pod has to end."""
        context = self.context
        while True:
            now = context.parts.clock.now()
            failure = failure_of(context.pod, context.record, now)
            if failure is not None and context.record.failure is None and not context.record.completed:
                self._fail(failure)
            if context.gone:
                return Ending.DELETED
            steps = next_steps(context.pod, context.record, now)
            if steps.ending is not None:
                return steps.ending
            for name in steps.start:
                self._begin(name)
            for name in steps.stop:
                context.spawn(self._restart(name), f"stopping container {name}")
            self._publish()
            await context.wake.wait(steps.again_at)

    def _begin(self, name: str) -> None:
        context = self.context
        context.change(name, Happening.START)
        context.spawn_patient(start_container(context, name), f"preparing container {name}")

    async def _restart(self, name: str) -> None:
        """End a container that has to be started anew: a probe failed, or its postStart hook."""
        context, container = self.context, self.context.container(name)
        state = context.state(name)
        grace = context.pod.spec.termination_grace_period_seconds
        for probe in (container.liveness_probe, container.startup_probe):
            if probe is not None and probe.termination_grace_period_seconds is not None:
                grace = probe.termination_grace_period_seconds
        context.change(name, ready=False)
        deadline = Deadline(context.parts.clock, context.parts.clock.now() + grace)
        await stop_container(context, container, deadline, state.must_end or "")

    def _fail(self, failure: Failure) -> None:
        self.context.event("Warning", failure.reason, failure.message)
        self.context.remember(replace(self.context.record, failure=failure))

    async def _end(self, ending: Ending) -> None:
        context = self.context
        if context.record.ending_since is None or ending is Ending.DELETED:
            self._deadline = Deadline(context.parts.clock, deadline_of(context, ending))
        if context.record.ending_since is None:
            context.remember(replace(context.record, ending_since=context.parts.clock.now()))
        assert self._deadline is not None
        await end_containers(context, self._deadline)
        context.prepared.set()  # whoever still waits for it finds that the Pod ends
        if not context.record.completed:
            finish(context)
        self._publish()
        await give_back(context, everything=False)

    async def _delete(self) -> None:
        """Write the last status, remove what is left, and let the API forget the Pod."""
        context = self.context
        if not context.gone:
            await self._statuses.written(context.uid)
        self._statuses.forget(context.uid)
        await give_back(context, everything=True)
        while not context.gone:
            try:
                meta = context.pod.metadata
                options = DeleteOptions(grace_seconds=0, uid=context.uid)
                await context.parts.client.delete(PODS, meta.namespace, meta.name, options)
            except (NotFound, Conflict):
                return
            except (GrandstandError, OSError):
                await context.parts.clock.sleep(RETRY_SECONDS)
            else:
                return

    def _publish(self) -> None:
        if self.context.gone or self.context.silent:
            return
        known = self.context.record.containers.values()
        notable = self.context.record.failure or any(state.runs or state.waiting for state in known)
        quiet = NEXT_QUIET_SECONDS if self.context.pod.status.start_time else QUIET_SECONDS
        self._statuses.mark(self.context, 0.0 if notable else quiet)

    # emptyDir limits: measured, as on Kubernetes, since no file system here keeps quotas by directory.

    def _watch_usage(self) -> None:
        limited = [
            volume for volume in self.context.pod.spec.volumes if (volume.get("emptyDir") or {}).get("sizeLimit")
        ]
        if any(volume["emptyDir"].get("medium") != "Memory" for volume in limited):
            self.context.spawn_patient(self._evict_when_full(), "measuring volumes")

    async def _evict_when_full(self) -> None:
        while self.context.record.failure is None:
            await self.context.parts.clock.sleep(USAGE_PERIOD_SECONDS)
            message = await asyncio.to_thread(full_volumes, self.context)
            if message is not None and not self._is_ending:
                self._fail(Failure("Evicted", message))
