"""Carry a session between a client and a container, whatever the protocol: output, end, exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from grandstand.errors import GrandstandError

from .channels import exit_status, failure_status
from .ends import end
from .sessions import Session

Send = Callable[[int, bytes], Awaitable[None]]
"""Sends a piece of standard output (1) or error (2), and returns when there is room for another."""


async def carry(session: Session, send: Send, receive: Callable[[Session], Awaitable[None]]) -> dict[str, Any] | None:
    """The `Status` with which a session ended; None when the client went away first.

    `receive` passes on what the client sends, and returns when there is no client any more. Raises ConnectionError.
    """
    receiving = asyncio.ensure_future(receive(session))
    sending = asyncio.ensure_future(_outcome(session, send))
    try:
        await asyncio.wait((receiving, sending), return_when=asyncio.FIRST_COMPLETED)
        return sending.result() if sending.done() else receiving.result()
    finally:
        await end(receiving, sending)


async def _outcome(session: Session, send: Send) -> dict[str, Any]:
    try:
        while (piece := await session.read()) is not None:
            await send(*piece)
        return exit_status(await session.code())
    except GrandstandError as error:
        return failure_status(error)
