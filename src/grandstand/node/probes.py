"""What a series of probe results means for a container. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from grandstand.kinds import Container, Probe
from grandstand.kinds.pods import TCPSocketAction

EARLY_FIRST_SECONDS = 0.005
EARLY_GROWTH = 1.2


class Kind(StrEnum):
    STARTUP = "Startup"
    READINESS = "Readiness"
    LIVENESS = "Liveness"
    PORT = "Port"
    """Readiness of a container that declares a port and no readiness probe: its port has accepted a connection."""


class Verdict(StrEnum):
    UNKNOWN = "too few results"
    GOOD = "enough successes in a row"
    BAD = "enough failures in a row"


@dataclass(frozen=True, slots=True)
class Tally:
    """Results in a row, and what they last amounted to."""

    successes: int = 0
    failures: int = 0
    verdict: Verdict = Verdict.UNKNOWN


def counted(probe: Probe, tally: Tally, success: bool) -> Tally:
    """The tally after one more result."""
    if success:
        tally = replace(tally, successes=tally.successes + 1, failures=0)
        good = tally.successes >= probe.success_threshold
        return replace(tally, verdict=Verdict.GOOD) if good else tally
    tally = replace(tally, successes=0, failures=tally.failures + 1)
    bad = tally.failures >= probe.failure_threshold
    return replace(tally, verdict=Verdict.BAD) if bad else tally


def early_pause(attempt: int, period_seconds: float) -> float:
    """Seconds before the next of the early looks at a container that just started: 5 ms, then a fifth more each.

    So a program is found to be ready at most a fifth of its start later than it was.
    """
    return min(EARLY_FIRST_SECONDS * EARLY_GROWTH ** min(attempt, 60), period_seconds)


def port_probe(container: Container) -> Probe | None:
    """The stand-in for a missing readiness probe: the first declared TCP port accepts a connection."""
    port = next((port.container_port for port in container.ports if port.protocol == "TCP"), None)
    return None if port is None else Probe(tcp_socket=TCPSocketAction(port=port), failure_threshold=1)


def probes_of(container: Container) -> dict[Kind, Probe]:
    """The probes that a container is watched with."""
    found = {
        Kind.STARTUP: container.startup_probe,
        Kind.READINESS: container.readiness_probe,
        Kind.LIVENESS: container.liveness_probe,
        Kind.PORT: None if container.readiness_probe else port_probe(container),
    }
    return {kind: probe for kind, probe in found.items() if probe is not None}
