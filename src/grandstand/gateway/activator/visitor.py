"""One connection from HAProxy: a request that waits, and what is piped once it may go on."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

from .wire import HEAD_END, Introduction, Malformed, introduction

MOST_HELD_BYTES = 64 * 1024
"""Read ahead of a request that waits; the rest stays in HAProxy and with the client."""
CREDENTIALS = struct.Struct("3i")


class Pipe(asyncio.Protocol):
    """One end of a relay: what comes in goes to the other end, no faster than that takes it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Pipe | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        if self.other is None or self.other.transport is None or self.other.transport.is_closing():
            return False
        self.other.transport.write_eof()
        return True  # the other direction may go on

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close() if error is None else self.other.transport.abort()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


class Visitor(Pipe):
    """A connection from HAProxy until its request is answered; `arrived` is called with the whole head of a request."""

    def __init__(self, arrived: Callable[[Visitor], None], left: Callable[[Visitor], None]) -> None:
        super().__init__()
        self._arrived = arrived
        self._left = left
        self.held = bytearray()
        self.introduction: Introduction | None = None
        self.arrived_at: float | None = None
        """On the monotonic clock; None until the head is whole."""
        self.worker = 0
        """The process of HAProxy that it comes from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer: socket.socket = transport.get_extra_info("socket")
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        self.worker = CREDENTIALS.unpack(credentials)[0]

    @property
    def head(self) -> bytes:
        """Of the request, without the empty line that ends it."""
        return bytes(self.held[: self.held.index(HEAD_END)])

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            super().data_received(data)
            return
        self.held += data
        if len(self.held) > MOST_HELD_BYTES and self.transport is not None:
            self.transport.pause_reading()
        try:
            self._read()
        except Malformed:
            self.answer(b"")

    def _read(self) -> None:
        if self.introduction is None:
            self.introduction = introduction(bytes(self.held))
            if self.introduction is None:
                return
            del self.held[: self.introduction.size]
        if self.arrived_at is None and HEAD_END in self.held:
            self.arrived_at = asyncio.get_running_loop().time()
            self._arrived(self)
        elif self.arrived_at is None and len(self.held) > MOST_HELD_BYTES:
            raise Malformed("the head of the request does not end")

    def eof_received(self) -> bool:
        if self.other is not None:
            return super().eof_received()
        return False  # nobody waits for the answer any more

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._left(self)

    def answer(self, data: bytes) -> None:
        """Answer all of it, and close."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)
            self.transport.close()

    def relay(self, way: Pipe) -> None:
        """Send what was held the other way, and pipe from then on."""
        if self.introduction is None or self.transport is None or way.transport is None:
            return
        if self.transport.is_closing():
            way.transport.abort()
            return
        self.other, way.other = way, self
        way.transport.write(self.introduction.onwards() + bytes(self.held))
        self.held.clear()
        self.transport.resume_reading()
