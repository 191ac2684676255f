"""Open streams into this node's containers for the API, with Kubernetes' words for what cannot be opened."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from grandstand.errors import BadRequest, NoSuchContainer, NotFound, PortUnreachable
from grandstand.kinds import Key

from .context import PodContext
from .descriptors import CHUNK_BYTES
from .logs import chosen_container
from .network.connecting import connect
from .runtime import Attachment, Command, CommandStreams

OpenStreams = Command | Attachment


class Wishes(Protocol):
    """What is asked for (`api.streams.sessions.StreamOptions`)."""

    @property
    def container(self) -> str: ...
    @property
    def command(self) -> tuple[str, ...]: ...
    @property
    def stdin(self) -> bool: ...
    @property
    def stdout(self) -> bool: ...
    @property
    def stderr(self) -> bool: ...
    @property
    def tty(self) -> bool: ...


class NodeStreams:
    """`find` gives what the node knows of a Pod: `Agent.pod`."""

    def __init__(self, find: Callable[[Key], PodContext | None]) -> None:
        self._find = find
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def execute(self, namespace: str, name: str, wishes: Wishes) -> AsyncGenerator[Command, None]:
        """A command in a container. It is ended with the context, in the background. Raises BadRequest, NotFound."""
        context, container = self._container(namespace, name, wishes)
        streams = CommandStreams(wishes.stdin, wishes.stdout, wishes.stderr and not wishes.tty, wishes.tty)
        try:
            command = context.parts.runtime.command(context.state(container).id, wishes.command, streams)
        except NoSuchContainer:
            raise _not_running(container) from None
        try:
            yield command
        finally:
            self._end(command)

    @asynccontextmanager
    async def attach(self, namespace: str, name: str, wishes: Wishes) -> AsyncGenerator[Attachment, None]:
        """The streams of a container's own process. It goes on after the context. Raises BadRequest, NotFound."""
        context, container = self._container(namespace, name, wishes)
        streams = CommandStreams(wishes.stdin, wishes.stdout, wishes.stderr, wishes.tty)
        try:
            attachment = context.parts.runtime.attach(context.state(container).id, streams)
        except NoSuchContainer:
            raise _not_running(container) from None
        try:
            yield attachment
        finally:
            self._end(attachment)

    def pod_networks(self, namespace: str, name: str) -> None:
        """Raises BadRequest and NotFound when no port of a Pod can be reached."""
        self._networked(namespace, name)

    async def connect(self, namespace: str, name: str, port: int) -> PortConnection:
        """A connection to a port of a Pod. Raises PortUnreachable, BadRequest, NotFound."""
        context = self._networked(namespace, name)
        assert context.sandbox is not None
        try:
            return PortConnection(await connect(context.sandbox.network, port))
        except OSError as error:
            raise PortUnreachable(
                f"error forwarding port {port} to pod {name}, uid {context.uid}: "
                f"failed to connect to localhost:{port} inside the Pod's network: {os.strerror(error.errno or 0)}"
            ) from error

    async def settled(self) -> None:
        """Return when all that was opened has ended."""
        while self._ending:
            await asyncio.wait(set(self._ending))

    def _end(self, opened: OpenStreams) -> None:
        """A command may take its time to end; whoever asked for it is gone already."""
        task = asyncio.ensure_future(opened.hang_up())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _container(self, namespace: str, name: str, wishes: Wishes) -> tuple[PodContext, str]:
        context = self._context(namespace, name)
        container = chosen_container(context.pod, wishes.container)
        if not context.state(container).alive:
            raise _not_running(container)
        return context, container

    def _networked(self, namespace: str, name: str) -> PodContext:
        context = self._context(namespace, name)
        if context.sandbox is None or not context.alive():
            phase = (context.object.get("status") or {}).get("phase", "Pending")
            raise BadRequest(f"unable to forward port because pod is not running. Current status={phase}")
        return context

    def _context(self, namespace: str, name: str) -> PodContext:
        context = self._find(Key(namespace, name))
        if context is None:
            raise BadRequest(f"pod {name} does not have a host assigned")
        return context


class PortConnection:
    """A TCP connection to a Pod's port."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    async def read(self) -> bytes:
        """What came, or nothing at the end."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._connection, CHUNK_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> bool:
        """Return when it is on its way; False when the other side takes no more."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._connection, data)
        except OSError:
            return False
        return True

    def end_input(self) -> None:
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        self._connection.close()


def _not_running(container: str) -> NotFound:
    return NotFound(f'container not found ("{container}"): it does not run')
