"""Make and keep the access key by which clients sign requests to this engine."""

from __future__ import annotations

from pathlib import Path

import msgspec

from grandstand.clock import Clock
from grandstand.errors import PlatformError
from grandstand.private_files import make_directory, write_private

from .signing import Credentials


class _Saved(msgspec.Struct):
    access_key_id: str
    secret_access_key: str


def load_or_make(path: Path, clock: Clock) -> Credentials:
    """The key in a file that only its owner reads; a new one where there is none. Raises PlatformError."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=_Saved)
    except FileNotFoundError:
        saved = _Saved(f"AKIA{clock.suffix(16).upper()}", clock.token())
        make_directory(path.parent)
        write_private(path, msgspec.json.format(msgspec.json.encode(saved)))
    except (OSError, msgspec.DecodeError) as error:
        raise PlatformError(f"{path} cannot be read: delete it, and a new access key is made.") from error
    return Credentials(saved.access_key_id, saved.secret_access_key)
