"""Decide what becomes of a request that HAProxy sent to the activator. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grandstand.kinds import Key

MOST_WAITING = 4096
WAIT_SECONDS = 45.0
"""Less than HAProxy's `timeout server` (60 s), so that it is we who say why."""
SWITCH_SECONDS = 5.0
"""How long a request waits while the servers of a backend are exchanged, which takes milliseconds."""
JUST_OPENED_SECONDS = 0.1
"""A request that comes so soon after a gate opened was sent before. Later ones: HAProxy thinks that all are down."""
DOUBT_SECONDS = 0.5
"""How long a request for a Service that can be woken waits for word of a server that HAProxy found dead."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests may wait at once, and for how long."""

    most_waiting: int = MOST_WAITING
    wait_seconds: float = WAIT_SECONDS


class Fate(StrEnum):
    """What becomes of a request; the values are sentences for the log."""

    LET_THROUGH = "somebody serves"
    WAIT = "somebody may serve soon"
    REFUSE = "nobody serves, and nobody is on the way"
    TIME_OUT = "it has waited for as long as it may"


@dataclass(slots=True)
class Gate:
    """What the gateway knows of one backend: whether HAProxy has a server that gets requests, and since when."""

    service: Key
    is_open: bool = False
    opened_at: float = float("-inf")
    switching: bool = False
    """The gateway is telling HAProxy of other servers."""


def fate(gate: Gate | None, wakeable: bool, arrived_at: float, now: float, wait_seconds: float) -> Fate:
    """Hold only what something will let through: a wake-up, or the exchange of servers."""
    if gate is None:
        return Fate.REFUSE
    waited = now - arrived_at
    if gate.is_open:
        if now - gate.opened_at < JUST_OPENED_SECONDS:
            return Fate.LET_THROUGH
        return Fate.WAIT if wakeable and waited < DOUBT_SECONDS else Fate.REFUSE
    if gate.switching and waited < SWITCH_SECONDS:
        return Fate.WAIT
    if not wakeable:
        return Fate.REFUSE
    return Fate.WAIT if waited < wait_seconds else Fate.TIME_OUT


def deadline(gate: Gate, wakeable: bool, arrived_at: float, wait_seconds: float) -> float:
    """When to ask for the fate of a waiting request again, should nothing happen before."""
    if gate.is_open:
        return arrived_at + DOUBT_SECONDS
    return arrived_at + (wait_seconds if wakeable else SWITCH_SECONDS)
