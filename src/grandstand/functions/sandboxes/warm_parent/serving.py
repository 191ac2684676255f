"""Serve the engine, one request at a time: fork a sandbox, mount a function into one, report who has ended."""

from __future__ import annotations

import array
import errno
import json
import os
import select
import signal
import socket
from typing import Any

from . import instance, kernel

_LONGEST_REQUEST = 65_536
_MOST_DESCRIPTORS = 32


class WarmParent:
    """Requests and answers are JSON, one a packet, with descriptors beside them. Returns when the engine has gone."""

    def __init__(self, engine: socket.socket, supervise: instance.Supervisor, own_pids: int) -> None:
        self._engine = engine
        self._supervise = supervise
        self._own_pids = own_pids
        self._own_mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self._children: dict[int, int] = {}

    def serve(self) -> None:
        wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        while True:
            readable = select.select([self._engine.fileno(), wake], [], [])[0]
            if wake in readable:
                os.read(wake, 4096)
                self._reap()
            if self._engine.fileno() in readable and not self._answer_one():
                return

    def _answer_one(self) -> bool:
        """False when there is nobody to answer any more."""
        packet, descriptors = _receive(self._engine)
        if not packet:
            return False
        request = json.loads(packet)
        answer: dict[str, Any] = {"id": request["id"]}
        opened: list[int] = []
        try:
            if "start" in request:
                answer["pid"], process = self._start(request["start"], descriptors)
                opened.append(process)
            else:
                self._bind(request["bind"], descriptors)
        except OSError as error:
            answer["error"] = f"{os.strerror(error.errno or errno.EIO)}: {error.filename or error}"
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return self._send(answer, opened)

    def _send(self, message: dict[str, Any], descriptors: list[int]) -> bool:
        try:
            socket.send_fds(self._engine, [json.dumps(message).encode()], descriptors)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _start(self, request: dict[str, Any], descriptors: list[int]) -> tuple[int, int]:
        """The host's pid and a pidfd of a new supervisor."""
        kinds = len(instance.INHERITED)
        network = descriptors[-1] if request["network"] else None
        entries = descriptors[kinds : kinds + request["entries"]]
        start = instance.Start(request["hostname"], descriptors[:kinds], entries, network)
        # Only children enter the new pid namespace, so that one fork makes its first process, and a child of ours.
        kernel.unshare(kernel.NEW_PID)
        try:
            pid = os.fork()
            if pid == 0:
                instance.run(start, self._supervise)
        finally:
            kernel.join(self._own_pids, kernel.NEW_PID)
        process = os.pidfd_open(pid)
        self._children[pid] = process
        return pid, process

    def _bind(self, request: dict[str, Any], descriptors: list[int]) -> None:
        process = self._children.get(request["pid"])
        if process is None:
            raise ProcessLookupError(errno.ESRCH, "the instance has ended")
        layers = descriptors[1] if len(descriptors) > 1 else None
        mounts = instance.Mounts(descriptors[0], layers, request["tmpBytes"], request["tmpFiles"])
        instance.mount_function(process, mounts, self._own_mounts)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            os.close(self._children.pop(pid))
            self._send({"exited": pid, "status": os.waitstatus_to_exitcode(status)}, [])


def _receive(engine: socket.socket) -> tuple[bytes, list[int]]:
    """As `socket.recv_fds`, but the descriptors are closed on exec."""
    size = array.array("i").itemsize
    flags = socket.MSG_CMSG_CLOEXEC
    packet, ancillary, _, _ = engine.recvmsg(_LONGEST_REQUEST, socket.CMSG_LEN(_MOST_DESCRIPTORS * size), flags)
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % size])
    return packet, list(found)
