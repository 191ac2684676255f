"""How a container ended, from what its monitor and its cgroup tell. Pure but for reading two small files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SIGNAL_BASE = 128
LARGEST_SIGNAL = 64
# What Kubernetes shows for a container of which nobody knows how it ended.
UNKNOWN_CODE = 137


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """`code` is 128 + n after signal n; `finished_at` in seconds since the epoch."""

    code: int
    signal: int | None
    oom_killed: bool
    finished_at: float


def exit_of(code: int, oom_kills: int, finished_at: float) -> ContainerExit:
    """A program that ended well was not killed for memory, even when a child of it was."""
    signal = code - SIGNAL_BASE if SIGNAL_BASE < code <= SIGNAL_BASE + LARGEST_SIGNAL else None
    return ContainerExit(code, signal, oom_killed=oom_kills > 0 and code != 0, finished_at=finished_at)


def read_exit(exit_file: Path, oom_file: Path, oom_kills: int) -> ContainerExit | None:
    """The exit that conmon wrote (whole, by renaming), or None when it wrote none.

    The cgroup's count is exact, but gone after a reboot; conmon's oom file stays.
    """
    try:
        text, finished_at = exit_file.read_text(), exit_file.stat().st_mtime
    except FileNotFoundError:
        return None
    return exit_of(int(text), max(oom_kills, int(oom_file.exists())), finished_at)
