"""What a benchmark shows: one table, and how it reads as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of one benchmark, all of the same run. `notes` say how they were taken."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", _line(self.columns), _line(["---"] * len(self.columns))]
        lines += [_line(row) for row in self.rows]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def spread(seconds: Sequence[float]) -> str:
    """The middle and the slow end of many measurements."""
    hundredths = quantiles(seconds, n=100)
    return f"p50 {milliseconds(hundredths[49])}, p99 {milliseconds(hundredths[98])}"
