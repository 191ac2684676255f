"""Check, and where asked for make, the path of a `hostPath` volume."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from .plan import HostPath

_TESTS: Mapping[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


class BadHostPath(ValueError):
    """A `hostPath` that is not there, or not what its type says."""


def prepare_host_path(source: HostPath) -> None:
    """Raises BadHostPath in Kubernetes' words."""
    if source.type not in ("", *_TESTS):
        raise BadHostPath(f"hostPath type {source.type!r} is unknown: use one of {', '.join(_TESTS)}")
    if not source.path.exists():
        _make(source.path, source.type)
    if source.type:
        test, what = _TESTS[source.type]
        if not source.path.exists() or not test(source.path.stat().st_mode):
            raise BadHostPath(f"hostPath type check failed: {source.path} is not a {what}")


def _make(path: Path, kind: str) -> None:
    if kind in ("", "DirectoryOrCreate"):
        path.mkdir(parents=True, exist_ok=True, mode=0o755)
    elif kind == "FileOrCreate" and path.parent.is_dir():
        path.touch(mode=0o644)
