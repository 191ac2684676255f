"""What a container says about its end: the file it wrote, or the last of its log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LIMIT_BYTES = 4096
POD_LIMIT_BYTES = 12 * 1024
LOG_LIMIT_BYTES = 2048
LOG_LIMIT_LINES = 80


def limit_for(containers: int) -> int:
    """How much one of so many containers may say: together no more than 12 KiB."""
    return min(LIMIT_BYTES, POD_LIMIT_BYTES // max(1, containers))


def termination_message(path: Path, log: Path, policy: str, *, failed: bool, limit: int = LIMIT_BYTES) -> str:
    """The message of a run that has ended; "" when it said nothing."""
    text = _tail(path, limit)
    if not text and failed and policy == "FallbackToLogsOnError":
        return _last_lines(log)
    return text


def _tail(path: Path, limit: int) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        file.seek(max(0, os.fstat(descriptor).st_size - limit))
        return file.read(limit).decode(errors="replace")


def _last_lines(log: Path) -> str:
    """The end of a log in the CRI format: `<time> <stream> <P|F> <text>`."""
    text = "".join(_contents(_tail(log, LOG_LIMIT_BYTES * 4)))
    kept = "".join(text.splitlines(keepends=True)[-LOG_LIMIT_LINES:])
    return kept.encode()[-LOG_LIMIT_BYTES:].decode(errors="replace")


def _contents(tail: str) -> Iterator[str]:
    for line in tail.splitlines():
        parts = line.split(" ", 3)
        if len(parts) == 4 and parts[1] in ("stdout", "stderr"):
            yield parts[3] + ("" if parts[2] == "P" else "\n")
