"""End a whole Pod: out of the gateway, hooks, signals, grace; then give back what it used."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from grandstand.errors import GrandstandError
from grandstand.kinds import Container

from .context import PodContext
from .lifecycle import Ending
from .records import Happening, Step, is_sidecar
from .stopping import LEAST_SIGNAL_SECONDS, begin_stop, end_program, run_pre_stop
from .volumes import remove_directory
from .wake import Deadline, cancelled

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 60.0


def deadline_of(context: PodContext, ending: Ending) -> float:
    """When the containers of a Pod must have ended (wall clock); at least two seconds are theirs.

    Counted from when the node began to end it. A force-deleted Pod has nothing but the two seconds, as on Kubernetes.
    """
    now = context.parts.clock.now()
    meta, grace = context.pod.metadata, float(context.pod.spec.termination_grace_period_seconds)
    if ending is Ending.DELETED and meta.deletion_grace_period_seconds is not None:
        grace = float(meta.deletion_grace_period_seconds)
    if context.gone:
        grace = 0.0
    return max((context.record.ending_since or now) + grace, now + LEAST_SIGNAL_SECONDS)


async def end_containers(context: PodContext, deadline: Deadline) -> None:
    """Return when no container of the Pod runs, and none is being started."""
    await cancelled(*context.patient)
    context.sources_changed.ring()  # whoever prepares the Pod gives up
    if context.steady:
        await asyncio.wait(set(context.steady))
    alive = [container for container in context.alive() if begin_stop(context, container, _message(container))]
    if alive and not context.gone:
        await _drain(context, deadline)
    main = [container for container in alive if not _is_sidecar(context, container)]
    sidecars = [container for container in alive if _is_sidecar(context, container)]
    await asyncio.gather(*(run_pre_stop(context, container, deadline) for container in alive))
    await asyncio.gather(*(end_program(context, container, deadline) for container in main))
    for container in reversed(sidecars):
        await end_program(context, container, deadline)
    for name, state in context.record.containers.items():
        if state.step is Step.STARTING:
            context.change(name, Happening.ABANDONED)


def _message(container: Container) -> str:
    return f"Stopping container {container.name}"


def _is_sidecar(context: PodContext, container: Container) -> bool:
    return is_sidecar(container) and container in context.pod.spec.init_containers


async def _drained(context: PodContext, seconds: float) -> None:
    await context.parts.drain(context.pod, seconds)


async def _drain(context: PodContext, deadline: Deadline) -> None:
    """Let the gateway finish with the Pod. Whatever goes wrong there, the Pod ends."""
    seconds = deadline.remaining - LEAST_SIGNAL_SECONDS
    if seconds <= 0:
        return
    try:
        await deadline.before(_drained(context, seconds), keep_seconds=LEAST_SIGNAL_SECONDS)
    except GrandstandError as error:
        context.event("Warning", "FailedDrain", f"the gateway could not be drained: {error}")


async def give_back(context: PodContext, *, everything: bool) -> None:
    """Remove containers, roots, sandbox and cgroup of a Pod that has ended; `everything`: volumes and logs too.

    Tried again until it works: an address or a mount must not be forgotten.
    """
    await context.settled()
    pause = FIRST_RETRY_SECONDS
    while True:
        try:
            return await _give_back(context, everything)
        except (GrandstandError, OSError) as error:
            context.event("Warning", "FailedCleanup", f"not all of the pod could be removed yet: {error}")
        await context.parts.clock.sleep(pause)
        pause = min(pause * 2, LAST_RETRY_SECONDS)


async def _give_back(context: PodContext, everything: bool) -> None:
    for state in context.record.containers.values():
        if state.id:
            await context.parts.runtime.remove(state.id)
            await context.parts.rootfs.unmount(state.id)
    await context.parts.network.remove(context.uid)
    await context.parts.cgroups.remove(context.parts.cgroup(context.uid))
    if everything:
        await asyncio.to_thread(remove_directory, context.directory)


def finish(context: PodContext) -> None:
    """Record that nothing of the Pod runs or will run."""
    context.remember(replace(context.record, completed=True, sandboxed=False))
