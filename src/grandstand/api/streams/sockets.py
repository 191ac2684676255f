"""A client's WebSocket: opened with a protocol that both know, kept alive while a container takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

from aiohttp import WSMsgType, web

from grandstand.errors import BadRequest

from .ends import end

PONG_SECONDS = 10.0
"""kubectl gives up a connection that is silent for a minute; its pings are read only when what came before is taken."""

LONGEST_MESSAGE = 4 * 2**20

CLOSE_SECONDS = 5.0
"""How long a client may take to answer the end of a connection."""


def wants_websocket(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


class ClientSocket:
    """Messages from and to a client. Sending waits until the client takes what was sent before."""

    def __init__(self, response: web.WebSocketResponse) -> None:
        self.response = response

    @classmethod
    async def open(cls, request: web.BaseRequest, protocol: str) -> ClientSocket:
        """Raises BadRequest for what is no WebSocket."""
        response = web.WebSocketResponse(
            protocols=(protocol,), compress=False, max_msg_size=LONGEST_MESSAGE, timeout=CLOSE_SECONDS
        )
        if not response.can_prepare(request).ok:
            raise BadRequest("the upgrade to a WebSocket is malformed")
        await response.prepare(request)
        return cls(response)

    async def send(self, message: bytes | str) -> None:
        """Raises ConnectionError."""
        if isinstance(message, str):
            await self.response.send_str(message)
        else:
            await self.response.send_bytes(message)

    async def messages(self) -> AsyncIterator[bytes | str]:
        """What the client sends, until it goes away."""
        while True:
            message = await self.response.receive()
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            yield message.data

    async def patiently(self, work: Awaitable[None]) -> None:
        """Wait for something that may take long, and show the client that we are there."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait((task,), timeout=PONG_SECONDS))[0]:
                await self.response.pong()
            task.result()
        finally:
            await end(task)

    async def close(self) -> None:
        await self.response.close()
