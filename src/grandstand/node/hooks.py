"""Run a lifecycle hook: a command, a request, or a pause."""

from __future__ import annotations

from grandstand.clock import Clock
from grandstand.kinds.pods import Handler

from .checks import Outcome, Target, check

UNBOUNDED_SECONDS = 24 * 3600.0
"""A postStart hook has no time limit of its own; the end of its container ends it."""


async def run_hook(handler: Handler, target: Target, clock: Clock, seconds: float | None) -> Outcome:
    """Run a hook to its end, for so many seconds at most. Never raises for what the container does."""
    if handler.sleep is not None:
        pause = float(handler.sleep.seconds)
        await clock.sleep(pause if seconds is None else min(pause, seconds))
        return Outcome(True)
    return await check(handler, target, UNBOUNDED_SECONDS if seconds is None else seconds)
