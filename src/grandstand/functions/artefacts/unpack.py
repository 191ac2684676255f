"""Open zips, and write what is planned of them: read-only, and durable before it is seen."""

from __future__ import annotations

import io
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from grandstand.errors import ArtefactRefused

from .entries import MOST_ENTRIES, MOST_ZIPPED_BYTES, Entry, Kind, check_link
from .entries import Path as EntryPath

NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
_MOST_DIRECTORY_BYTES = 24 * 1024 * 1024
_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END_64_BYTES = 56
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, ValueError, struct.error)


def open_zip(content: bytes) -> zipfile.ZipFile:
    """A zip in memory. Raises ArtefactRefused for what is none, too large, or has too many entries."""
    if not content:
        raise ArtefactRefused("Uploaded file must be a non-empty zip")
    if len(content) > MOST_ZIPPED_BYTES:
        raise ArtefactRefused(f"Zipped size must be smaller than {MOST_ZIPPED_BYTES} bytes")
    if _directory_bytes(content) > _MOST_DIRECTORY_BYTES:
        raise ArtefactRefused(f"The zip has more than {MOST_ENTRIES} entries.")
    try:
        opened = zipfile.ZipFile(io.BytesIO(content))
    except _BROKEN as error:
        raise ArtefactRefused(NOT_A_ZIP) from error
    infos = opened.infolist()
    if not infos:
        raise ArtefactRefused("Uploaded file must be a non-empty zip")
    if len(infos) > MOST_ENTRIES:
        raise ArtefactRefused(f"The zip has more than {MOST_ENTRIES} entries.")
    return opened


def _directory_bytes(content: bytes) -> int:
    """The size of the central directory, which zipfile reads into memory whole, as large as it may be."""
    end = content.rfind(_END, max(0, len(content) - _END_BYTES - 0xFFFF))
    if end < 0 or end + _END_BYTES > len(content):
        raise ArtefactRefused(NOT_A_ZIP)
    size: int = struct.unpack_from("<L", content, end + 12)[0]
    record = end - _LOCATOR_BYTES - _END_64_BYTES
    if record >= 0 and content[end - _LOCATOR_BYTES :].startswith(_LOCATOR):
        size = struct.unpack_from("<Q", content, record + 40)[0]
    return size


def write_tree(root: Path, entries: Mapping[EntryPath, tuple[int, Entry]], zips: Sequence[zipfile.ZipFile]) -> None:
    """Unpack into a directory that is not there yet. Parents come before what is in them; links are made last."""
    root.mkdir(mode=0o755)
    links = [(number, entry) for number, entry in entries.values() if entry.kind is Kind.LINK]
    try:
        for path, (number, entry) in entries.items():
            place = root.joinpath(*path)
            if entry.kind is Kind.DIRECTORY:
                place.mkdir(mode=0o755, exist_ok=True)
            elif entry.kind is Kind.FILE:
                _write_file(place, entry, zips[number])
        for number, entry in links:
            assert entry.source is not None
            target = zips[number].read(entry.source).decode()
            check_link(entry, target)
            root.joinpath(*entry.path).symlink_to(target)
    except _BROKEN as error:
        raise ArtefactRefused(NOT_A_ZIP) from error
    _seal(root, entries)


def _write_file(place: Path, entry: Entry, opened: zipfile.ZipFile) -> None:
    assert entry.source is not None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with opened.open(entry.source) as source, os.fdopen(os.open(place, flags, 0o600), "wb") as file:
        shutil.copyfileobj(source, file, 1 << 18)  # at most the size that was planned with: zipfile stops there
        os.fchmod(file.fileno(), 0o555 if entry.executable else 0o444)


def _seal(root: Path, entries: Mapping[EntryPath, tuple[int, Entry]]) -> None:
    """Take away the right to write, whatever the umask has left."""
    for path, (_, entry) in reversed(list(entries.items())):
        if entry.kind is Kind.DIRECTORY:
            root.joinpath(*path).chmod(0o555)
    root.chmod(0o555)
