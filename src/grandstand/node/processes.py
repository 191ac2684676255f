"""Start programs and wait for processes by descriptor: as an event, whoever their parent is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_OUTPUT_LIMIT = 64 * 1024
READS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class ProcessKey:
    """One process of this boot: a pid alone may by now be another's."""

    pid: int
    start_ticks: int


def process_key(pid: int) -> ProcessKey | None:
    """The key of a process that runs now, or None. A zombie does not run."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command, in parentheses, may contain anything; the fields behind it are numbered from 3 in proc(5).
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else ProcessKey(pid, int(fields[19]))


def is_running(key: ProcessKey) -> bool:
    return process_key(key.pid) == key


def open_process(key: ProcessKey) -> int | None:
    """A pidfd of a process, or None when it has ended."""
    try:
        descriptor = os.pidfd_open(key.pid)
    except ProcessLookupError:
        return None
    # Checked after opening: what the descriptor refers to cannot change any more.
    if is_running(key):
        return descriptor
    os.close(descriptor)
    return None


async def ended(key: ProcessKey) -> None:
    """Return when a process has ended."""
    if (descriptor := open_process(key)) is None:
        return
    try:
        await readable(descriptor)
    finally:
        os.close(descriptor)


def send_signal(key: ProcessKey, number: int) -> bool:
    """Signal a process; False when it has ended."""
    if (descriptor := open_process(key)) is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


async def readable(descriptor: int) -> None:
    """Return when a descriptor has something to read, or is at its end."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)


@dataclass(frozen=True, slots=True)
class Finished:
    """`output` is what the program wrote to standard output and error, up to a limit."""

    code: int
    output: bytes


class Program:
    """A running child whose output is collected; more output than the limit is read, but forgotten.

    subprocess and a pidfd rather than asyncio's own: one vfork, no thread per child, the same on every event loop.
    """

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        output_limit: int = DEFAULT_OUTPUT_LIMIT,
    ) -> None:
        self._limit = output_limit
        self._output = bytearray()
        self._read_end, write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_end, False)
        try:
            self._process = subprocess.Popen(
                args, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end
            )
        except BaseException:
            os.close(self._read_end)
            raise
        finally:
            os.close(write_end)
        asyncio.get_running_loop().add_reader(self._read_end, self._collect)

    async def wait(self) -> Finished:
        """Wait until the program itself has ended, even when a child of it keeps the output open."""
        try:
            await reaped(self._process)
            self._collect()
            return Finished(self._process.returncode, bytes(self._output))
        finally:
            asyncio.get_running_loop().remove_reader(self._read_end)
            os.close(self._read_end)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _collect(self) -> None:
        """Take a part of what there is: a program that writes without end must not keep the event loop for itself."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(READS_AT_ONCE):
                data = os.read(self._read_end, 65536)
                if not data:
                    asyncio.get_running_loop().remove_reader(self._read_end)
                    return
                self._output += data[: self._limit - len(self._output)]


async def reaped(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child and reap it."""
    if process.poll() is None:
        descriptor = os.pidfd_open(process.pid)
        try:
            await readable(descriptor)
        finally:
            os.close(descriptor)
    process.wait()


async def run(args: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None) -> Finished:
    """Run a program to its end."""
    return await Program(args, env=env, cwd=cwd).wait()
