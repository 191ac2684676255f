"""What was saved between two artefacts of a folder, and how long to wait for more. Pure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

QUIET_SECONDS = 0.05
"""Editors and tools save several files, or one in several steps: so long nothing more must come."""
LONGEST_SECONDS = 1.0
"""And who never stops saving is served all the same."""
_MOST_NAMES = 5

Contents = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of files, each sorted."""

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def shown(self) -> str:
        """`changed app.py, removed old.py`; long lists are cut."""
        kinds = (("changed", self.changed), ("added", self.added), ("removed", self.removed))
        return ", ".join(f"{kind} {_some(names)}" for kind, names in kinds if names) or "changed nothing by name"


def contents_of(artefact: bytes) -> dict[str, tuple[int, int, int]]:
    """Checksum, size and mode of each file in a zip, by name."""
    with zipfile.ZipFile(io.BytesIO(artefact)) as archive:
        return {entry.filename: (entry.CRC, entry.file_size, entry.external_attr) for entry in archive.infolist()}


def changes_between(before: Contents, after: Contents) -> Changes:
    return Changes(
        tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(before.keys() - after.keys())),
    )


def seconds_to_wait(first: float, last: float, now: float) -> float:
    """How long more saves are waited for, after the `first` and the `last` so far; 0 when it is time to deploy."""
    return max(0.0, min(last + QUIET_SECONDS, first + LONGEST_SECONDS) - now)


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMES
    return " ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
