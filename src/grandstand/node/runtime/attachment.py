"""Join the streams of a container's own process, through its monitor's socket: `kubectl attach`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

from grandstand.errors import RuntimeFailure
from grandstand.node.descriptors import Inlet, any_readable, writable

from .command import CommandStreams, set_size
from .conmon import resize_terminal
from .past_monitor import open_stdin, open_terminal
from .spec import ContainerSpec
from .state import Shelf

STALL_SECONDS = 10.0
"""The monitor waits for everyone who is attached, and the container for the monitor: who takes nothing for so long is
detached."""

PACKET_BYTES = 8192
"""conmon takes no more at once: the rest of a longer packet would be lost."""

_LONGEST_OUTPUT = 8192 + 1
"""What conmon sends at once, with one byte in front that says from which stream it is."""


class Attachment:
    """The open streams. Read until there is no more, which is when the container has ended; `hang_up` at last."""

    def __init__(
        self,
        shelf: Shelf,
        monitor: int,
        spec: ContainerSpec,
        streams: CommandStreams,
        *,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        """Raises RuntimeFailure when the monitor does not answer."""
        self._connection: socket.socket | None = _connected(shelf)
        self._shelf = shelf
        self._spec = spec
        self._streams = streams
        self._watch: asyncio.TimerHandle | None = None
        self._stalled = False
        self._stall_seconds = stall_seconds
        piped = streams.stdin and spec.stdin and not spec.tty
        self._terminal = open_terminal(monitor) if spec.tty else None
        self._inlet = Inlet(open_stdin(shelf, monitor) if piped else None)

    async def read(self) -> tuple[int, bytes] | None:
        """The next piece of standard output (1) or error (2), or None when the container has ended.

        Raises RuntimeFailure when the last one was taken too late.
        """
        if self._watch is not None:
            self._watch.cancel()
        while self._connection is not None:
            try:
                packet = self._connection.recv(_LONGEST_OUTPUT)
            except BlockingIOError:
                await any_readable([self._connection.fileno()])
                continue
            except OSError:
                break
            if not packet:
                break
            if self._wants(number := packet[0] - 1):
                self._watch = asyncio.get_running_loop().call_later(self._stall_seconds, self._detach)
                return number, packet[1:]
        if self._stalled:
            raise RuntimeFailure(
                f"detached: nothing was read for {self._stall_seconds:g} s, and the container had to wait"
            )
        return None

    def _wants(self, number: int) -> bool:
        return self._streams.stdout if number == 1 else self._streams.stderr

    async def code(self) -> int:
        """Whoever is attached does not learn how the container ended: its Pod's status says that."""
        return 0

    async def write(self, data: bytes) -> None:
        """Return when the container has taken it, or nobody reads it any more."""
        if not self._spec.tty:
            await self._inlet.write(data)
            return
        left = memoryview(data) if self._streams.stdin else memoryview(b"")
        while left and self._connection is not None:
            try:
                left = left[self._connection.send(left[:PACKET_BYTES]) :]
            except BlockingIOError:
                await writable(self._connection.fileno())
            except OSError:
                return

    def end_input(self) -> None:
        """The container learns of it where its input is to be open once only (`stdinOnce`); else another may come."""
        self._inlet.close()
        if self._connection is not None and self._streams.stdin and self._spec.stdin_once and not self._spec.tty:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal is not None:
            set_size(self._terminal, columns, rows)
        elif self._spec.tty:
            resize_terminal(self._shelf, columns, rows)

    async def hang_up(self) -> None:
        """Leave. The container goes on."""
        self._inlet.close()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
        if self._watch is not None:
            self._watch.cancel()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _detach(self) -> None:
        self._stalled = True
        if self._connection is not None:
            # Not closed yet: somebody may wait for it to take something.
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)


def _connected(shelf: Shelf) -> socket.socket:
    """By its directory's descriptor: the path of a socket may have 107 characters only."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    directory = os.open(shelf.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.setblocking(False)
        connection.connect(f"/proc/self/fd/{directory}/{shelf.attach.name}")
    except OSError as error:
        connection.close()
        raise RuntimeFailure(f"the monitor of container {shelf.id} does not answer: {error}") from error
    finally:
        os.close(directory)
    return connection
