"""The only reader of time and chance, so that everything else can be tested in virtual time."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol

# Kubernetes leaves out vowels and look-alikes, so that no generated name spells a word.
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Clock(Protocol):
    """What may be asked of time and chance."""

    def now(self) -> float:
        """Wall-clock time in seconds since the Unix epoch."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""

    def uid(self) -> str:
        """A new random UUID, as text."""

    def suffix(self, length: int = 5) -> str:
        """Random characters for `generateName`."""

    def token(self) -> str:
        """A secret of 256 random bits, as URL-safe text."""


class SystemClock:
    """The clock and chance of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def uid(self) -> str:
        return str(uuid.uuid4())

    def suffix(self, length: int = 5) -> str:
        return "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(length))

    def token(self) -> str:
        return secrets.token_urlsafe(32)


def rfc3339(seconds: float) -> str:
    """Wall-clock seconds as Kubernetes' `Time`: UTC, whole seconds, e.g. `2026-12-04T20:00:00Z`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """Wall-clock seconds as Kubernetes' `MicroTime`: UTC, six decimals."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> float:
    """Wall-clock seconds of an RFC 3339 time. Raises ValueError when it is none."""
    return datetime.fromisoformat(text).timestamp()
