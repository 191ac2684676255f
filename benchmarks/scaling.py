"""From a load step to the first added replica that answers, with CPU and gateway metrics, at 1 s and at 15 s periods.

Run as root: `python benchmarks/scaling.py`. The peer is the same controller with Kubernetes' period, in the same run.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from statistics import median

import uvloop
from burner import Load, autoscaler, cpu, deployed, in_flight, until_pods
from engines import Place, engine
from table import Table

from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import HORIZONTAL_POD_AUTOSCALERS

ROUNDS = int(os.environ.get("ROUNDS", "9"))
CLIENTS = 8
BURN_SECONDS = 0.005
SETTLED_SECONDS = 6.0
"""Longer than the window of any metric, so that a round sees nothing of the one before."""
FORGOTTEN_SECONDS = 16.0
"""Longer than the last measurement of a Pod that nobody asked for: a new autoscaler begins with that."""
KUBERNETES_PERIOD_SECONDS = 15
PERIODS = {"": ROUNDS, f"{KUBERNETES_PERIOD_SECONDS}s": max(3, ROUNDS // 2)}
WANTED_SECONDS = {"cpu": 3.0, "requests in flight": 1.0}


async def step(place: Place, client: RemoteClient, number: int, metric: str, period: str) -> float:
    """Seconds from the load to the first answer of a second Pod."""
    name = f"step-{number}"
    source: Object = cpu(50) if metric == "cpu" else in_flight(name, 2)
    async with deployed(client, name, burn_seconds=BURN_SECONDS):
        warm = Load(place, name, 1)
        async with warm.running():
            await warm.until_answered_by(1, 60.0)
        await asyncio.sleep(FORGOTTEN_SECONDS)
        await client.create(HORIZONTAL_POD_AUTOSCALERS, autoscaler(name, source, least=1, most=3, period=period))
        # The step comes at any moment of the period.
        await asyncio.sleep(SETTLED_SECONDS + random.uniform(0, KUBERNETES_PERIOD_SECONDS if period else 1))
        await until_pods(client, name, 1)
        load = Load(place, name, CLIENTS)
        begun = time.monotonic()
        async with load.running():
            return await load.until_answered_by(2, 90.0) - begun


async def measure(place: Place) -> list[tuple[str, ...]]:
    rows, number = [], 0
    async with place.client() as client:
        for metric, wanted in WANTED_SECONDS.items():
            for period, rounds in PERIODS.items():
                took = []
                for _ in range(rounds):
                    number += 1
                    took.append(await step(place, client, number, metric, period))
                goal = f"under {wanted:.0f} s" if not period else ""
                rows.append((metric, period or "default (1s)", f"{median(took):.2f} s", f"{max(took):.2f} s", goal))
    return rows


def rows() -> Table:
    with engine() as place:
        measured = uvloop.run(measure(place))
    notes = (f"{CLIENTS} closed-loop clients step on one replica; {ROUNDS} rounds, fewer at the long period.",)
    columns = ("metric", "period", "p50", "longest", "wanted")
    return Table("From a load step to the first added replica that answers", columns, tuple(measured), notes)


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
