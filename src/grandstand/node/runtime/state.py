"""Remember containers on disk, so that the next engine finds them: one directory per container."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from grandstand.node.processes import ProcessKey, process_key

from .host import boot_id
from .spec import CONTAINER_ID, ContainerSpec, decode_spec, encode_spec


@dataclass(frozen=True, slots=True)
class Record:
    """A container that was created completely: when, in which boot, and its two processes (None: ended at once)."""

    created_at: float
    boot: str
    monitor: ProcessKey | None
    init: ProcessKey | None


class Shelf:
    """The state directory of one container, `containers/<id>/`, which is also its OCI bundle and conmon's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "config.json"
        self.monitor_pid = directory / "conmon.pid"
        self.monitor_log = directory / "conmon.log"
        self.init_pid = directory / "pid"
        self.exit = directory / "exit"
        self.oom = directory / "oom"
        self.control = directory / "ctl"
        self.attach = directory / "attach"
        self.stdin = directory / "stdin"
        self._spec = directory / "spec.json"
        self._record = directory / "record.json"
        self._started = directory / "started"

    @property
    def id(self) -> str:
        return self.directory.name

    def make(self, spec: ContainerSpec, config: bytes) -> None:
        """Raises FileExistsError when there is a container of this id."""
        self.directory.mkdir(mode=0o700, parents=True)
        _write(self.config, config)
        _write(self._spec, encode_spec(spec))

    def spec(self) -> ContainerSpec | None:
        """None when the engine died before anything was launched."""
        text = _read(self._spec)
        return decode_spec(text) if text else None

    def save(self, record: Record) -> None:
        _write(self._record, msgspec.json.encode(record))

    def record(self) -> Record | None:
        """What was saved; or, when the engine died before saving, what the monitor has written; or None."""
        if text := _read(self._record):
            return msgspec.json.decode(text, type=Record)
        return self._recovered()

    def _recovered(self) -> Record | None:
        monitor = _process_of(self.monitor_pid)
        # The pid file may be of an earlier boot, and the pid another program's by now.
        if monitor and self.id.encode() not in _read(Path(f"/proc/{monitor.pid}/cmdline")).split(b"\0"):
            monitor = None
        if monitor is None and not self.exit.exists():
            return None
        init = _process_of(self.init_pid) if monitor else None
        return Record(self.created_at(), boot_id(), monitor, init)

    def created_at(self) -> float:
        """When its making began."""
        return self.config.stat().st_mtime

    def mark_started(self, at: float | None) -> None:
        """Remember when the program was let go; None: it was not, after all."""
        if at is None:
            self._started.unlink(missing_ok=True)
        else:
            _write(self._started, repr(at).encode())

    def started_at(self) -> float | None:
        text = _read(self._started)
        return float(text) if text else None

    def write_exit(self, code: int) -> None:
        """In place of a monitor that cannot any more."""
        _write(self.exit, str(code).encode())

    def destroy(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def shelves(directory: Path) -> Iterator[Shelf]:
    """Every container's directory, whatever state it is in."""
    if directory.is_dir():
        for path in sorted(directory.iterdir()):
            if CONTAINER_ID.fullmatch(path.name):
                yield Shelf(path)


def _process_of(pid_file: Path) -> ProcessKey | None:
    text = _read(pid_file).strip()
    return process_key(int(text)) if text.isdigit() else None


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, even when the engine is killed meanwhile; readable by its owner only."""
    part = path.with_name(f"{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    part.replace(path)


def _read(path: Path) -> bytes:
    """The content, or nothing where there is no such file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
