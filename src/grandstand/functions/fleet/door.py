"""The door of function URLs: HAProxy brings each request here, and an instance gets it as it is."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from grandstand.errors import GrandstandError, SandboxFailure, ServiceFault
from grandstand.gateway import DOOR_SOCKET, taken
from grandstand.kinds.functions import Cors

from . import cors, heads
from .callers import Callers
from .fleet import Fleet
from .launching import SandboxInstance
from .targets import Target

log = logging.getLogger(__name__)

BACKLOG = 4096
MOST_HEAD_BYTES = 65_536
PIECE_BYTES = 65_536


class Door:
    """Listens in the directory that is the root of HAProxy's workers. One request a connection."""

    def __init__(self, fleet: Fleet, directory: Path, callers: Callers) -> None:
        self._fleet = fleet
        self._callers = callers
        self._directory = directory
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take the socket, also from an engine that was killed."""

        async def listening(path: str) -> asyncio.Server:
            return await asyncio.start_unix_server(self._visited, path, backlog=BACKLOG, limit=MOST_HEAD_BYTES)

        self._server = await taken(self._directory, DOOR_SOCKET, listening)

    async def close(self) -> None:
        """Break off what is under way."""
        if self._server is not None:
            self._server.close()
        for visit in self._visits:
            visit.cancel()
        if self._visits:
            await asyncio.wait(self._visits)

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        assert visit is not None
        self._visits.add(visit)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two went away
        except asyncio.CancelledError:
            pass  # the engine ends
        finally:
            self._visits.discard(visit)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(heads.END)
        except asyncio.LimitOverrunError:
            writer.write(heads.refusal("431 Request Header Fields Too Large", "Request header fields are too large"))
            return
        found = self._fleet.target_of_url(heads.label_of(head))
        if found is None:
            message = "No function has this URL: see `kubectl get functions`"
            writer.write(heads.refusal("404 Not Found", message))
            return
        target, url = found
        added: cors.Headers = []
        if url.cors is not None and url.cors != cors.NOTHING:
            origin = heads.value(head, "origin")
            if heads.request_line(head)[0] == "OPTIONS":
                writer.write(heads.answer("200 OK", _preflight(url.cors, origin, head)))
                return
            added = cors.added(url.cors, origin)
        try:
            if url.auth_type == "NONE":
                await self._pass_on(target, heads.onwards(head), reader, writer, added)
            else:
                asked = await self._callers.let_in(head, reader, writer)
                await self._pass_on(target, asked, None, writer, added)
        except ServiceFault as fault:
            writer.write(heads.fault(fault, added))
        except GrandstandError as error:
            log.warning("the function %s cannot be run: %s", target.spec.function_name, error)
            writer.write(heads.refusal("502 Bad Gateway", "Internal Server Error", added))

    async def _pass_on(
        self,
        target: Target,
        asked: bytes,
        more: asyncio.StreamReader | None,
        writer: asyncio.StreamWriter,
        added: cors.Headers,
    ) -> None:
        """`asked` was read of the request, `more` has the rest of it; `added` goes to the headers of its answer."""
        async with self._fleet.instance(target) as instance:
            assert isinstance(instance, SandboxInstance)
            back, there = await asyncio.open_unix_connection(str(instance.socket), limit=MOST_HEAD_BYTES)
            sending = asyncio.create_task(_send(asked, more, there))
            try:
                if added:
                    await _pass_head(back, writer, added)
                while piece := await back.read(PIECE_BYTES):
                    writer.write(piece)
                    await writer.drain()
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await sending
                there.close()


async def _send(asked: bytes, more: asyncio.StreamReader | None, there: asyncio.StreamWriter) -> None:
    there.write(asked)
    await there.drain()
    while more is not None and (piece := await more.read(PIECE_BYTES)):
        there.write(piece)
        await there.drain()


async def _pass_head(back: asyncio.StreamReader, writer: asyncio.StreamWriter, added: cors.Headers) -> None:
    """Raises SandboxFailure for a head that is too large to be added to."""
    try:
        while heads.is_interim(head := await back.readuntil(heads.END)):
            writer.write(head)
            await writer.drain()
    except asyncio.LimitOverrunError as error:
        raise SandboxFailure(f"the headers of its answer have more than {MOST_HEAD_BYTES} bytes") from error
    writer.write(heads.extended(head, added))


def _preflight(allowed: Cors, origin: str, head: bytes) -> cors.Headers:
    wanted = (heads.value(head, f"access-control-request-{name}") for name in ("method", "headers"))
    return cors.preflight(allowed, origin, *wanted)
