"""How the bytes of a SPDY connection travel: in the messages of a WebSocket, or after an upgrade of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Protocol, cast

from aiohttp import web
from aiohttp.http_websocket import WebSocketReader

from grandstand.errors import BadRequest

from .sockets import ClientSocket

WAITING_BYTES = 64 * 1024
"""What a client sends beyond that stays in the kernel until it is taken."""

PROTOCOL_HEADER = "X-Stream-Protocol-Version"


class Link(Protocol):
    """Bytes in both directions, in order."""

    async def send(self, data: bytes) -> None:
        """Return when there is room for more. Raises ConnectionError."""

    def messages(self) -> AsyncIterator[bytes]:
        """What the client sends, in pieces of any size, until it goes away."""

    async def patiently(self, work: Awaitable[None]) -> None:
        """Wait for something that may take long, without the client giving up."""

    async def close(self) -> None: ...


class SocketLink:
    """Each WebSocket message carries a piece of the SPDY connection."""

    def __init__(self, socket: ClientSocket) -> None:
        self._socket = socket
        self.response: web.StreamResponse = socket.response

    async def send(self, data: bytes) -> None:
        if data:
            await self._socket.send(data)

    async def messages(self) -> AsyncIterator[bytes]:
        async for message in self._socket.messages():
            yield message.encode() if isinstance(message, str) else message

    async def patiently(self, work: Awaitable[None]) -> None:
        await self._socket.patiently(work)

    async def close(self) -> None:
        await self._socket.close()


class UpgradedLink:
    """The connection of a request whose protocol has been changed to SPDY/3.1."""

    def __init__(self, response: web.StreamResponse, reader: _Feeder) -> None:
        self.response = response
        self._reader = reader

    @classmethod
    async def open(cls, request: web.BaseRequest, served: tuple[str, ...]) -> UpgradedLink:
        """Raises BadRequest for a client that speaks no protocol of ours."""
        offered = [name.strip() for text in request.headers.getall(PROTOCOL_HEADER, ()) for name in text.split(",")]
        protocol = next((name for name in offered if name in served), None)
        if protocol is None:
            raise BadRequest(f"no protocol in common: the client offers {offered}, and served are {list(served)}")
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", PROTOCOL_HEADER: protocol}
        response = web.StreamResponse(status=101, headers=headers)
        response.force_close()
        if request.transport is None:
            raise ConnectionResetError("the client is gone")
        reader = _Feeder(request.transport)
        # The client sends nothing before our answer: what comes from now on is not HTTP.
        request.protocol.set_parser(cast(WebSocketReader, reader))
        request.protocol.keep_alive(False)
        await response.prepare(request)
        return cls(response, reader)

    async def send(self, data: bytes) -> None:
        if data:
            await self.response.write(data)

    async def messages(self) -> AsyncIterator[bytes]:
        while data := await self._reader.take():
            yield data

    async def patiently(self, work: Awaitable[None]) -> None:
        await work

    async def close(self) -> None:
        await self.response.write_eof()


class _Feeder:
    """What aiohttp calls with bytes that are no HTTP any more, and where they wait to be taken.

    aiohttp's own StreamReader pauses its HTTP parser, which fails when there is no HTTP message to pause.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._waiting = bytearray()
        self._ended = False
        self._changed = asyncio.Event()

    async def take(self) -> bytes:
        """What has come, or nothing at the end."""
        while not self._waiting and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        if not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()
        return data

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._waiting += data
        self._changed.set()
        if len(self._waiting) >= WAITING_BYTES and self._transport.is_reading():
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._ended = True
        self._changed.set()

    def set_exception(self, error: BaseException) -> None:
        self.feed_eof()
