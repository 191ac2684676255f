"""One process at a time may run, or clean up, the engine of a data directory."""

from __future__ import annotations

import fcntl
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grandstand.errors import PlatformError


class AlreadyRunning(PlatformError):
    """An engine already runs on this data directory."""


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the lock of a data directory; the lock ends with the process. Raises AlreadyRunning when it is taken."""
    path = data / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"An engine already runs on {data} (process {owner(data)}). `grandstand status --data {data}` shows it;"
                f" `grandstand down --data {data}` ends it; another `--data` starts a second one."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def owner(data: Path) -> int | None:
    """The process that holds the lock of a data directory, or None."""
    try:
        with (data / "lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
            return None
    except FileNotFoundError:
        return None


def end(data: Path, seconds: float) -> bool:
    """Ask the engine of a data directory to stop, and wait for it. Returns whether one was running.

    Raises PlatformError when it is still there after so many seconds.
    """
    pid = owner(data)
    if pid is None:
        return False
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        ready, _, _ = select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)
    if not ready:
        raise PlatformError(f"The engine (process {pid}) did not stop within {seconds:.0f} s; see {data}/engine.log.")
    return True
