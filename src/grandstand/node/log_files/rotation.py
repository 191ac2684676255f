"""Keep a container's log files small and few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .tape import rotated

# As the kubelet's containerLogMaxFiles: the file being written, and the older ones.
MOST_FILES = 5
FLOOD_FACTOR = 2
"""Files are longer than asked for by what is written between two looks; more than twice the whole is a flood."""


def rotate(path: Path, max_bytes: int, reopen: Callable[[], bool], most_files: int = MOST_FILES) -> bool:
    """Set a log file aside when it is larger than `max_bytes`; whether it was.

    `reopen` tells the writer that its file was renamed, and is False when there is no writer any more. A crash between
    the two leaves no file at `path`: the writer is then told again.

    What is kept is limited in bytes, too: a program can write gigabytes before anybody looks at its log.
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
    _forget([*older, aside], most_files - 1, FLOOD_FACTOR * max_bytes * most_files)
    return True


def _forget(files: list[Path], most_files: int, most_bytes: int) -> None:
    """Delete the oldest files until the rest is few and small enough."""
    sizes = [file.lstat().st_size for file in files]
    while files and (len(files) > most_files or sum(sizes) > most_bytes):
        files.pop(0).unlink(missing_ok=True)
        sizes.pop(0)


def remove_logs(path: Path) -> None:
    """Delete a log with its older files."""
    for file in (*rotated(path), path):
        file.unlink(missing_ok=True)
