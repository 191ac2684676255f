"""The door of function URLs: HAProxy brings each request here, and an instance gets it as it is."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from pathlib import Path

from grandstand.errors import GrandstandError, ServiceFault
from grandstand.gateway import DOOR_SOCKET, taken

from .fleet import Fleet
from .launching import SandboxInstance
from .targets import Target

log = logging.getLogger(__name__)

BACKLOG = 4096
MOST_HEAD_BYTES = 65_536
PIECE_BYTES = 65_536


class Door:
    """Listens in the directory that is the root of HAProxy's workers. One request a connection."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self._fleet = fleet
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
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            writer.write(_answer("431 Request Header Fields Too Large", "Request header fields are too large"))
            return
        found = self._fleet.target_of_url(label_of(head))
        if found is None:
            writer.write(_answer("404 Not Found", "No function has this URL: see `kubectl get functions`"))
            return
        target, auth_type = found
        if auth_type != "NONE":
            writer.write(_answer("403 Forbidden", "Forbidden"))
            return
        try:
            await self._pass_on(target, head, reader, writer)
        except ServiceFault as fault:
            writer.write(_answer(f"{fault.status} {fault.error}", str(fault)))
        except GrandstandError as error:
            log.warning("the function %s cannot be run: %s", target.spec.function_name, error)
            writer.write(_answer("502 Bad Gateway", "Internal Server Error"))

    async def _pass_on(
        self, target: Target, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with self._fleet.instance(target) as instance:
            assert isinstance(instance, SandboxInstance)
            back, onwards = await asyncio.open_unix_connection(str(instance.socket))
            sending = asyncio.create_task(_send(head, reader, onwards))
            try:
                while piece := await back.read(PIECE_BYTES):
                    writer.write(piece)
                    await writer.drain()
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await sending
                onwards.close()


async def _send(head: bytes, reader: asyncio.StreamReader, onwards: asyncio.StreamWriter) -> None:
    onwards.write(once(head))
    while piece := await reader.read(PIECE_BYTES):
        onwards.write(piece)
        await onwards.drain()


def label_of(head: bytes) -> str:
    """The first label of the host that a request names, in lower case; "" where it names none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"host":
            return value.strip().split(b".", 1)[0].decode(errors="replace").lower()
    return ""


def once(head: bytes) -> bytes:
    """The head of a request, asking for the end of the connection after its answer. Upgrades are none of functions'."""
    first, *lines = head[:-4].split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in (b"connection", b"upgrade")]
    return b"\r\n".join((first, *kept, b"Connection: close", b"", b""))


def _answer(status: str, message: str) -> bytes:
    body = json.dumps({"Message": message}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
