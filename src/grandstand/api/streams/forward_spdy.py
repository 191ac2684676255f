"""`port-forward` over SPDY: for each connection a stream for its data, and one for what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from .ends import end
from .forwarding import Forwarding
from .links import Link
from .sessions import Connection
from .spdy import DataReceived, Event, GoneAway, Pinged, ResetReason, SpdyConnection, SpdyViolation, StreamOpened
from .spdy import StreamReset as Reset

Connect = Callable[[int], Awaitable[Connection]]


async def forward_spdy(link: Link, connect: Connect) -> None:
    """Forward connections for as long as the client is there."""
    with suppress(ConnectionError):
        await _Forwards(link, connect).run()
    with suppress(ConnectionError):
        await link.close()


class _Forwards:
    def __init__(self, link: Link, connect: Connect) -> None:
        self._link = link
        self._connect = connect
        self._spdy = SpdyConnection()
        self._errors: dict[str, int] = {}
        """Error streams whose data stream has not come yet, by the number of their request."""
        self._forwards: dict[int, tuple[Forwarding, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        try:
            async for data in self._link.messages():
                for event in self._spdy.receive(data):
                    await self._on(event)
        except SpdyViolation:
            await self._link.send(self._spdy.go_away())
        finally:
            await end(*(task for _, task in self._forwards.values()))

    async def _on(self, event: Event) -> None:
        match event:
            case StreamOpened(stream, headers):
                await self._open(stream, headers)
            case DataReceived(stream, data, last) if stream in self._forwards:
                forwarding, _ = self._forwards[stream]
                if data:
                    await self._link.patiently(forwarding.take(data))
                if last:
                    await forwarding.end()
            case Reset(stream) if stream in self._forwards:
                self._forwards[stream][1].cancel()
            case Pinged(answer):
                await self._link.send(answer)
            case GoneAway():
                return

    async def _open(self, stream: int, headers: Mapping[str, str]) -> None:
        port, request = headers.get("port", ""), headers.get("requestid", "")
        kind = headers.get("streamtype", "")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536) or kind not in ("error", "data"):
            await self._link.send(self._spdy.reset(stream, ResetReason.REFUSED_STREAM))
            return
        await self._link.send(self._spdy.accept(stream))
        # Clients of before 1.6 send no number of a request: the data stream follows its error stream directly.
        request = request or (str(stream) if kind == "error" else str(stream - 2))
        if kind == "error":
            self._errors[request] = stream
        elif (errors := self._errors.pop(request, None)) is None:
            await self._link.send(self._spdy.reset(stream, ResetReason.PROTOCOL_ERROR))
        else:
            forwarding = Forwarding(lambda: self._connect(int(port)), lambda data: self._send(stream, data))
            task = asyncio.create_task(self._forward(forwarding, stream, errors))
            self._forwards[stream] = (forwarding, task)
            task.add_done_callback(lambda _: self._forwards.pop(stream, None))

    async def _send(self, stream: int, data: bytes) -> None:
        await self._link.send(self._spdy.send(stream, data))

    async def _forward(self, forwarding: Forwarding, stream: int, errors: int) -> None:
        said = ""
        try:
            with suppress(ConnectionError):
                said = await forwarding.run()
        finally:
            # A client waits for the end of the error stream before it lets go of a connection.
            with suppress(ConnectionError):
                await self._link.send(self._spdy.send(errors, said.encode(), end=True))
                await self._link.send(self._spdy.send(stream, b"", end=True))
