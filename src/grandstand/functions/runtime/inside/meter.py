"""The meter page: what an instance has done, in numbers that the engine reads from shared memory."""

from __future__ import annotations

import mmap
import struct

MAGIC = 0x4753464D31
SIZE_BYTES = 4096
FIELDS = (
    "invocations",
    "errors",
    "billed_ms",
    "mb_ms",
    "init_ms",
    "in_flight",
    "last_change",
    "timeouts",
    "max_memory_bytes",
)
"""After magic number and sequence. `last_change` is CLOCK_BOOTTIME in nanoseconds, `mb_ms` memory by billed time."""
_PAGE = struct.Struct(f"<{2 + len(FIELDS)}Q")
_SEQUENCE = struct.Struct("<Q")


class Meter:
    """Writes the page. A reader that sees an odd sequence, or another one afterwards, reads again."""

    __slots__ = ("_page", "_sequence", *FIELDS)

    def __init__(self, page: mmap.mmap) -> None:
        self._page = page
        self._sequence = 0
        self.invocations = 0
        self.errors = 0
        self.billed_ms = 0
        self.mb_ms = 0
        self.init_ms = 0
        self.in_flight = 0
        self.last_change = 0
        self.timeouts = 0
        self.max_memory_bytes = 0

    def write(self, boot_time_ns: int) -> None:
        self.last_change = boot_time_ns
        _SEQUENCE.pack_into(self._page, 8, self._sequence + 1)
        self._sequence += 2
        _PAGE.pack_into(
            self._page,
            0,
            MAGIC,
            self._sequence - 1,
            self.invocations,
            self.errors,
            self.billed_ms,
            self.mb_ms,
            self.init_ms,
            self.in_flight,
            self.last_change,
            self.timeouts,
            self.max_memory_bytes,
        )
        _SEQUENCE.pack_into(self._page, 8, self._sequence)


def read_page(page: bytes, *, abandoned: bool = False) -> dict[str, int] | None:
    """The fields, or None while the page is being written; each is old or new where its writer was killed meanwhile."""
    magic, sequence, *values = _PAGE.unpack_from(page)
    return dict(zip(FIELDS, values, strict=False)) if magic == MAGIC and (abandoned or not sequence % 2) else None
