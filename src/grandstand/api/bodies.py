"""Read request bodies, up to the size that the API accepts."""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from grandstand.errors import BadRequest, TooLarge

MOST_BODY_BYTES = 3 * 2**20
"""As Kubernetes: twice what an object may have in etcd."""

BODY_SECONDS = 30.0
"""Requests in flight are limited: one whose body never ends must not hold its place for ever."""


async def read_body(request: web.BaseRequest) -> bytes:
    """Raises TooLarge, and BadRequest where the body ends before it should."""
    if request.content_length is not None and request.content_length > MOST_BODY_BYTES:
        raise TooLarge
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise BadRequest(f"the request body did not come within {BODY_SECONDS:g} s: send it at once") from None
    except web.HTTPRequestEntityTooLarge as error:
        raise TooLarge from error
    except (web.HTTPException, ValueError) as error:
        raise BadRequest(f"the request body cannot be read: {error}") from error


def make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """A request whose body may be as large as the API accepts, not as aiohttp does by default."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MOST_BODY_BYTES)
