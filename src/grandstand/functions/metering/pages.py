"""Find and read the meter pages of instances: linked here when an instance is bound, so that they outlive it.

The file's name says whose it is, `function,version,architecture,instance`: one link is all that a start costs, and an
engine that was killed leaves what the next one needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from grandstand.functions.runtime.inside.meter import SIZE_BYTES, read_page

from .ledger import NOTHING, Counts, Metered, Page

READINGS = 5
"""Of a page that is being written, at most: the next flush reads it again."""


def link(root: Path, metered: Metered, instance: str, meter: Path) -> None:
    """Keep the page of an instance. Raises OSError."""
    os.link(meter, root / _name(metered, instance))


def unlink(root: Path, metered: Metered, instance: str) -> None:
    """The page is counted and nobody writes it any more."""
    (root / _name(metered, instance)).unlink(missing_ok=True)


def found(root: Path) -> Iterator[tuple[Metered, str, Path]]:
    """Each page that is kept: whose it is, of which instance, and its file."""
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        parts = [unquote(part) for part in path.name.split(",")]
        if len(parts) == 4:
            function, version, architecture, instance = parts
            yield Metered(function, version, architecture), instance, path


def read(path: Path, metered: Metered, instance: str, *, abandoned: bool) -> Page | None:
    """None while it is being written, or when it is gone; an `abandoned` page is read as it was left."""
    for _ in range(READINGS):
        try:
            first, second = path.read_bytes(), path.read_bytes()
        except FileNotFoundError:
            return None
        if not any(first):
            return Page(instance, metered, NOTHING)
        # One that changed between two readings may have changed during the first.
        fields = read_page(first, abandoned=abandoned) if first == second and len(first) == SIZE_BYTES else None
        if fields is not None:
            return Page(instance, metered, Counts(fields["invocations"], fields["billed_ms"], fields["mb_ms"]))
    return None


def _name(metered: Metered, instance: str) -> str:
    parts = (metered.function, metered.version, metered.architecture, instance)
    return ",".join(quote(part, safe="$") for part in parts)
