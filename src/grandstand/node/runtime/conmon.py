"""Start conmon, which creates a container, keeps its output and exit code, and outlives the engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from grandstand.errors import CreateContainerError, RunContainerError, RuntimeFailure
from grandstand.node.logrus import logged_error
from grandstand.node.processes import readable, reaped

from .oci import SEARCH_PATH, OciRuntime
from .spec import ContainerSpec
from .state import Shelf

LONGEST_REPORT = 256 * 1024
CREATE_SECONDS = 60
# Logs carry UTC; nothing else of the engine's environment reaches the container's side.
ENVIRONMENT = {"PATH": SEARCH_PATH, "TZ": "UTC", "LC_ALL": "C"}
# conmon's word on its control fifo for "open the log file again", with two unused numbers.
REOPEN_LOGS = b"2 0 0\n"
# conmon refuses a terminal that is wider or higher.
MOST_CELLS = 1000


class Report(msgspec.Struct, frozen=True):
    """What conmon says on its sync pipe: the container's pid, or -1 and what the runtime wrote to standard error."""

    data: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Conmon:
    """Where the programs are, and where the runtime keeps its own state."""

    path: Path
    runtime: OciRuntime
    runtime_root: Path

    def command(self, spec: ContainerSpec, shelf: Shelf) -> list[str | Path]:
        """conmon's arguments. No --log-size-max: at that size conmon throws the old log away instead of keeping it."""
        return [
            *(self.path, "--api-version", "1", "--log-level", "error"),
            *("--cid", spec.id, "--cuuid", spec.id, "--name", spec.name),
            *("--runtime", self.runtime.path, "--runtime-arg", f"--root={self.runtime_root}"),
            *("--bundle", shelf.directory, "--persist-dir", shelf.directory, "--full-attach"),
            *("--conmon-pidfile", shelf.monitor_pid, "--container-pidfile", shelf.init_pid),
            *("--log-path", f"k8s-file:{spec.log_path}", "--no-sync-log"),
            *_streams(spec),
        ]

    async def create(self, spec: ContainerSpec, shelf: Shelf) -> int:
        """Create a container and return its pid.

        Raises RunContainerError where its program is at fault, else CreateContainerError, with the runtime's words.
        """
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                starter = self._spawn(spec, shelf, write_end)
            finally:
                os.close(write_end)
            # What is started daemonizes; the report comes from its child.
            await reaped(starter)
            report = await _read_report(read_end)
        except TimeoutError:
            raise CreateContainerError(
                f"the container was not created within {CREATE_SECONDS} s; {_log_of(shelf)}"
            ) from None
        finally:
            os.close(read_end)
        if report is None:
            raise CreateContainerError(f"conmon ended without a report: {_log_of(shelf)}")
        if report.data <= 0:
            raise refusal(logged_error(report.message) or _log_of(shelf))
        return report.data

    def _spawn(self, spec: ContainerSpec, shelf: Shelf, sync_pipe: int) -> subprocess.Popen[bytes]:
        with shelf.monitor_log.open("wb") as log:
            return subprocess.Popen(
                self.command(spec, shelf),
                cwd=shelf.directory,
                env={**ENVIRONMENT, "_OCI_SYNCPIPE": str(sync_pipe)},
                pass_fds=(sync_pipe,),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def _streams(spec: ContainerSpec) -> list[str]:
    """A terminal takes input anyway. Other input is closed when a client leaves, but for those that may come again."""
    if spec.tty:
        return ["--terminal"]
    if not spec.stdin:
        return []
    return ["--stdin"] if spec.stdin_once else ["--stdin", "--leave-stdin-open"]


def reopen_log(shelf: Shelf) -> bool:
    """Tell a container's monitor that its log file was renamed; False when the monitor has ended."""
    return _tell(shelf, REOPEN_LOGS)


def resize_terminal(shelf: Shelf, columns: int, rows: int) -> bool:
    """Tell a container's monitor how large its terminal is; False when the monitor has ended."""
    return _tell(shelf, f"1 {min(rows, MOST_CELLS)} {min(columns, MOST_CELLS)}\n".encode())


def _tell(shelf: Shelf, word: bytes) -> bool:
    try:
        fifo = os.open(shelf.control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return os.write(fifo, word) == len(word)
    except OSError:
        return False
    finally:
        os.close(fifo)


async def _read_report(pipe: int) -> Report | None:
    """The first line, or None when the pipe ends before one."""
    os.set_blocking(pipe, False)
    text = bytearray()
    async with asyncio.timeout(CREATE_SECONDS):
        while b"\n" not in text and len(text) < LONGEST_REPORT:
            await readable(pipe)
            with contextlib.suppress(BlockingIOError):
                data = os.read(pipe, 65536)
                if not data:
                    return None
                text += data
    try:
        return msgspec.json.decode(text.decode(errors="replace").partition("\n")[0], type=Report)
    except msgspec.MsgspecError:
        raise CreateContainerError(f"conmon gave no report that can be read: {text[:500]!r}") from None


# runc names the program that it cannot execute, and crun the file that it does not find, when they create a container.
_NO_PROGRAM = re.compile(r"unable to start container process: (exec|chdir)|executable file [`\"']")


def refusal(message: str) -> RuntimeFailure:
    """What to raise for a runtime's message: trying again helps where the container could not be made at all."""
    return RunContainerError(message) if _NO_PROGRAM.search(message) else CreateContainerError(message)


def _log_of(shelf: Shelf) -> str:
    with contextlib.suppress(FileNotFoundError):
        if text := shelf.monitor_log.read_bytes()[-2000:].decode(errors="replace").strip():
            return f"conmon says: {text}"
    return "conmon says nothing; is the machine out of memory or processes?"
