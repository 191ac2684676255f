"""Remember on disk which sandboxes there are: one file each, written before the sandbox is made, removed after it."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from .sandboxes import Record

log = logging.getLogger(__name__)


class Records:
    """The records in one directory. No fsync: what they speak of does not outlive a crash of the machine either."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> dict[str, Record]:
        """All records by Pod uid; one that cannot be read is removed, its sandbox with it as nobody's."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {}
        for file in self._directory.iterdir():
            try:
                record = msgspec.json.decode(file.read_bytes(), type=Record)
            except msgspec.DecodeError as error:
                log.warning("the sandbox record %s cannot be read (%s); its sandbox is removed", file, error)
                file.unlink()
            else:
                found[record.pod_uid] = record
        return found

    def write(self, record: Record) -> None:
        file = self._file(record.pod_uid)
        new = file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_bytes(msgspec.json.encode(record))
        new.replace(file)

    def remove(self, pod_uid: str) -> None:
        self._file(pod_uid).unlink(missing_ok=True)

    def _file(self, pod_uid: str) -> Path:
        return self._directory / f"{pod_uid}.json"
