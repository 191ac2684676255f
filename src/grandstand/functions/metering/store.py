"""Keep the ledgers: one JSON file a UTC day, replaced whole. `live` has the pages that are not all counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from grandstand.errors import PlatformError
from grandstand.private_files import write_private

from .ledger import Counts, Ledger, Metered

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json")


class _Row(msgspec.Struct):
    function: str
    version: str
    architecture: str
    requests: int
    billed_ms: int
    mb_ms: int


class _File(msgspec.Struct):
    flushed_at: float
    rows: list[_Row]
    counted: dict[str, tuple[int, int, int]]


def metering_path(data: Path) -> Path:
    """Where the ledgers of an engine lie."""
    return data / "functions" / "metering"


def live_path(root: Path) -> Path:
    """Where the pages lie that may hold more than is counted."""
    return root / "live"


def day_of(seconds: float) -> str:
    """The UTC day of a time since the epoch, e.g. 2026-11-27."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def load(root: Path, day: str) -> Ledger:
    """A day's ledger; an empty one where there is none. Raises PlatformError for a file that is none, OSError."""
    path = root / f"{day}.json"
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return Ledger()
    except msgspec.DecodeError as error:
        message = f"{path} is no ledger ({error}): move it away to go on without what was counted on that day."
        raise PlatformError(message) from error
    rows = {
        Metered(row.function, row.version, row.architecture): Counts(row.requests, row.billed_ms, row.mb_ms)
        for row in file.rows
    }
    return Ledger(rows, {name: Counts(*counts) for name, counts in file.counted.items()}, file.flushed_at)


def load_all(root: Path) -> dict[str, Ledger]:
    """Every day's. Raises as `load`."""
    names = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    return {
        name.removesuffix(".json"): load(root, name.removesuffix(".json")) for name in names if _DAY.fullmatch(name)
    }


def save(root: Path, day: str, ledger: Ledger) -> None:
    """Replace a day's ledger; it is on disk afterwards. Raises OSError."""
    rows = [
        _Row(metered.function, metered.version, metered.architecture, counts.requests, counts.billed_ms, counts.mb_ms)
        for metered, counts in sorted(ledger.rows.items())
    ]
    write_private(root / f"{day}.json", msgspec.json.encode(_File(ledger.flushed_at, rows, _plain(ledger.counted))))


def _plain(counted: Mapping[str, Counts]) -> dict[str, tuple[int, int, int]]:
    return {name: (counts.requests, counts.billed_ms, counts.mb_ms) for name, counts in counted.items()}
