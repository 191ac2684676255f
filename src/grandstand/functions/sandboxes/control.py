"""The engine's end of a supervisor's control socket: JSON messages, one a packet."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

_LONGEST_MESSAGE = 262_144


class Control:
    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel

    async def send(self, message: dict[str, Any]) -> None:
        """Raises ConnectionError when the supervisor has gone."""
        await asyncio.get_running_loop().sock_sendall(self._channel, json.dumps(message).encode())

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the supervisor has gone. One reader at a time."""
        try:
            packet = await asyncio.get_running_loop().sock_recv(self._channel, _LONGEST_MESSAGE)
        except ConnectionError:
            return None
        return json.loads(packet) if packet else None

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self.receive()) is not None:
            yield message

    def close(self) -> None:
        self._channel.close()
