"""What a function's sandbox costs: start, bind, freeze, thaw, and the memory of an idle spare.

Run as root: `python benchmarks/functions_sandbox.py`. The supervisor is the tests' stand-in, without a network of Pods.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

import uvloop
from table import Table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "node"))

from sandbox_world import sandboxes_in

from grandstand.functions.sandboxes import Binding, Sandbox

ROUNDS = 100


async def timed(work: Awaitable[object], into: list[float]) -> None:
    begun = time.perf_counter()
    await work
    into.append((time.perf_counter() - begun) * 1000)


async def measure() -> Table:
    times: dict[str, list[float]] = {"start": [], "bind": [], "freeze": [], "thaw": [], "end": []}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        code = directory / "code"
        code.mkdir()
        async with sandboxes_in(directory) as sandboxes:
            await sandboxes.take("python3.11")
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                sandbox = await sandboxes.take("python3.11")
                times["start"].append((time.perf_counter() - begun) * 1000)
                await timed(bind(sandbox, code), times["bind"])
                await timed(sandbox.freeze(), times["freeze"])
                await timed(sandbox.thaw(), times["thaw"])
                await timed(sandbox.end(), times["end"])
            spares = [await sandboxes.take("python3.11") for _ in range(20)]
            memory = statistics.median(pss_kib(spare.pid) for spare in spares)
    rows = [
        (what, f"{statistics.median(of):.2f}", f"{sorted(of)[int(len(of) * 0.99)]:.2f}") for what, of in times.items()
    ]
    note = f"PSS of an idle spare, 20 at once: {memory:.0f} KiB; {ROUNDS} rounds, one after the other."
    return Table("A function's sandbox (ms)", ("step", "p50", "p99"), tuple(rows), (note,))


async def bind(sandbox: Sandbox, code: Path) -> None:
    await sandbox.bind(Binding(code))
    await sandbox.control.receive()


def pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(measure()).markdown())
