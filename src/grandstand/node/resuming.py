"""Take a Pod up again where an earlier engine left it: its containers run on."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace

from grandstand.kinds import Container

from .context import PodContext
from .exits import lost
from .network import Sandbox
from .records import Happening, PodRecord, Step, all_containers
from .runtime import Adopted
from .starting import discard, observe


async def resume(context: PodContext, adopted: Mapping[str, Adopted], sandbox: Sandbox | None) -> None:
    """`adopted` are the containers by id, `sandbox` the Pod's, as they were found on the machine."""
    context.sandbox = sandbox
    if sandbox is None and context.record.sandboxed:
        context.record = replace(context.record, sandboxed=False)
    context.record = settled(context.record)
    for container in all_containers(context.pod):
        state = context.state(container.name)
        found = adopted.get(state.id) if state.id else None
        match state.step:
            case Step.STARTING:
                await _resume_start(context, container, found)
            case Step.RUNNING if found is not None:
                observe(context, container)
                if sandbox is None and not context.pod.spec.host_network:
                    # Its network is gone for good: it has to be started in a new one.
                    await context.parts.runtime.kill(state.id, signal.SIGKILL)
            case Step.RUNNING:
                lost(context, container, "The container could not be located after a restart of the machine")


def settled(record: PodRecord) -> PodRecord:
    """The record with nothing under way: what was being stopped runs, and is stopped anew where that is still due."""
    containers = {
        name: replace(state, step=Step.RUNNING) if state.step is Step.STOPPING else state
        for name, state in record.containers.items()
    }
    return replace(record, containers=containers)


async def _resume_start(context: PodContext, container: Container, found: Adopted | None) -> None:
    """The engine ended between creating a container and writing down that it runs."""
    name, state = container.name, context.state(container.name)
    if found is None or found.started_at is None:
        if state.id:
            await discard(context, state.id)
        context.change(name, Happening.ABANDONED)
        return
    context.change(
        name,
        Happening.STARTED,
        started_at=found.started_at,
        runs=state.runs + 1,
        restarts=state.restarts + (state.ended is not None),
        waiting=None,
        hook_over=False,
        started=False,
        ready=False,
    )
    observe(context, container)
