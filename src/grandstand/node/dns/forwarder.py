"""Ask the machine's resolvers what the zone does not hold."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Collection
from pathlib import Path

from dnslib import RR

from grandstand.clock import Clock
from grandstand.node.network.name_files import MACHINE_RESOLVERS, parse_resolvers, parsed_address

from .messages import is_truncated, query, records_in

PORT = 53
TIMEOUT_SECONDS = 2.0

Resolver = tuple[str, int]
"""An address and a port."""


class ResolverFile:
    """The nameservers of a resolv.conf, read again when it changes; never `own`, which are our addresses."""

    def __init__(self, own: Collection[str], path: Path = MACHINE_RESOLVERS) -> None:
        self._own = frozenset(own)
        self._path = path
        self._version: tuple[int, int] | None = None
        self._resolvers: list[Resolver] = []

    def __call__(self) -> list[Resolver]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return []
        version = (status.st_mtime_ns, status.st_ino)
        if version != self._version:
            named = parse_resolvers(self._path.read_text(errors="replace")).nameservers
            self._resolvers = [(name, PORT) for name in named if parsed_address(name) and name not in self._own]
            self._version = version
        return self._resolvers


class Forwarder:
    """Asks one resolver after the other, until one answers. No cache: the machine's resolver has one."""

    def __init__(
        self, resolvers: Callable[[], list[Resolver]], *, clock: Clock, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._resolvers = resolvers
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    async def forward(self, packet: bytes, *, tcp: bool) -> bytes | None:
        """The reply to a query, with the query's own number; None when no resolver answers."""
        number = self._number()
        asked = number.to_bytes(2) + packet[2:]
        for resolver in self._resolvers():
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    found = await (_over_tcp(resolver, asked) if tcp else _over_udp(resolver, asked))
            except (OSError, EOFError, TimeoutError):
                continue
            return packet[:2] + found[2:]
        return None

    async def look_up(self, name: str, kind: str) -> tuple[RR, ...] | None:
        """The records of a name; None when no resolver has them."""
        asked = query(self._number(), name, kind)
        found = await self.forward(asked, tcp=False)
        if found is not None and is_truncated(found):
            found = await self.forward(asked, tcp=True)
        return None if found is None else records_in(found)

    def _number(self) -> int:
        """Unpredictable, as is the port that the kernel chooses: a forged reply must guess both."""
        return int(self._clock.uid()[:4], 16)


class _Exchange(asyncio.DatagramProtocol):
    """One query and the reply that fits it."""

    def __init__(self, asked: bytes) -> None:
        self._asked = asked
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, peer: object) -> None:
        if _answers(data, self._asked) and not self.reply.done():
            self.reply.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)


async def _over_udp(resolver: Resolver, asked: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, exchange = await loop.create_datagram_endpoint(lambda: _Exchange(asked), remote_addr=resolver)
    try:
        transport.sendto(asked)
        return await exchange.reply
    finally:
        transport.close()


async def _over_tcp(resolver: Resolver, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*resolver)
    try:
        writer.write(struct.pack("!H", len(asked)) + asked)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        found = await reader.readexactly(size)
    finally:
        writer.close()
    if not _answers(found, asked):
        raise EOFError("the resolver answered something else")
    return found


def _answers(found: bytes, asked: bytes) -> bool:
    """Whether a packet is the reply to a query: same number, marked as a reply."""
    return len(found) >= 12 and found[:2] == asked[:2] and bool(found[2] & 0x80)
