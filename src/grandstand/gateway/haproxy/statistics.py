"""Read HAProxy's counters per backend and server from `show stat`. Pure."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from grandstand.errors import GatewayFailure


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of one server of one worker, or (`server` None) of a whole backend, or of the frontend."""

    backend: str
    server: str | None
    status: str
    in_flight: int
    queued: int
    sessions_per_second: int
    response_milliseconds: int
    """The average of the last 1,024 requests."""
    answered_2xx: int
    answered_4xx: int
    answered_5xx: int
    retries: int


def parse_statistics(text: str) -> list[Counters]:
    """Read the answer to `show stat`. Raises GatewayFailure when it is none."""
    if not text.startswith("# pxname,"):
        raise GatewayFailure(f"HAProxy answered {text[:200]!r} to `show stat`")
    rows = csv.DictReader(text[2:].splitlines())
    return [_counters(row) for row in rows if row["pxname"]]


def _counters(row: dict[str, str]) -> Counters:
    def number(name: str) -> int:
        return int(row.get(name) or 0)

    return Counters(
        backend=row["pxname"],
        server=None if row["svname"] in ("BACKEND", "FRONTEND") else row["svname"],
        status=row["status"],
        in_flight=number("scur"),
        queued=number("qcur"),
        sessions_per_second=number("rate"),
        response_milliseconds=number("rtime"),
        answered_2xx=number("hrsp_2xx"),
        answered_4xx=number("hrsp_4xx"),
        answered_5xx=number("hrsp_5xx"),
        retries=number("wretr") + number("wredis"),
    )
