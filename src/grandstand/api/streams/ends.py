"""End tasks for good: a client that goes away cancels its handler, also while that is tidying up."""

from __future__ import annotations

import asyncio
from typing import Any


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks, and return when they have let go of what they held, however often the caller is cancelled."""
    for task in tasks:
        task.cancel()
    interrupted = False
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError:
            interrupted = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # whoever waited for it has seen it
    if interrupted:
        raise asyncio.CancelledError
