"""`port-forward` in the channels of a WebSocket, as Kubernetes' Python client does: two channels for each port."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from aiohttp import web

from .channels import Protocol
from .ends import end
from .forwarding import Forwarding
from .sessions import Connection
from .sockets import ClientSocket


async def forward_channels(
    request: web.BaseRequest,
    protocol: Protocol,
    ports: tuple[int, ...],
    connect: Callable[[int], Awaitable[Connection]],
) -> web.StreamResponse:
    """One connection to each port, from the beginning to the end of the WebSocket or of all of them."""
    socket = await ClientSocket.open(request, protocol.name)

    async def send(channel: int, data: bytes) -> None:
        await socket.send(protocol.encode(channel, data))

    def forwarding(index: int, port: int) -> Forwarding:
        return Forwarding(lambda: connect(port), lambda data: send(2 * index, data))

    async def forward(index: int) -> None:
        if said := await forwardings[index].run():
            await send(2 * index + 1, said.encode())

    async def receive() -> None:
        async for message in socket.messages():
            decoded = protocol.decode(message)
            # Error channels are the server's only.
            if decoded is not None and decoded[0] % 2 == 0 and decoded[0] // 2 < len(forwardings):
                await socket.patiently(forwardings[decoded[0] // 2].take(decoded[1]))

    forwardings = [forwarding(index, port) for index, port in enumerate(ports)]
    with suppress(ConnectionError):
        for index, port in enumerate(ports):
            for channel in (2 * index, 2 * index + 1):
                await send(channel, struct.pack("<H", port))
        await _first_of(receive(), _all([forward(index) for index in range(len(ports))]))
    with suppress(ConnectionError):
        await socket.close()
    return socket.response


async def _all(works: Sequence[Awaitable[None]]) -> None:
    await asyncio.gather(*works)


async def _first_of(*works: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(*tasks)
