"""Read what functions did in a month: the ledgers, and the pages that are ahead of them. Needs no running engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import pages, store
from .ledger import Counts, Ledger, Metered, Page, counted_in

TRIES = 10
"""To see pages and ledgers of one moment, while an engine writes them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one day (UTC)."""

    day: str
    metered: Metered
    counts: Counts


@dataclass(frozen=True, slots=True)
class Figures:
    """`newest` is when the last of them, of any day, was counted, in seconds; None where nothing was."""

    usage: tuple[Usage, ...]
    newest: float | None


def figures(data: Path, month: str) -> Figures:
    """Of a month like 2026-11, in the order of days and names. Raises PlatformError, OSError."""
    ledgers, ahead = _of_one_moment(store.metering_path(data))
    counted = counted_in(ledgers.values())
    for changed, page in ahead:
        day = store.day_of(changed)
        ledgers[day] = ledgers.get(day, Ledger()).settled(counted, [page], changed)
    usage = [
        Usage(day, metered, counts)
        for day, ledger in sorted(ledgers.items())
        if day.startswith(f"{month}-")
        for metered, counts in sorted(ledger.rows.items())
    ]
    return Figures(tuple(usage), max((ledger.flushed_at for ledger in ledgers.values()), default=None))


def _of_one_moment(root: Path) -> tuple[dict[str, Ledger], list[tuple[float, Page]]]:
    """Pages first: one that is counted meanwhile is in the ledgers, and one that has gone meanwhile shows that."""
    for _ in range(TRIES):
        before = list(pages.found(store.live_path(root)))
        ahead = []
        for metered, instance, path in before:
            page = pages.read(path, metered, instance, abandoned=False)
            if page is not None:
                ahead.append((path, page))
        ledgers = store.load_all(root)
        try:
            return ledgers, [(path.stat().st_mtime, page) for path, page in ahead]
        except FileNotFoundError:
            continue
    return store.load_all(root), []
