"""Decide what of a zip is unpacked, and with which modes. Pure.

Entries that no honest archive has are refused, not repaired: a function that runs here must run on AWS, and there a
repaired one would not.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from zipfile import ZipInfo

from grandstand.errors import ArtefactRefused

MOST_ZIPPED_BYTES = 50 * 1024 * 1024
MOST_UNZIPPED_BYTES = 262_144_000
"""250 MB, of code and layers together."""
MOST_ENTRIES = 200_000
MOST_NAME_BYTES = 255
MOST_LINK_BYTES = 1024
_ENCRYPTED = 0x1
_MADE_ON_UNIX = (3, 19)
"""Unix and macOS: the only ones whose external attributes hold a mode."""

Path = tuple[str, ...]


class Kind(Enum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to unpack: `path` below the root; `source` finds its bytes (None for directories)."""

    path: Path
    kind: Kind
    executable: bool = False
    size_bytes: int = 0
    source: ZipInfo | None = None

    @property
    def name(self) -> str:
        return "/".join(self.path)


def plan(infos: Iterable[ZipInfo]) -> dict[Path, Entry]:
    """What to unpack, by path, directories before what lies in them. Raises ArtefactRefused."""
    planned: dict[Path, Entry] = {}
    for info in infos:
        entry = _entry(info)
        if not entry.path:
            continue
        for depth in range(1, len(entry.path)):
            parent = planned.setdefault(entry.path[:depth], Entry(entry.path[:depth], Kind.DIRECTORY))
            if parent.kind is not Kind.DIRECTORY:
                raise ArtefactRefused(f"The zip has entries below {parent.name}, which is a {parent.kind.value}.")
        known = planned.get(entry.path)
        if known is not None and not known.kind is entry.kind is Kind.DIRECTORY:
            raise ArtefactRefused(f"The zip has two entries named {entry.name}: keep one.")
        planned.setdefault(entry.path, entry)
    if sum(entry.size_bytes for entry in planned.values()) > MOST_UNZIPPED_BYTES:
        raise ArtefactRefused(too_large())
    return planned


def too_large() -> str:
    return f"Unzipped size must be smaller than {MOST_UNZIPPED_BYTES} bytes"


def merge(plans: Iterable[Mapping[Path, Entry]]) -> dict[Path, tuple[int, Entry]]:
    """Several archives over each other, the last on top: of each path the archive that it comes from."""
    merged: dict[Path, tuple[int, Entry]] = {}
    for number, planned in enumerate(plans):
        for path, entry in planned.items():
            below = merged.get(path)
            if below is not None and below[1].kind is entry.kind is Kind.DIRECTORY:
                continue
            if below is not None and below[1].kind is Kind.DIRECTORY:
                for hidden in [other for other in merged if other[: len(path)] == path]:
                    del merged[hidden]
            merged[path] = (number, entry)
    return merged


def check_link(entry: Entry, target: str) -> None:
    """Raise ArtefactRefused for a link that may lead out of the root.

    `..` is taken only at the beginning: behind the name of another link it would not mean what it seems to.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    upwards = 0
    while parts and parts[0] == "..":
        parts.pop(0)
        upwards += 1
    leads_out = target.startswith("/") or upwards >= len(entry.path) or ".." in parts
    if not target or "\0" in target or leads_out:
        raise ArtefactRefused(f"The zip has a link that leads out of it: {entry.name} -> {target}.")


def _entry(info: ZipInfo) -> Entry:
    if info.flag_bits & _ENCRYPTED:
        raise ArtefactRefused(f"The zip is encrypted ({info.filename}): make one without a password.")
    path = _path(info.filename)
    mode = info.external_attr >> 16 if info.create_system in _MADE_ON_UNIX else 0
    format_ = stat.S_IFMT(mode)
    if info.is_dir() or format_ == stat.S_IFDIR:
        return Entry(path, Kind.DIRECTORY)
    if format_ == stat.S_IFLNK:
        if info.file_size > MOST_LINK_BYTES:
            raise ArtefactRefused(f"The zip has a link with a target of {info.file_size} bytes: {info.filename}.")
        return Entry(path, Kind.LINK, source=info)
    if format_ not in (0, stat.S_IFREG):
        raise ArtefactRefused(f"The zip has something that is no file, directory or link: {info.filename}.")
    permissions = stat.S_IMODE(mode)
    if permissions and not permissions & stat.S_IROTH:
        raise ArtefactRefused(
            f"Code runs as another user, who may not read {info.filename} (mode {permissions:04o}): "
            "chmod 644 it (755 for programs) before it is zipped; with Python's zipfile, set ZipInfo.external_attr."
        )
    return Entry(path, Kind.FILE, bool(permissions & 0o111), info.file_size, info)


def _path(name: str) -> Path:
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ArtefactRefused(f"The zip has a path that leads out of it: {name!r}.")
    if not parts and not name.endswith("/"):
        raise ArtefactRefused(f"The zip has an entry without a name: {name!r}.")
    if any(len(part.encode(errors="surrogateescape")) > MOST_NAME_BYTES for part in parts) or len(parts) > 100:
        raise ArtefactRefused(f"The zip has a path that is too long: {name[:80]}….")
    return parts
