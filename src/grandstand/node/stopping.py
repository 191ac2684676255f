"""End a container that runs: preStop hook, stop signal, grace, SIGKILL."""

from __future__ import annotations

import signal

from grandstand.errors import GrandstandError
from grandstand.kinds import Container

from .checks import Target
from .context import PodContext
from .hooks import run_hook
from .probes import Kind
from .records import Happening
from .wake import Deadline

LEAST_SIGNAL_SECONDS = 2.0
"""Left for the program after its stop signal, however long drain and hooks took."""


async def stop_container(context: PodContext, container: Container, deadline: Deadline, message: str) -> None:
    """Return when the container has ended. Nothing happens to one that does not run."""
    if not begin_stop(context, container, message):
        return
    await run_pre_stop(context, container, deadline)
    await end_program(context, container, deadline)


def begin_stop(context: PodContext, container: Container, message: str) -> bool:
    """From here on nobody restarts it, and only its readiness is probed. False: it does not run."""
    state = context.state(container.name)
    if not state.alive:
        return False
    context.event("Normal", "Killing", message, container)
    if prober := context.probers.get(container.name):
        prober.stop(Kind.LIVENESS, Kind.STARTUP)
    if not state.busy:
        context.change(container.name, Happening.STOP)
    return True


async def run_pre_stop(context: PodContext, container: Container, deadline: Deadline) -> None:
    handler, name = container.lifecycle.pre_stop, container.name
    if handler is None or not context.state(name).alive:
        return
    address = context.sandbox.address if context.sandbox else ""
    target = Target(container, address, context.exec_in(name))
    seconds = deadline.remaining - LEAST_SIGNAL_SECONDS
    hook = run_hook(handler, target, context.parts.clock, max(0.0, seconds))
    outcome = await deadline.before(hook, keep_seconds=LEAST_SIGNAL_SECONDS)
    if outcome is None or not outcome.success:
        why = outcome.message if outcome else "it did not end within the grace period"
        context.event("Warning", "FailedPreStopHook", f"PreStopHook failed: {why}", container)


async def end_program(context: PodContext, container: Container, deadline: Deadline) -> None:
    """Stop signal, what is left of the grace, SIGKILL."""
    name = container.name
    state = context.state(name)
    if not state.alive:
        return
    if prober := context.probers.pop(name, None):
        prober.stop()
    context.change(name, ready=False)
    gone = context.exits[name]
    await _signal(context, container, state.id, state.stop_signal)
    await deadline.before(gone.wait())
    if not gone.is_set():
        await _signal(context, container, state.id, signal.SIGKILL)
        await gone.wait()


async def _signal(context: PodContext, container: Container, container_id: str, number: int) -> None:
    try:
        await context.parts.runtime.kill(container_id, number)
    except GrandstandError as error:
        context.event("Warning", "FailedKillPod", f"error killing container {container.name}: {error}", container)
