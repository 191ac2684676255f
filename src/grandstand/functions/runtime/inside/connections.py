"""One connection from HAProxy or the engine: requests in, answers out, no faster than the other end reads."""

from __future__ import annotations

import socket

from .http1 import CONTINUE, Request, RequestReader

READ_BYTES = 262_144
MOST_PENDING_BYTES = 1_048_576
"""What may wait to be read by a slow client before the handler's stream is held up."""


class Connection:
    """`request` is what has come and is not answered; what follows it stays in the socket."""

    __slots__ = ("_reader", "closing", "is_open", "pending", "request", "socket")

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        self.socket = accepted
        self.request: Request | None = None
        self.pending = bytearray()
        self.closing = False
        self.is_open = True
        self._reader = RequestReader()

    def read(self) -> Request | None:
        """A request that is whole now; None also when the other end has gone. Raises Refused."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.is_open = False
            return None
        return self._fed(data)

    def next_request(self) -> Request | None:
        """One that came together with the one before. Raises Refused."""
        return self._fed(b"")

    def _fed(self, data: bytes) -> Request | None:
        self.request = self._reader.feed(data)
        if self._reader.expects and self.request is None:
            self._reader.expects = False
            self.send(CONTINUE)
        return self.request

    def send(self, data: bytes) -> None:
        """Now as much as goes, the rest when there is room."""
        if not self.pending:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.is_open = False
                return
            data = data[sent:]
        self.pending += data

    def flush(self) -> None:
        try:
            del self.pending[: self.socket.send(self.pending)]
        except BlockingIOError:
            return
        except OSError:
            self.is_open = False
