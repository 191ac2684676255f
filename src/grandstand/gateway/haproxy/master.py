"""Talk to HAProxy's master process, and through it to each of its workers, over one Unix socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grandstand.errors import GatewayFailure

SOCKET = "master.sock"
PROMPT = b"master> "
ANSWER_SECONDS = 5.0
BATCH = 100
"""Commands in one write: what HAProxy and the socket's buffers hold without blocking each other."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The worker that accepts connections, and those before it that end theirs, by process id."""

    current: int
    old: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        return self.current, *self.old


class Master:
    """One connection to the master; opened when needed, closed after any failure."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def ask(self, commands: Sequence[str], worker: int | None = None) -> list[str]:
        """The answers of the master, or of a worker. Raises GatewayFailure when there are none: ask for `workers`."""
        to = "" if worker is None else f"@!{worker} "
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answers: list[str] = []
                    for start in range(0, len(commands), BATCH):
                        answers += await self._exchange([to + text for text in commands[start : start + BATCH]])
                    return answers
            except (OSError, EOFError, TimeoutError) as error:
                self.close()  # also one that ended before its first prompt: the next question gets a new one
                raise GatewayFailure(f"HAProxy does not answer {commands[0]!r}: {error}") from error
            except BaseException:
                self.close()
                raise

    async def workers(self) -> Workers:
        return parse_workers((await self.ask(["show proc"]))[0])

    async def reload(self) -> None:
        """Have the master read its configuration again; returns when it has begun (it closes the connection)."""
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    reader, writer = await self._connected()
                    _send(writer, b"reload\n")
                    await reader.read()
            except (OSError, EOFError, TimeoutError) as error:
                raise GatewayFailure(f"HAProxy cannot be told to reload: {error}") from error
            finally:
                self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, lines: list[str]) -> list[str]:
        reader, writer = await self._connected()
        try:
            _send(writer, "".join(f"{line}\n" for line in lines).encode())
            return [await _answer(reader) for _ in lines]
        except BaseException:
            self.close()  # what comes next would answer another question
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            # Through the descriptor, because the path of a data directory may be longer than a socket's may be.
            directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
            try:
                self._streams = await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{SOCKET}", limit=1 << 24)
            finally:
                os.close(directory)
            reader, writer = self._streams
            _send(writer, b"prompt\n")
            await _answer(reader)
        return self._streams


def _send(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Send, or raise ConnectionResetError where the connection is over: uvloop raises a RuntimeError for that."""
    if writer.is_closing():
        raise ConnectionResetError("it closed the connection")
    writer.write(text)


async def _answer(reader: asyncio.StreamReader) -> str:
    """One answer, without the prompt that ends it."""
    text = b""
    while not (text == PROMPT or text.endswith(b"\n" + PROMPT)):
        with suppress(asyncio.IncompleteReadError):
            text += await reader.readuntil(PROMPT)
            continue
        raise EOFError("it closed the connection")
    return text[: -len(PROMPT)].decode(errors="replace").strip("\n")


def parse_workers(text: str) -> Workers:
    """Read the answer to `show proc`. Raises GatewayFailure when it names no worker."""
    current: list[int] = []
    old: list[int] = []
    section: list[int] | None = None
    for line in text.splitlines():
        if line.startswith("#"):
            section = {"# workers": current, "# old workers": old}.get(line.strip())
        elif section is not None and line.split():
            section.append(int(line.split()[0]))
    if not current:
        raise GatewayFailure(f"HAProxy has no worker: it shows {text!r}")
    return Workers(current[0], tuple(old))
