"""Run a command inside a running container with its streams open: `kubectl exec`."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import tempfile
import termios
import tty as terminals
from dataclasses import dataclass
from pathlib import Path

from grandstand.errors import RuntimeFailure
from grandstand.node.descriptors import Inlet, Outlets
from grandstand.node.processes import reaped

from .conmon import ENVIRONMENT
from .executing import FOLDER_PREFIX, REAP_SECONDS, ExecFiles
from .oci import OciRuntime
from .state import Shelf

HANG_UP_SECONDS = 5.0
"""How long a command may take to end by itself after its client has gone."""

START_CHECK_SECONDS = 0.05
START_CHECKS = 100

NOT_FOUND_CODE = 127
NOT_EXECUTABLE_CODE = 126
"""As a shell's, for a command that is not there, and for one that cannot be run."""

_NOT_FOUND = re.compile(r"executable file [^ ]* ?not found|no such file or directory")
_NOT_EXECUTABLE = re.compile(r"permission denied|exec format error|is a directory")


@dataclass(frozen=True, slots=True)
class CommandStreams:
    """Which of a command's streams somebody wants. With a terminal, standard error is in standard output."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


class Command:
    """A command that has been started. Read until there is no more, then ask for its code; `hang_up` at last.

    The OCI runtime stays between: it is the command's parent, and knows its exit code. It takes 10 MB for each
    command, of which 8 MB are shared by all.
    """

    def __init__(
        self,
        runtime: OciRuntime,
        runtime_root: Path,
        shelf: Shelf,
        cgroup: str,
        args: tuple[str, ...],
        streams: CommandStreams,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=shelf.directory, prefix=FOLDER_PREFIX)
        self._files = ExecFiles(Path(self._folder.name), cgroup)
        self._streams = streams
        self._terminal: int | None = None
        try:
            self._files.write_process(shelf, args, terminal=streams.tty)
            arguments: list[str | Path] = [
                *(runtime.path, "--root", runtime_root, "--log", self._files.log, "--log-format", "json"),
                *("exec", "--process", self._files.process, "--pid-file", self._files.pid, shelf.id),
            ]
            self._process = self._start_on_terminal(arguments) if streams.tty else self._start_on_pipes(arguments)
        except BaseException:
            self._folder.cleanup()
            raise
        self._end = asyncio.ensure_future(reaped(self._process))

    async def read(self) -> tuple[int, bytes] | None:
        """The next piece of standard output (1) or error (2), or None when there is no more.

        What the runtime says about a command that it cannot run is in standard error, too.
        """
        return await self._outlets.read()

    async def code(self) -> int:
        """The exit code, when `read` has given None. Raises RuntimeFailure when it could not be run at all."""
        await asyncio.shield(self._end)
        # Without its directory: the container has been removed meanwhile.
        if self._files.has_run() or not self._files.process.exists():
            code = self._process.returncode
            return code if code >= 0 else 128 - code
        failure = self._files.failure("")
        if (code := failure_code(failure)) is None:
            raise RuntimeFailure(failure)
        return code

    async def write(self, data: bytes) -> None:
        """Return when the command's standard input has taken it, or nobody reads it any more."""
        await self._inlet.write(data)

    def end_input(self) -> None:
        """A terminal has no end of input but the one that is typed."""
        if self._terminal is None:
            self._inlet.close()

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal is None or self._process.returncode is not None:
            return
        set_size(self._terminal, columns, rows)
        # The runtime hears of its terminal's size by a signal, and passes it on to the command's.
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGWINCH)

    async def hang_up(self) -> None:
        """End a command whose client has gone, as a terminal that is closed does; then by force."""
        self._inlet.close()
        self._outlets.close()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
        try:
            if not self._end.done():
                await self._end_it()
        finally:
            self._folder.cleanup()

    async def _end_it(self) -> None:
        try:
            for _ in range(START_CHECKS):
                # Until the runtime has written the pid there is nobody to signal.
                if self._files.has_run() or self._end.done():
                    break
                await asyncio.wait([self._end], timeout=START_CHECK_SECONDS)
            signalled = self._files.signal_group(signal.SIGHUP)
            await asyncio.wait([self._end], timeout=HANG_UP_SECONDS if signalled else REAP_SECONDS)
        finally:
            if not self._end.done():
                if self._files.signal_group(signal.SIGKILL):
                    await asyncio.wait([self._end], timeout=REAP_SECONDS)
                if not self._end.done():
                    self._process.kill()
                await asyncio.shield(self._end)

    def _start_on_pipes(self, arguments: list[str | Path]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            arguments,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE if self._streams.stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if self._streams.stdout else subprocess.DEVNULL,
            stderr=subprocess.PIPE if self._streams.stderr else subprocess.DEVNULL,
            bufsize=0,
        )
        self._inlet = Inlet(os.dup(process.stdin.fileno()) if process.stdin else None)
        outputs = [(1, process.stdout), (2, process.stderr)]
        self._outlets = Outlets([(number, os.dup(pipe.fileno())) for number, pipe in outputs if pipe is not None])
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return process

    def _start_on_terminal(self, arguments: list[str | Path]) -> subprocess.Popen[bytes]:
        """The runtime's own terminal lets everything through; the command gets one of its own from the runtime."""
        ours, theirs = os.openpty()
        try:
            terminals.setraw(theirs)
            process = subprocess.Popen(
                arguments, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._terminal = ours
        self._inlet = Inlet(os.dup(ours) if self._streams.stdin else None)
        self._outlets = Outlets([(1, os.dup(ours))])
        return process


def set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def failure_code(message: str) -> int | None:
    """The exit code that a shell would give for what a runtime could not run; None where it is not the command's."""
    if "unable to start container process" not in message and "executable file" not in message:
        return None
    if _NOT_FOUND.search(message):
        return NOT_FOUND_CODE
    return NOT_EXECUTABLE_CODE if _NOT_EXECUTABLE.search(message) else None
