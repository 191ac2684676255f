"""Open SQLite files that are durable when a transaction is committed, and held by one process at a time.

WAL with `synchronous=FULL` syncs the log once per commit, and a crash leaves all of a commit or nothing.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from grandstand.errors import PlatformError

BUSY_SECONDS = 2.0
"""How long an engine that is just stopping may still hold a file."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a file holds. `application_id` keeps files of other programs apart; `create` makes the tables."""

    application_id: int
    schema_version: int
    create: tuple[str, ...]


def connect(path: Path) -> sqlite3.Connection:
    """In autocommit mode; the file is made where there is none. Raises PlatformError, sqlite3.Error and OSError."""
    # SQLite gives its log the file's mode: what is in it is nobody else's business.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        # Exclusive first: it keeps a second engine out, and the log's index in this process's memory.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise PlatformError(f"the file system of {path} cannot hold a write-ahead log: use a local disk")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path, wanted: Format) -> None:
    """Make the tables of a new file. Raises PlatformError for a file of another kind, or of a newer Grandstand."""
    application = number(connection, "PRAGMA application_id")
    version = number(connection, "PRAGMA user_version")
    if application == 0 and number(connection, "SELECT count(*) FROM sqlite_schema") == 0:
        connection.execute("BEGIN EXCLUSIVE")
        for statement in wanted.create:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {wanted.application_id}")
        connection.execute(f"PRAGMA user_version = {wanted.schema_version}")
        connection.execute("COMMIT")
    elif application != wanted.application_id:
        raise PlatformError(f"{path} is the database of another program. Move it away, or use another data directory.")
    elif version > wanted.schema_version:
        raise PlatformError(
            f"{path} was written by a newer Grandstand (schema {version}, this one reads up to "
            f"{wanted.schema_version}). Upgrade Grandstand, or use another data directory."
        )


def number(connection: sqlite3.Connection, query: str) -> int:
    """What a query for one number answers."""
    return int(connection.execute(query).fetchone()[0])


def advice(error: Exception) -> str:
    """What to do about an error of opening a file."""
    match getattr(error, "sqlite_errorname", None):
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "Another engine runs with this data directory: end it with `grandstand down`, or use another --data."
        case "SQLITE_NOTADB" | "SQLITE_CORRUPT":
            return "Restore it from a backup, or start with another --data and apply the manifests again."
        case "SQLITE_FULL":
            return "Free some disk space, and start again."
        case _:
            return "Check that the data directory exists, has space, and belongs to the user that starts Grandstand."
