"""The only reader of time and chance, so that everything else can be tested in virtual time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
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


class VirtualClock:
    """Time that passes only when it is told to, and chance that repeats: for tests and the simulator."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return await asyncio.sleep(0)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waiter))
        return await waiter

    def uid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._order):012x}"

    def suffix(self, length: int = 5) -> str:
        number, digits = next(self._order), ""
        for _ in range(length):
            number, digit = divmod(number, len(SUFFIX_ALPHABET))
            digits = SUFFIX_ALPHABET[digit] + digits
        return digits

    def token(self) -> str:
        return f"token-{next(self._order)}"

    async def advance(self, seconds: float) -> None:
        """Let so much time pass: wake every sleeper in its turn, and let what it sets off settle."""
        end = self._now + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)
                await self.settle()
        self._now = end
        await self.settle()

    async def settle(self, turns: int = 50) -> None:
        """Give the tasks that could run now so many turns of the event loop; no time passes."""
        for _ in range(turns):
            await asyncio.sleep(0)


def rfc3339(seconds: float) -> str:
    """Wall-clock seconds as Kubernetes' `Time`: UTC, whole seconds, e.g. `2026-12-04T20:00:00Z`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """Wall-clock seconds as Kubernetes' `MicroTime`: UTC, six decimals."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> float:
    """Wall-clock seconds of an RFC 3339 time. Raises ValueError when it is none."""
    return datetime.fromisoformat(text).timestamp()
