"""Keep the newest state of every object in one SQLite file.

Invariant: when `commit` has returned, its changes are on disk. WAL with `synchronous=FULL` syncs the log once per
commit, and a crash leaves all of a commit or nothing. History is not kept: after a restart every watch lists again,
which on one machine costs milliseconds, while keeping it would write every change twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from grandstand import sqlite_files
from grandstand.client import EventType
from grandstand.errors import PlatformError
from grandstand.sqlite_files import Format

from .records import Change, Stored, StoreKey, decode

CREATE = (
    """
    CREATE TABLE objects (
        resource TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (resource, namespace, name)
    ) STRICT
    """,
    "CREATE TABLE store (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT",
    "INSERT INTO store (id, revision) VALUES (1, 0)",
)
FORMAT = Format(application_id=0x6772_7374, schema_version=1, create=CREATE)
"""The application is "grst"."""

SELECT = "SELECT resource, namespace, name, revision, value FROM objects"
UPSERT = """
INSERT INTO objects (resource, namespace, name, revision, value) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET revision = excluded.revision, value = excluded.value
"""
DELETE = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
ADVANCE = "UPDATE store SET revision = ?"


class Database:
    """A SQLite file of objects, held by one process at a time. All calls must come from one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> tuple[list[Stored], int]:
        """Everything stored, and the newest revision. Raises PlatformError where the file cannot be used."""
        try:
            self._connection = sqlite_files.connect(self._path)
            sqlite_files.prepare(self._connection, self._path, FORMAT)
            return self._load(self._connection)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise PlatformError(
                f"cannot open the database {self._path}: {error}. {sqlite_files.advice(error)}"
            ) from error
        except PlatformError:
            self.close()
            raise

    def commit(self, changes: Sequence[Change]) -> None:
        """Make changes durable, all or none. Raises sqlite3.Error or OSError; the next commit may succeed."""
        if self._connection is None:
            self._connection = sqlite_files.connect(self._path)
        last = {change.key: change for change in changes}
        kept = [(*c.key, c.revision, c.encoded) for c in last.values() if c.type is not EventType.DELETED]
        gone = [change.key for change in last.values() if change.type is EventType.DELETED]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(UPSERT, kept)
            self._connection.executemany(DELETE, gone)
            self._connection.execute(ADVANCE, (changes[-1].revision,))
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def close(self) -> None:
        """Close the file; with a clean end the log is folded into it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _load(self, connection: sqlite3.Connection) -> tuple[list[Stored], int]:
        revision = sqlite_files.number(connection, "SELECT revision FROM store")
        stored = []
        for *key, row_revision, value in connection.execute(SELECT):
            try:
                item = decode(StoreKey(*key), value)
            except (ValueError, KeyError, TypeError) as error:
                raise self._damaged(f"the object {'/'.join(key)} is unreadable: {error}") from error
            if not item.revision == row_revision <= revision:
                raise self._damaged(f"the object {'/'.join(key)} has revision {row_revision}, the store {revision}")
            stored.append(item)
        return stored, revision

    def _damaged(self, why: str) -> PlatformError:
        return PlatformError(
            f"the database {self._path} is damaged: {why}. "
            "Restore it from a backup, or start with another data directory and apply the manifests again."
        )

    def _roll_back(self) -> None:
        connection = self._connection
        try:
            # Some errors, such as a full disk, end the transaction by themselves.
            if connection is not None and connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # What this connection believes can no longer be trusted: the next commit makes a new one.
            self._connection = None
            with suppress(sqlite3.Error):
                if connection is not None:
                    connection.close()
