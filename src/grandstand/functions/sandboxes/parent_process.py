"""A warm parent as the engine sees it: started, asked, and known to have ended."""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grandstand.errors import SandboxFailure

_FOLDER = Path(__file__).parent
_PYTHON = "/usr/bin/python3"
_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop()); from warm_parent.main import main; main()"
_LONGEST_ANSWER = 65_536
_INT_BYTES = array.array("i").itemsize

Answer = tuple[dict[str, Any], list[int]]


class ParentProcess:
    """Make it with `start`. `ended` is set when the process has closed its socket; whatever waits then fails."""

    def __init__(self, channel: socket.socket, process: subprocess.Popen[bytes]) -> None:
        channel.setblocking(False)
        self.ended = asyncio.Event()
        self.pid = process.pid
        self._channel = channel
        self._process = process
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._warm: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._last_id = 0
        asyncio.get_running_loop().add_reader(channel, self._read)

    @classmethod
    async def start(cls, settings: Mapping[str, Any], errors: Path) -> ParentProcess:
        """Return when it can fork. What it prints goes to the file `errors`. Raises SandboxFailure."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = (_PYTHON, "-I", "-S", "-E", "-B", "-c", _PROGRAM, json.dumps(settings), str(_FOLDER))
        with theirs, errors.open("ab") as file:
            # Not asyncio's: that would want its own descriptors, and a fork here takes a millisecond.
            process = subprocess.Popen(  # noqa: ASYNC220
                command, stdin=theirs.fileno(), stdout=file, stderr=file, env={}
            )
        parent = cls(ours, process)
        try:
            await parent._warm
        except BaseException:
            await parent.stop()
            raise
        return parent

    async def request(self, what: dict[str, Any], descriptors: Sequence[int]) -> Answer:
        """Ask, with descriptors that stay the caller's; the answer's become the caller's. Raises SandboxFailure."""
        if self.ended.is_set():
            raise SandboxFailure("the warm parent has ended: it is started anew for the next sandbox")
        self._last_id += 1
        number = self._last_id
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            # A packet is small, and the parent answers one at a time: the socket's buffer holds hundreds.
            socket.send_fds(self._channel, [json.dumps({"id": number, **what}).encode()], descriptors)
        except OSError as error:
            del self._waiting[number]
            if isinstance(error, ConnectionError):  # known here before the socket is read to its end
                self._end()
            raise SandboxFailure(f"the warm parent does not take requests: {error}; try again") from error
        answer, opened = await future
        if "error" in answer:
            raise SandboxFailure(f"the kernel refuses a part of a sandbox: {answer['error']}")
        return answer, opened

    async def stop(self) -> None:
        """End it; its instances go on."""
        self._end()
        if self._process.poll() is None:
            self._process.kill()
        await asyncio.to_thread(self._process.wait)

    def _read(self) -> None:
        try:
            packet, descriptors = _receive(self._channel)
        except BlockingIOError:
            return
        except OSError:
            packet, descriptors = b"", []
        if not packet:
            self._end()
            return
        answer = json.loads(packet)
        future = self._warm if "warm" in answer else self._waiting.pop(answer.get("id", 0), None)
        if future is not None and not future.done():
            future.set_result((answer, descriptors))
            return
        # Nobody waits any more: a sandbox without its pidfd ends with its control socket.
        for descriptor in descriptors:
            os.close(descriptor)

    def _end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        for future in (self._warm, *self._waiting.values()):
            if not future.done():
                future.set_exception(
                    SandboxFailure("the warm parent has ended; its log in the data directory says why")
                )
                future.exception()  # who waits hears of it; that nobody does is no fault
        self._waiting.clear()


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    flags = socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
    packet, ancillary, _, _ = channel.recvmsg(_LONGEST_ANSWER, socket.CMSG_LEN(4 * _INT_BYTES), flags)
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % _INT_BYTES])
    return packet, list(found)
