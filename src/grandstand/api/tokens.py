"""Know who sends a request by its bearer token. Tokens are kept only as hashes."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec

from grandstand.errors import PlatformError, Unauthorized
from grandstand.private_files import write_private

from .reviews import User

ADMIN = User("admin", ("system:masters",))


class _Entry(msgspec.Struct):
    name: str
    groups: list[str]
    sha256: str


class Tokens:
    """The tokens that are valid, as `tokens.json` lists them."""

    def __init__(self, entries: list[tuple[str, User]]) -> None:
        self._entries = entries

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """The tokens of a file, none where there is no file. Raises PlatformError where it is damaged."""
        if not path.exists():
            return cls([])
        try:
            entries = msgspec.json.decode(path.read_bytes(), type=list[_Entry])
        except msgspec.DecodeError as error:
            raise PlatformError(
                f"{path} is damaged: {error}. Delete it; a new token is made at the next start."
            ) from error
        return cls([(entry.sha256, User(entry.name, tuple(entry.groups))) for entry in entries])

    def write(self, path: Path) -> None:
        entries = [_Entry(user.name, list(user.groups), digest) for digest, user in self._entries]
        write_private(path, msgspec.json.format(msgspec.json.encode(entries)))

    def add(self, token: str, user: User) -> None:
        """Let a token stand for a user, in place of the user's older ones."""
        self._entries = [(digest, other) for digest, other in self._entries if other.name != user.name]
        self._entries.append((_digest(token), user))

    def holder(self, authorization: str) -> User:
        """Whom an Authorization header stands for. Raises Unauthorized."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized
        sent = _digest(token.strip())
        found = None
        for digest, user in self._entries:
            # Every entry is compared, in constant time: how long it takes says nothing about a token.
            if hmac.compare_digest(digest, sent):
                found = user
        if found is None:
            raise Unauthorized
        return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
