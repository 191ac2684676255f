"""How long a container or an image waits before it is tried again: 10 s, doubling to 5 min. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 10.0
LAST_SECONDS = 300.0
FORGET_SECONDS = 2 * LAST_SECONDS
"""Who did well for this long since the last try starts afresh (kubelet: twice the longest wait)."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """The wait after the next failure, and when the last try began; no wait after the first failure of all."""

    seconds: float = 0.0
    tried_at: float = 0.0


NONE = BackOff()


def tried(back_off: BackOff, now: float) -> BackOff:
    """The back-off after another try at `now`."""
    if back_off.seconds == 0 or _forgotten(back_off, now):
        return BackOff(FIRST_SECONDS, now)
    return BackOff(min(back_off.seconds * 2, LAST_SECONDS), now)


def retry_at(back_off: BackOff, failed_at: float) -> float:
    """When to try again after a failure: at once after the first, or after a long good time."""
    if _forgotten(back_off, failed_at):
        return failed_at
    return failed_at + back_off.seconds


def _forgotten(back_off: BackOff, now: float) -> bool:
    return now - back_off.tried_at > FORGET_SECONDS
