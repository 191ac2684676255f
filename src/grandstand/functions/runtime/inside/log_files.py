"""Write what a function prints into two files in turn, so that neither grows without end."""

from __future__ import annotations

import os
import time

from .log_lines import TAIL_BYTES, kept

MOST_BYTES = 8 * 1024 * 1024


class LogFiles:
    """Both files are open for appending. `tail` gathers for a caller what is written meanwhile."""

    def __init__(self, first: int, second: int) -> None:
        self._files = [first, second]
        self._size = os.fstat(first).st_size
        self.tail: bytearray | None = None

    def write(self, text: bytes, now: float) -> None:
        if self.tail is not None:
            self.tail += text
            del self.tail[:-TAIL_BYTES]
        lines = kept(text, now)
        if self._size + len(lines) > MOST_BYTES:
            self._files.reverse()
            os.ftruncate(self._files[0], 0)
            self._size = 0
        self._size += len(lines)
        while lines:
            lines = lines[os.write(self._files[0], lines) :]

    def drain(self, output: int, *, once: bool = False) -> bool:
        """Write what was printed into a pipe; False when nobody can print any more."""
        for _ in range(1 if once else 64):
            try:
                text = os.read(output, 65_536)
            except BlockingIOError:
                return True
            if not text:
                return False
            self.write(text, time.time())
        return True
