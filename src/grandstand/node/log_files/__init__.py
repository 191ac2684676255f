"""Read and rotate the log files that conmon writes in the CRI's format."""

from __future__ import annotations

from .reading import read
from .records import LogRecord, parse_record
from .rotation import remove_logs, rotate

__all__ = ["LogRecord", "parse_record", "read", "remove_logs", "rotate"]
