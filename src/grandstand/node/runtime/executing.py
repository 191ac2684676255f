"""Run a command inside a running container, for probes and hooks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from grandstand.errors import ExecTimeout, RuntimeFailure
from grandstand.node.logrus import logged_error
from grandstand.node.processes import DEFAULT_OUTPUT_LIMIT, Finished, Program

from .conmon import ENVIRONMENT
from .oci import OciRuntime
from .state import Shelf

REAP_SECONDS = 2
FOLDER_PREFIX = "exec-"


@dataclass(frozen=True, slots=True)
class ExecResult:
    """`output` is standard output and error together, as far as the limit allows; their order may be lost."""

    code: int
    output: bytes


async def execute(
    runtime: OciRuntime,
    runtime_root: Path,
    shelf: Shelf,
    cgroup: str,
    args: tuple[str, ...],
    timeout_seconds: float,
    output_limit: int = DEFAULT_OUTPUT_LIMIT,
) -> ExecResult:
    """Run `args` as the container's own process runs: its user, environment, capabilities, directory.

    The command has ended when nobody holds its output open any more: not while a child of it still does.

    Raises ExecTimeout after killing the command's process group, and RuntimeFailure when it could not be run at all.
    """
    with tempfile.TemporaryDirectory(dir=shelf.directory, prefix=FOLDER_PREFIX) as folder:
        files = ExecFiles(Path(folder), cgroup)
        files.write_process(shelf, args)
        command: list[str | Path] = [
            *(runtime.path, "--root", runtime_root, "--log", files.log, "--log-format", "json"),
            *("exec", "--process", files.process, "--pid-file", files.pid, shelf.id),
        ]
        program = Program(command, env=ENVIRONMENT, output_limit=output_limit)
        finished = await _wait(program, files, timeout_seconds)
        if finished is None:
            raise ExecTimeout(f"command {list(args)} timed out after {timeout_seconds:g} s and was killed")
        if not files.has_run():
            raise RuntimeFailure(files.failure(finished.output.decode(errors="replace")))
        return ExecResult(finished.code, finished.output)


class ExecFiles:
    """What passes between us and the runtime for one command, in a directory of its own."""

    def __init__(self, folder: Path, cgroup: str) -> None:
        self._cgroup = cgroup
        self.pid = folder / "pid"
        self.log = folder / "log"
        self.process = folder / "process.json"

    def write_process(self, shelf: Shelf, args: tuple[str, ...], *, terminal: bool = False) -> None:
        """The container's own process, but for what it runs and whether on a terminal."""
        process: dict[str, Any] = msgspec.json.decode(shelf.config.read_bytes())["process"]
        changes: dict[str, Any] = {"args": list(args), "terminal": terminal}
        if terminal and not any(variable.startswith("TERM=") for variable in process["env"]):
            changes["env"] = [*process["env"], "TERM=xterm"]
        self.process.write_bytes(msgspec.json.encode({**process, **changes}))

    def has_run(self) -> bool:
        """Without a pid nothing ran, and the exit code is the runtime's own."""
        return self.pid.exists()

    def signal_group(self, number: int) -> bool:
        """Whether there was one. The runtime made the command the leader of a session of its own."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(self.pid.read_text())
            # A command that has ended may have left its output open to others for hours: its pid may be anybody's.
            if os.getpgid(pid) == pid and self._is_inside(pid):
                os.killpg(pid, number)
                return True
        return False

    def _is_inside(self, pid: int) -> bool:
        """Whether a process belongs to the container."""
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        return any(f"/{self._cgroup}/" in f"{line}/" for line in lines)

    def failure(self, output: str) -> str:
        """What the runtime logged last, or else has written."""
        with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
            for line in reversed(self.log.read_bytes().splitlines()):
                entry = msgspec.json.decode(line)
                if entry.get("level") in ("error", "fatal"):
                    return str(entry.get("msg"))
        return logged_error(output) or "the runtime ended without a word"


def end_commands(shelf: Shelf, cgroup: str) -> None:
    """Kill the commands that an earlier engine has begun in a container: nobody is left to hear of them."""
    for folder in shelf.directory.glob(f"{FOLDER_PREFIX}*"):
        ExecFiles(folder, cgroup).signal_group(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


async def _wait(program: Program, files: ExecFiles, timeout_seconds: float) -> Finished | None:
    """The command's end, or None after killing it because of time. It is killed when the caller is cancelled, too."""
    end = asyncio.ensure_future(program.wait())
    try:
        done, _ = await asyncio.wait([end], timeout=timeout_seconds)
        return end.result() if done else None
    finally:
        if not end.done():
            # The runtime is left to reap its child: a zombie that falls to the machine's init holds up the end of
            # the whole container until that reaps it (1.7 s where init was slow).
            if files.signal_group(signal.SIGKILL):
                await asyncio.wait([end], timeout=REAP_SECONDS)
            program.kill()
            await asyncio.shield(end)
