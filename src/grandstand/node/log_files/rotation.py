"""Keep a container's log files small and few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .tape import rotated

# As the kubelet's containerLogMaxFiles: the file being written, and the older ones.
MOST_FILES = 5


def rotate(path: Path, max_bytes: int, reopen: Callable[[], bool], most_files: int = MOST_FILES) -> bool:
    """Set a log file aside when it is larger than `max_bytes`; whether it was.

    `reopen` tells the writer that its file was renamed, and is False when there is no writer any more. A crash between
    the two leaves no file at `path`: the writer is then told again.
    """
    try:
        size = path.lstat().st_size
    except FileNotFoundError:
        reopen()
        return False
    if size <= max_bytes:
        return False
    older = rotated(path)
    number = int(older[-1].suffix[1:]) + 1 if older else 1
    aside = path.with_name(f"{path.name}.{number:06}")
    path.rename(aside)
    if not reopen():
        aside.rename(path)
        return False
    for file in older[: max(0, len(older) + 2 - most_files)]:
        file.unlink(missing_ok=True)
    return True


def remove_logs(path: Path) -> None:
    """Delete a log with its older files."""
    for file in (*rotated(path), path):
        file.unlink(missing_ok=True)
