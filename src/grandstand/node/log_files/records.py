"""The CRI's log format, one record per line: `time stream P|F content`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from grandstand.clock import parse_time


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A line, or (`partial`) the beginning of one that was longer than the monitor's buffer or not yet ended."""

    time: str
    stream: str
    partial: bool
    content: bytes

    @property
    def seconds(self) -> float:
        return parse_time(self.time)


def parse_record(line: bytes) -> LogRecord | None:
    """A line without its newline; None when it is torn, as after the monitor was killed."""
    fields = line.split(b" ", 3)
    if len(fields) != 4 or fields[1] not in (b"stdout", b"stderr") or fields[2] not in (b"P", b"F"):
        return None
    return LogRecord(fields[0].decode(errors="replace"), fields[1].decode(), fields[2] == b"P", fields[3])


def is_line_end(line: bytes) -> bool:
    """Whether a record ends a line of the program's output."""
    return line[:80].split(b" ", 3)[2:3] == [b"F"]


class Joiner:
    """Makes the program's lines out of records: parts of a line are held until it ends, per stream.

    So that lines of standard output and error do not run into each other. `flush` gives what is held, for a reader
    that waits: a prompt has no newline.
    """

    def __init__(self, *, since: float | None = None, timestamps: bool = False) -> None:
        self._since = since
        self._timestamps = timestamps
        self._held: dict[str, bytes] = {}
        self._begun: set[str] = set()

    def add(self, line: bytes) -> bytes:
        """What can be shown now that this record has come."""
        record = parse_record(line)
        if record is None or (self._since is not None and record.seconds < self._since):
            return b""
        text = self._held.pop(record.stream, b"")
        if self._timestamps and not text and record.stream not in self._begun:
            text = f"{record.time.replace('+00:00', 'Z')} ".encode()
        text += record.content
        if record.partial:
            self._held[record.stream] = text
            return b""
        self._begun.discard(record.stream)
        return text + b"\n"

    def flush(self) -> bytes:
        """The beginnings of lines that have not ended."""
        text = b"".join(self._held.values())
        self._begun.update(self._held)
        self._held.clear()
        return text
