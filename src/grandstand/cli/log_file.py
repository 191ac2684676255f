"""Keep the log of a detached engine in files of bounded size."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

MOST_BYTES = 10 * 2**20
OLDER_FILES = 4
"""Beside the newest: `engine.log.1` and on."""


class LogFile(RotatingFileHandler):
    """Appends to a log; `followers` are descriptors (stdout, stderr) that write to the newest file as well.

    What is written to them while files change goes to the older file: no line is lost.
    """

    def __init__(self, path: Path, followers: Sequence[int], most_bytes: int = MOST_BYTES) -> None:
        self._followers = followers
        super().__init__(path, maxBytes=most_bytes, backupCount=OLDER_FILES, encoding="utf-8")

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        stream = os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8")
        for descriptor in self._followers:
            os.dup2(stream.fileno(), descriptor)
        return stream
