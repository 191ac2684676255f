"""Take in the end of a run of a container."""

from __future__ import annotations

import asyncio

from grandstand.errors import GrandstandError
from grandstand.kinds import Container

from .back_off import retry_at
from .context import PodContext
from .lifecycle import restarts
from .log_paths import log_path, termination_path
from .records import Ended, Happening, all_containers
from .runtime import ContainerExit
from .termination_message import limit_for, termination_message

LOST_CODE = 137
"""What Kubernetes shows as the exit code of a container of which nothing is known any more."""


async def watch_exit(context: PodContext, container: Container, container_id: str) -> None:
    """Wait for the end of one run, and record it. What it leaves is removed in the background."""
    try:
        end = await context.parts.runtime.wait(container_id)
    except GrandstandError as error:
        lost(context, container, f"The container could not be located: {error}")
    else:
        ended(context, container, container_id, end)
    context.spawn_steady(_remove(context, container_id), f"removing container {container_id}")


async def _remove(context: PodContext, container_id: str) -> None:
    try:
        await context.parts.runtime.remove(container_id)
        await context.parts.rootfs.unmount(container_id)
    except GrandstandError as error:
        context.event("Warning", "FailedCleanup", f"container {container_id} could not be removed yet: {error}")


def ended(context: PodContext, container: Container, container_id: str, end: ContainerExit) -> None:
    """Record how a run ended: in Kubernetes' words, with the program's own message."""
    state = context.state(container.name)
    message = termination_message(
        termination_path(context.directory, container.name, state.runs),
        log_path(context.directory, container.name, state.runs),
        container.termination_message_policy,
        failed=end.code != 0,
        limit=limit_for(len(all_containers(context.pod))),
    )
    reason = "OOMKilled" if end.oom_killed else "Completed" if end.code == 0 else "Error"
    _record(
        context,
        container,
        Ended(container_id, end.code, reason, end.finished_at, state.started_at, end.signal, message),
    )


def lost(context: PodContext, container: Container, message: str) -> None:
    """Record the end of a run of which nothing is known, e.g. after the machine was restarted."""
    state, now = context.state(container.name), context.parts.clock.now()
    end = Ended(state.id, LOST_CODE, "ContainerStatusUnknown", now, state.started_at, None, message)
    _record(context, container, end)


def _record(context: PodContext, container: Container, end: Ended) -> None:
    name = container.name
    if prober := context.probers.pop(name, None):
        prober.stop()
    state = context.change(
        name,
        Happening.EXIT,
        ended=end,
        ended_before=context.state(name).ended,
        ready=False,
        started=False,
        hook_over=False,
        must_end=None,
    )
    context.exits.setdefault(name, asyncio.Event()).set()
    held = retry_at(state.back_off, end.finished_at) > context.parts.clock.now()
    if held and context.record.ending_since is None and restarts(context.pod, container, state):
        message = f"Back-off restarting failed container {name} in pod {context.name}"
        context.event("Warning", "BackOff", message, container)
