"""Read HAProxy's counters per backend and server from `show stat`. Pure."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
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
    requests: int
    """Since the worker was started: those that a frontend got, that a backend has done with, that a server answered."""
    sessions_per_second: int
    response_milliseconds: int
    """The average of the last 1,024 requests."""
    answered_2xx: int
    answered_4xx: int
    answered_5xx: int
    retries: int
    unanswered: int
    """Requests that got no whole answer. In a backend's 5xx, but in no server's, is what HAProxy said instead."""


@dataclass(frozen=True, slots=True)
class Look:
    """The counters of each worker (a process id) that answered, and the workers that are there but did not."""

    counters: Mapping[int, Sequence[Counters]]
    silent: frozenset[int] = frozenset()


def parse_statistics(text: str) -> list[Counters]:
    """Read the answer to `show stat`. Raises GatewayFailure when it is none."""
    if not text.startswith("# pxname,"):
        raise GatewayFailure(f"HAProxy answered {text[:200]!r} to `show stat`")
    names, *rows = csv.reader(text[2:].splitlines())
    places = {name: number for number, name in enumerate(names)}
    return [_counters(row, places) for row in rows if row and row[0]]


def _counters(row: list[str], places: Mapping[str, int]) -> Counters:
    def text(name: str) -> str:
        place = places.get(name)
        return "" if place is None or place >= len(row) else row[place]

    def number(name: str) -> int:
        return int(text(name) or 0)

    return Counters(
        backend=text("pxname"),
        server=None if text("svname") in ("BACKEND", "FRONTEND") else text("svname"),
        status=text("status"),
        in_flight=number("scur"),
        queued=number("qcur"),
        requests=int(text("req_tot") or text("stot") or 0),
        sessions_per_second=number("rate"),
        response_milliseconds=number("rtime"),
        answered_2xx=number("hrsp_2xx"),
        answered_4xx=number("hrsp_4xx"),
        answered_5xx=number("hrsp_5xx"),
        retries=number("wretr") + number("wredis"),
        unanswered=number("econ") + number("eresp"),
    )
