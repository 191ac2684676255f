"""Reach a container's standard input and its terminal past its monitor.

conmon 2.1.6 does not notice when nobody reads its container's input any more: what it could not write it tries again
at once, for ever, and takes a whole CPU until the container ends. So who is attached writes into the pipe itself.
Of two sizes of a terminal that come together it may forget the second (67 of 300 times): they are set on the
terminal itself.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from grandstand.node import syscalls

from .state import Shelf


def remember_stdin(shelf: Shelf, init: int) -> None:
    """Write down which pipe it is, while the container's first process is still the runtime's and has it."""
    with contextlib.suppress(OSError):
        shelf.stdin.write_text(str(Path(f"/proc/{init}/fd/0").readlink()))


def open_stdin(shelf: Shelf, monitor: int) -> int | None:
    """A descriptor of the pipe's writing end, beside the monitor's; None where there is none, or nobody reads it."""
    with contextlib.suppress(OSError):
        name = shelf.stdin.read_text()
        for entry in Path(f"/proc/{monitor}/fd").iterdir():
            with contextlib.suppress(OSError):
                if name.startswith("pipe:") and str(entry.readlink()) == name:
                    return os.open(entry, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return None


def open_terminal(monitor: int) -> int | None:
    """The monitor's side of the container's terminal; None where it cannot be had."""
    with contextlib.suppress(OSError):
        process = os.pidfd_open(monitor)
        try:
            for entry in Path(f"/proc/{monitor}/fd").iterdir():
                if entry.readlink().name == "ptmx":
                    return syscalls.copy_descriptor(process, int(entry.name))
        finally:
            os.close(process)
    return None
