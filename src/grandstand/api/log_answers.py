"""Send a log as it is read: what is wrong at first becomes a status, what comes later goes out at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from aiohttp import web

FIRST_PIECE_SECONDS = 0.5
"""A followed log of a silent container must show that it is open: so long it waits for an error before it begins."""


async def send_log(request: web.BaseRequest, pieces: AsyncIterator[bytes], *, follow: bool) -> web.StreamResponse:
    """Answer with a log. Raises what reading it raises, until the answer has begun."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache"})
    first = asyncio.ensure_future(anext(pieces, None))
    try:
        await asyncio.wait((first,), timeout=FIRST_PIECE_SECONDS if follow else None)
        if first.done():
            first.result()
        with suppress(ConnectionError):
            await response.prepare(request)
            await _send(response, await first, pieces)
    finally:
        if not first.done():
            first.cancel()
            await asyncio.wait((first,))
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    return response


async def _send(response: web.StreamResponse, first: bytes | None, pieces: AsyncIterator[bytes]) -> None:
    if first is not None:
        await response.write(first)
        async for piece in pieces:
            await response.write(piece)
    await response.write_eof()
