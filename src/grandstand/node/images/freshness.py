"""Tell whether an image was built from what a build would be given now: a digest of it all, kept as a label."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

LABEL = "dev.grandstand.build.digest"


def build_digest(context: Path, containerfile: Path, build_args: Mapping[str, str], bases: Iterable[str]) -> str:
    """Of every file in the context (name, mode, content), the Containerfile, the arguments, and the bases' digests.

    Raises OSError for a file that cannot be read. Files that a build would not copy count too: rather once too often.
    """
    digest = hashlib.sha256()

    def add(*parts: str | bytes) -> None:
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8, "big") + data)

    add("containerfile", containerfile.read_bytes())
    for name, value in sorted(build_args.items()):
        add("argument", name, value)
    for base in sorted(bases):
        add("base", base)
    for path in _files(context):
        status = path.lstat()
        add("file", str(path.relative_to(context)), str(status.st_mode))
        if stat.S_ISLNK(status.st_mode):
            add(str(path.readlink()))
        elif stat.S_ISREG(status.st_mode):
            with path.open("rb") as file:
                add(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


def _files(directory: Path) -> Iterable[Path]:
    for folder, directories, files in os.walk(directory):
        directories.sort()
        for name in sorted([*directories, *files]):
            yield Path(folder, name)
