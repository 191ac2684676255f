"""`exec` and `attach` over SPDY, for clients of before Kubernetes 1.31: a stream for each of a command's."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from . import channels
from .carrying import carry
from .links import Link
from .sessions import STDERR, STDOUT, Session, StreamOptions
from .spdy import DataReceived, Event, Pinged, ResetReason, SpdyConnection, SpdyViolation, StreamOpened

STREAMS_SECONDS = 30.0
"""How long a client may take to open the streams that it has asked for."""

_OUTPUTS = {"stdout": STDOUT, "stderr": STDERR}


async def serve_spdy(link: Link, session: Session, options: StreamOptions) -> None:
    """Carry an open session until its command ends or its client goes away."""
    with suppress(ConnectionError, SpdyViolation, TimeoutError):
        await _Spdy(link, session, options).run()
    with suppress(ConnectionError):
        await link.close()


class _Spdy:
    def __init__(self, link: Link, session: Session, options: StreamOptions) -> None:
        self._link = link
        self._session = session
        self._options = options
        self._spdy = SpdyConnection()
        self._streams: dict[str, int] = {}
        self._complete = asyncio.Event()

    async def run(self) -> None:
        # Input may come before the last stream is open: it is read from the beginning.
        status = await carry(_Gated(self._session, self._complete), self._send, lambda _: self._receive())
        if status is not None:
            await self._end("error", msgspec.json.encode(status))
            for name in _OUTPUTS:
                await self._end(name, b"")
            await self._link.send(self._spdy.go_away())

    def _wanted(self) -> set[str]:
        wished = {"stdin": self._options.stdin, "stdout": self._options.stdout, "stderr": self._options.stderr}
        wished["resize"] = self._options.tty
        return {"error", *(name for name, wish in wished.items() if wish)}

    async def _send(self, number: int, data: bytes) -> None:
        name = "stdout" if number == STDOUT else "stderr"
        await self._link.send(self._spdy.send(self._streams[name], data))

    async def _end(self, name: str, data: bytes) -> None:
        if (stream := self._streams.get(name)) is not None:
            await self._link.send(self._spdy.send(stream, data, end=True))

    async def _receive(self) -> None:
        async for data in self._link.messages():
            for event in self._spdy.receive(data):
                await self._on(event)

    async def _on(self, event: Event) -> None:
        match event:
            case StreamOpened(stream, headers):
                name = headers.get("streamtype", "")
                if name not in self._wanted() or name in self._streams:
                    await self._link.send(self._spdy.reset(stream, ResetReason.REFUSED_STREAM))
                    return
                self._streams[name] = stream
                await self._link.send(self._spdy.accept(stream))
                if self._streams.keys() == self._wanted():
                    self._complete.set()
            case DataReceived(stream, data, end) if stream == self._streams.get("stdin"):
                if data:
                    await self._link.patiently(self._session.write(data))
                if end:
                    self._session.end_input()
            case DataReceived(stream, data, _) if stream == self._streams.get("resize"):
                # Sizes follow each other without anything between.
                if (size := channels.terminal_size(data)) is not None:
                    self._session.resize(*size)
            case Pinged(answer):
                await self._link.send(answer)


class _Gated:
    """A session whose output waits until there is a stream for it."""

    def __init__(self, session: Session, complete: asyncio.Event) -> None:
        self._session = session
        self._complete = complete
        self.code, self.write = session.code, session.write
        self.end_input, self.resize = session.end_input, session.resize

    async def read(self) -> tuple[int, bytes] | None:
        if not self._complete.is_set():
            async with asyncio.timeout(STREAMS_SECONDS):
                await self._complete.wait()
        return await self._session.read()
