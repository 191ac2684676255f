"""`exec` and `attach` over a WebSocket."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from aiohttp import web

from grandstand.errors import BadRequest, status_of

from . import channels
from .carrying import carry
from .channels import Protocol
from .sessions import Session, StreamOptions
from .sockets import ClientSocket


async def serve_socket(
    request: web.BaseRequest, protocol: Protocol, session: Session, options: StreamOptions
) -> web.StreamResponse:
    """Carry an open session until its command ends or its client goes away."""
    socket = await ClientSocket.open(request, protocol.name)

    async def send(number: int, data: bytes) -> None:
        await socket.send(protocol.encode(number, data))

    async def receive(opened: Session) -> None:
        async for message in socket.messages():
            if (decoded := protocol.decode(message)) is not None:
                await socket.patiently(_take(opened, protocol, options, *decoded))

    # ConnectionError: the client is gone, and nobody is left to be told.
    with suppress(ConnectionError):
        # Clients wait for a first message to know that the connection stands.
        await send(_lowest(options), b"")
        try:
            status = await carry(session, send, receive)
        except BadRequest as error:
            status = status_of(error)
        if status is not None:
            await send(channels.ERROR, msgspec.json.encode(status))
    with suppress(ConnectionError):
        await socket.close()
    return socket.response


async def _take(session: Session, protocol: Protocol, options: StreamOptions, channel: int, data: bytes) -> None:
    match channel:
        case channels.STDIN if options.stdin and data:
            await session.write(data)
        case channels.RESIZE if options.tty and (size := channels.terminal_size(data)) is not None:
            session.resize(*size)
        case channels.CLOSE if protocol.closes and data[:1] == b"\0" and options.stdin:
            session.end_input()


def _lowest(options: StreamOptions) -> int:
    if options.stdout:
        return channels.STDOUT
    return channels.STDERR if options.stderr else channels.ERROR
