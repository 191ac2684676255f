"""Replace all files of a volume at once, as programs that watch ConfigMaps expect it.

The files lie in a directory `..<something>`; the link `..data` leads to it, and `name` to `..data/name`. A new version
is written beside the old one, and the link replaced: a reader sees the old files or the new ones, never some of each.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .plan import File

DATA = "..data"


def write_files(directory: Path, files: Mapping[str, File], gid: int | None) -> bool:
    """Make a directory hold these files, of this group. Returns False when it does already."""
    current = directory / DATA
    if current.is_symlink() and _holds(current, files):
        return False
    old = current.readlink() if current.is_symlink() else None
    new = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    new.chmod(0o755)
    for path, file in files.items():
        _write(new, path, file, gid)
    link = directory / f"{DATA}_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(new.name)
    link.replace(current)
    _show(directory, {path.partition("/")[0] for path in files})
    if old is not None:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def _write(root: Path, path: str, file: File, gid: int | None) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    mode = file.mode if gid is None else file.mode | 0o440
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.content)
        if gid is not None:
            os.fchown(descriptor, -1, gid)
        os.fchmod(descriptor, mode)


def _show(directory: Path, names: set[str]) -> None:
    """Keep one link for each name at the top, and no other."""
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"{DATA}/{name}")


def _holds(current: Path, files: Mapping[str, File]) -> bool:
    found = {str(path.relative_to(current)): path for path in current.rglob("*") if path.is_file()}
    return found.keys() == files.keys() and all(
        found[path].read_bytes() == file.content for path, file in files.items()
    )
