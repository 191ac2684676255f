"""Keep queues and their messages in one SQLite file.

Invariant: when `run` has returned, what its steps did is on disk, with one sync for all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grandstand import sqlite_files
from grandstand.errors import PlatformError
from grandstand.sqlite_files import Format

CREATE = (
    """
    CREATE TABLE queues (
        name TEXT PRIMARY KEY,
        settings TEXT NOT NULL,
        tags TEXT NOT NULL,
        created REAL NOT NULL,
        changed REAL NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL REFERENCES queues (name) ON DELETE CASCADE,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        attributes TEXT NOT NULL,
        sent_ms INTEGER NOT NULL,
        visible_ms INTEGER NOT NULL,
        receives INTEGER NOT NULL DEFAULT 0,
        first_received_ms INTEGER NOT NULL DEFAULT 0,
        receipt TEXT NOT NULL DEFAULT '',
        source TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    "CREATE INDEX due ON messages (queue, visible_ms, number)",
    "CREATE INDEX age ON messages (queue, sent_ms)",
)
FORMAT = Format(application_id=0x6772_7175, schema_version=1, create=CREATE)
"""The application is "grqu"."""

Step = Callable[[sqlite3.Connection], Any]
"""Reads and writes rows; what it raises undoes what it did, and nothing else."""


class QueueDatabase:
    """A SQLite file of queues, held by one process at a time. All calls must come from one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Raises PlatformError where the file cannot be used."""
        try:
            self._connection = sqlite_files.connect(self._path)
            self._connection.execute("PRAGMA foreign_keys = ON")
            sqlite_files.prepare(self._connection, self._path, FORMAT)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise PlatformError(
                f"cannot open the queues in {self._path}: {error}. {sqlite_files.advice(error)}"
            ) from error
        except PlatformError:
            self.close()
            raise

    def run(self, steps: Sequence[Step]) -> list[Any]:
        """Do steps in one transaction: for each its result, or the exception that undid it.

        Raises PlatformError when nothing was kept; the next run may succeed.
        """
        connection = self._connection
        if connection is None:
            raise PlatformError(f"the queues in {self._path} are closed")
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [_tried(connection, step) for step in steps]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise PlatformError(f"cannot write the queues in {self._path}: {error}") from error
        return results

    def close(self) -> None:
        """Close the file; with a clean end the log is folded into it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _tried(connection: sqlite3.Connection, step: Step) -> Any:
    connection.execute("SAVEPOINT step")
    try:
        result = step(connection)
    except sqlite3.Error:
        raise
    except Exception as error:  # whatever one asks, the others of the transaction are served
        connection.execute("ROLLBACK TO step")
        result = error
    connection.execute("RELEASE step")
    return result
