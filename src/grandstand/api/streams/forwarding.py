"""One forwarded connection: bytes between a client's stream and a port of a Pod."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from grandstand.errors import GrandstandError

from .ends import end
from .sessions import Connection

WAITING_BYTES = 256 * 1024
"""What a client has sent and its Pod has not taken; beyond that the client waits, with all its connections."""


class Forwarding:
    """`take` and `end` come from the client; `run` does the rest, and returns when all is over."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], send: Callable[[bytes], Awaitable[None]]) -> None:
        self._connect = connect
        self._send = send
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._over = False
        self._changed = asyncio.Condition()

    async def take(self, data: bytes) -> None:
        """Return when there is room for more."""
        async with self._changed:
            self._waiting.append(data)
            self._size += len(data)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._size < WAITING_BYTES or self._over)

    async def end(self) -> None:
        """The client sends no more."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def run(self) -> str:
        """Why there is no connection, or nothing when there was one."""
        try:
            connection = await self._connect()
        except GrandstandError as error:
            return error.message
        writing = asyncio.ensure_future(self._write(connection))
        try:
            while data := await connection.read():
                await self._send(data)
            return ""
        finally:
            try:
                await end(writing)
            finally:
                connection.close()
                await self._finish()

    async def _write(self, connection: Connection) -> None:
        while (data := await self._next()) is not None:
            if not await connection.write(data):
                await self._finish()
                return
        connection.end_input()

    async def _next(self) -> bytes | None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting or self._ended)
            if not self._waiting:
                return None
            data = self._waiting.popleft()
            self._size -= len(data)
            self._changed.notify_all()
            return data

    async def _finish(self) -> None:
        """Nobody takes anything any more: nobody is to wait for room."""
        async with self._changed:
            self._over = True
            self._waiting.clear()
            self._size = 0
            self._changed.notify_all()
