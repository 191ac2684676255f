"""The lines that Lambda writes around an invocation, and how a line is kept in a file. Pure: time is an argument."""

from __future__ import annotations

import time
from math import ceil

TAIL_BYTES = 4096


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}\n"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}\n"


def billed_ms(duration_ms: float, init_ms: float | None) -> int:
    """Whole milliseconds, at least one; initialisation is billed since August 2025."""
    return max(1, ceil(round(duration_ms + (init_ms or 0), 2)))


def report(
    request_id: str,
    duration_ms: float,
    memory_mb: int,
    used_bytes: int,
    *,
    init_ms: float | None = None,
    status: str = "",
    error_type: str = "",
) -> str:
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed_ms(duration_ms, init_ms)} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {ceil(used_bytes / 1048576)} MB",
    ]
    if init_ms is not None:
        parts.append(f"Init Duration: {init_ms:.2f} ms")
    return "\t".join(parts + _outcome(status, error_type)) + "\t\n"


def init_report(duration_ms: float, phase: str, status: str, error_type: str = "") -> str:
    """An initialisation that failed or took too long; `phase` is `init` or `invoke`."""
    parts = [f"INIT_REPORT Init Duration: {duration_ms:.2f} ms", f"Phase: {phase}", *_outcome(status, error_type)]
    return "\t".join(parts) + "\n"


def _outcome(status: str, error_type: str) -> list[str]:
    return [part for part in (status and f"Status: {status}", error_type and f"Error Type: {error_type}") if part]


def init_start(runtime: str) -> str:
    return f"INIT_START Runtime Version: {runtime}\n"


def timed_out(request_id: str, timeout_seconds: float, now: float) -> str:
    return f"{stamp(now, 3)} {request_id} Task timed out after {timeout_seconds:.2f} seconds\n\n"


def runtime_exited(request_id: str, words: str, error_type: str) -> str:
    return f"RequestId: {request_id} Error: {words}\n{error_type}\n"


def stamp(now: float, digits: int = 9) -> str:
    """Wall-clock seconds as RFC 3339, in UTC."""
    seconds = int(now)
    fraction = int((now - seconds) * 10**digits)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:0{digits}d}Z"


def kept(text: bytes, now: float) -> bytes:
    """Text as the log files keep it, every line with its time, as container logs are kept: `TIME stdout F LINE`.

    What ends without a line break is marked P: readers join it with what follows.
    """
    prefix = f"{stamp(now)} stdout ".encode()
    whole, newline, rest = text.rpartition(b"\n")
    lines = prefix + b"F " + whole.replace(b"\n", b"\n" + prefix + b"F ") + b"\n" if newline else b""
    return lines + (prefix + b"P " + rest + b"\n" if rest else b"")
