"""The arithmetic of one day's ledger: what meter pages show beyond what was counted before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counts:
    """`mb_ms` is each request's memory, in MB of 1,024 a GB, times its billed milliseconds."""

    requests: int = 0
    billed_ms: int = 0
    mb_ms: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.requests + other.requests, self.billed_ms + other.billed_ms, self.mb_ms + other.mb_ms)

    def beyond(self, before: Counts) -> Counts:
        """What has come since; a page that lost its end when the machine died shows less, and adds nothing."""
        return Counts(
            max(self.requests - before.requests, 0),
            max(self.billed_ms - before.billed_ms, 0),
            max(self.mb_ms - before.mb_ms, 0),
        )

    def most(self, other: Counts) -> Counts:
        """The greater of each: counts of one instance never fall."""
        return self + other.beyond(self)


NOTHING = Counts()


@dataclass(frozen=True, slots=True, order=True)
class Metered:
    """Whose requests are counted. The name stays when the function is deleted."""

    function: str
    version: str
    architecture: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one instance has done since it was bound."""

    instance: str
    metered: Metered
    counts: Counts


@dataclass(frozen=True, slots=True)
class Ledger:
    """One day. `counted` is what of each instance is in this ledger or an older one; written with `rows` or not at all.

    `flushed_at` is in seconds since the epoch.
    """

    rows: Mapping[Metered, Counts] = field(default_factory=dict)
    counted: Mapping[str, Counts] = field(default_factory=dict)
    flushed_at: float = 0.0

    def settled(self, counted: Mapping[str, Counts], pages: Iterable[Page], now: float) -> Ledger:
        """With what `pages` show beyond `counted`, the newest of any day; itself where that is nothing."""
        rows, known = dict(self.rows), dict(counted)
        for page in pages:
            more = page.counts.beyond(known.get(page.instance, NOTHING))
            if more != NOTHING:
                rows[page.metered] = rows.get(page.metered, NOTHING) + more
                known[page.instance] = known.get(page.instance, NOTHING).most(page.counts)
        return self if rows == self.rows else Ledger(rows, known, now)


def counted_in(ledgers: Iterable[Ledger]) -> dict[str, Counts]:
    """What of each instance is in any ledger."""
    known: dict[str, Counts] = {}
    for ledger in ledgers:
        for instance, counts in ledger.counted.items():
            known[instance] = known.get(instance, NOTHING).most(counts)
    return known
