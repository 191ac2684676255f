"""Answer the Pods' DNS queries over UDP and TCP."""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import Any

from grandstand.errors import NetworkFailure

from .forwarder import Forwarder
from .messages import NotAQuestion, Question, failure, parse, reply
from .shares import Shares
from .zone import Zone, answer, holds

log = logging.getLogger(__name__)

PORT = 53
# More than these wait for a resolver already: to drop the next query makes its asker wait, too.
MOST_QUERIES, MOST_QUERIES_OF_ONE = 1000, 200
# A Pod can open connections faster than they fall silent; each takes a descriptor, of which the API needs some, too.
MOST_CONNECTIONS, MOST_CONNECTIONS_OF_ONE = 256, 16
MOST_QUERY_BYTES = 4096
IDLE_SECONDS = 10.0


class NameServer:
    """Serves a zone at an address, and forwards what is not in it. `start` it when the zone is complete."""

    def __init__(self, zone: Zone, forwarder: Forwarder, address: str, port: int = PORT) -> None:
        self._zone = zone
        self._forwarder = forwarder
        self._address = address
        self._port = port
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._queries = Shares(MOST_QUERIES, MOST_QUERIES_OF_ONE)
        self._connections = Shares(MOST_CONNECTIONS, MOST_CONNECTIONS_OF_ONE)

    async def start(self) -> None:
        """Raises NetworkFailure when the address is not there, or its port taken."""
        loop = asyncio.get_running_loop()
        try:
            self._udp, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(self._address, self._port)
            )
            self._tcp = await asyncio.start_server(self._converse, self._address, self._port)
        except OSError as error:
            await self.stop()
            raise NetworkFailure(
                f"the name server cannot listen at {self._address} port {self._port}: {error}. "
                "Start the Pod network first, and stop what else listens there"
            ) from error

    async def stop(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def reply_to(self, packet: bytes, *, tcp: bool = False) -> bytes | None:
        """The packet that answers; None for what deserves no answer."""
        try:
            question = parse(packet)
        except NotAQuestion as error:
            return error.reply
        if not holds(self._zone, question.name):
            return await self._forwarder.forward(packet, tcp=tcp) or failure(question)
        return await self._own_answer(question, tcp=tcp)

    async def _own_answer(self, question: Question, *, tcp: bool) -> bytes:
        found = answer(self._zone, question.name, question.type)
        limit = None if tcp else question.limit
        if not found.elsewhere:
            return reply(question, found, self._zone.domain, limit=limit)
        more = await self._forwarder.look_up(found.elsewhere, question.type)
        if more is None:
            return failure(question)
        return reply(question, found, self._zone.domain, more, limit=limit)

    def received(self, packet: bytes, peer: Any) -> None:
        """Answer a datagram, in a task of its own."""
        asker = str(peer[0])
        if self._queries.take(asker):
            task = asyncio.get_running_loop().create_task(self._send(packet, peer))
            task.add_done_callback(lambda _: self._queries.give_back(asker))
            self._keep(task)

    async def _send(self, packet: bytes, peer: Any) -> None:
        answered = await self.reply_to(packet)
        if answered is not None and self._udp is not None and not self._udp.is_closing():
            self._udp.sendto(answered, peer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: queries one after the other, until its client closes or falls silent."""
        task = asyncio.current_task()
        if task is not None:
            self._keep(task)
        asker = str((writer.get_extra_info("peername") or ("",))[0])
        if not self._connections.take(asker):
            writer.transport.abort()
            return
        try:
            while await self._answer_next(reader, writer):
                pass
        except (OSError, EOFError, TimeoutError):
            return
        finally:
            self._connections.give_back(asker)
            writer.close()

    async def _answer_next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on after its next query. Raises OSError, EOFError and TimeoutError."""
        async with asyncio.timeout(IDLE_SECONDS):
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            if size > MOST_QUERY_BYTES:
                return False
            packet = await reader.readexactly(size)
        answered = await self.reply_to(packet, tcp=True)
        if answered is None:
            return False
        async with asyncio.timeout(IDLE_SECONDS):
            writer.write(struct.pack("!H", len(answered)) + answered)
            await writer.drain()
        return True

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a DNS query was not answered", exc_info=task.exception())


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, peer: Any) -> None:
        self._server.received(data, peer)
