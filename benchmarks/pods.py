"""How long a Pod takes to run, 200 of them, and one that was killed, each beside the bare runtime in the same run.

Run as root: `python benchmarks/pods.py [single] [killed] [crowd]`. Samples of ours and of the peer alternate, and what
is shown are medians: other things run on this machine.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import uvloop
from bare import Bare, program, until_accepted, workplace
from engines import PAYMENT_PORT, Place, Sight, container_id, engine, payment, small_server
from table import Table

from grandstand.client.remote import RemoteClient
from grandstand.kinds import Object
from grandstand.kinds.resources import PODS

SAMPLES = 20
KILLS = 15
CROWD = 200
BARE_AT_ONCE = 2 * (os.cpu_count() or 1)
"""As many runtimes as the engine runs at once."""
IDLE_SECONDS = 10.0
OTHER_PORT = 9000


Row = tuple[str, str]
"""What was measured, and the figure."""


class Bench:
    """What every measurement needs: an engine, a client and a watch."""

    def __init__(self, place: Place, client: RemoteClient, sight: Sight, directory: Path) -> None:
        self.place = place
        self.client = client
        self.sight = sight
        self.directory = directory

    def bundle(self, name: str) -> Path:
        return self.place.data / "containers" / container_id(self.sight.pods[name])

    @asynccontextmanager
    async def pod(self, obj: Object) -> AsyncIterator[float]:
        """A Pod that is ready; gives when its creation was asked for."""
        name = obj["metadata"]["name"]
        begun = time.time()
        await self.client.create(PODS, obj)
        await self.sight.until([name], self.sight.ready)
        yield begun
        await self.client.delete(PODS, "default", name)
        await self.sight.until([name], self.sight.gone)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


async def single(bench: Bench) -> list[Row]:
    """One Pod after the other, and after each the same container by hand."""
    created, let_go, running, ready = [], [], [], []
    for number in range(SAMPLES):
        name = f"single-{number}"
        async with bench.pod(small_server(name)) as begun:
            let_go.append(float((bench.bundle(name) / "started").read_text()) - begun)
            running.append(bench.sight.running[name] - begun)
            ready.append(bench.sight.ready[name] - begun)
            created.append(await asyncio.to_thread(_by_hand, Bare(bench.bundle(name), bench.directory), name))
    monitored, detached = (median(times) for times in zip(*created, strict=True))
    return [
        ("runtime alone: conmon, runc create, start", milliseconds(monitored)),
        ("runtime alone: runc run --detach", milliseconds(detached)),
        ("Pod: create called to program let go", milliseconds(median(let_go))),
        ("Pod: create called to running, by a watch", milliseconds(median(running))),
        ("  beyond the runtime (wanted: under 150 ms)", milliseconds(median(running) - monitored)),
        ("Pod: create called to ready, by a watch", milliseconds(median(ready))),
    ]


def _by_hand(bare: Bare, name: str) -> tuple[float, float]:
    """Seconds until the program is let go, with a monitor and without."""
    begun = time.time()
    bare.create(f"{name}-monitored")
    bare.start(f"{name}-monitored")
    monitored = time.time() - begun
    bare.delete(f"{name}-monitored")
    begun = time.time()
    bare.run_detached(f"{name}-detached")
    detached = time.time() - begun
    bare.delete(f"{name}-detached")
    return monitored, detached


async def killed(bench: Bench) -> list[Row]:
    """Kill a server's process, and connect until somebody accepts again; and the same program started by itself."""
    again, alone = [], []
    for number in range(KILLS):
        name = f"killed-{number}"
        async with bench.pod(payment(name)):  # a new Pod each: the second crash of one waits for its back-off
            again.append(await asyncio.to_thread(_kill, bench, name))
            alone.append(await asyncio.to_thread(_start_alone, bench, name))
    beyond = median(again) - median(alone)
    return [
        ("program alone: started to accepting", milliseconds(median(alone))),
        ("kill -9 to accepting again", f"{milliseconds(median(again))}, longest {milliseconds(max(again))}"),
        ("  beyond the program (wanted: under 300 ms)", milliseconds(beyond)),
    ]


def _kill(bench: Bench, name: str) -> float:
    pid = int((bench.bundle(name) / "pid").read_text())
    address = bench.sight.pods[name]["status"]["podIP"]
    process = os.pidfd_open(pid)
    begun = time.time()
    signal.pidfd_send_signal(process, signal.SIGKILL)
    _until_ended(process)
    return until_accepted(address, PAYMENT_PORT) - begun


def _until_ended(process: int) -> None:
    """Before that, the dying process's socket may still take a connection."""
    select.select([process], [], [])
    os.close(process)


def _start_alone(bench: Bench, name: str) -> float:
    pod = bench.sight.pods[name]
    network = bench.place.data / "run/ns" / pod["metadata"]["uid"] / "net"
    with program(bench.bundle(name), network, OTHER_PORT) as begun:
        return until_accepted(pod["status"]["podIP"], OTHER_PORT) - begun


async def crowd(bench: Bench) -> list[Row]:
    """Many Pods asked for at once; idle; deleted at once, until nothing of them is on the machine."""
    async with bench.pod(small_server("first")):
        pass  # from the first Pod on, the engine has its own cgroup
    before, at_rest = bench.place.traces(), bench.place.usage()
    names = [f"crowd-{number}" for number in range(CROWD)]
    begun = time.time()
    await asyncio.gather(*(bench.client.create(PODS, small_server(name)) for name in names))
    asked = time.time() - begun
    await bench.sight.until(names, bench.sight.ready)
    ready, started = time.time() - begun, bench.place.usage()
    bare = await _bare_crowd(bench, names[0])
    idle, full = await _idle(bench.place), bench.place.usage()
    begun = time.time()
    await asyncio.gather(*(bench.client.delete(PODS, "default", name) for name in names))
    await bench.sight.until(names, bench.sight.gone)
    gone, after = time.time() - begun, bench.place.usage()
    left = bench.place.traces() - before
    starting, ending = started.cpu_seconds - at_rest.cpu_seconds, after.cpu_seconds - full.cpu_seconds
    memory = "; ".join(f"{usage.memory_bytes / 1e6:.0f} MB" for usage in (at_rest, full, after))
    return [
        (f"runtime alone: {CROWD} created and started; deleted", f"{bare[0]:.1f} s; {bare[1]:.1f} s"),
        (f"{CROWD} Pods: all asked for; all ready; all gone", f"{asked:.1f} s; {ready:.1f} s; {gone:.1f} s"),
        ("  to ready, of the runtime's time", f"{ready / bare[0]:.2f}"),
        ("  the engine's own CPU time, starting; ending", f"{starting:.1f} s; {ending:.1f} s"),
        ("  what is left on the machine", ", ".join(sorted(left)) or "nothing"),
        (f"engine's memory: before; with {CROWD} Pods; after", memory),
        (f"engine's CPU, {CROWD} Pods at rest", f"{idle * 100:.1f}% of a core"),
    ]


async def _idle(place: Place) -> float:
    """The part of a core that the engine takes when nothing happens."""
    before, begun = place.usage().cpu_seconds, time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    return (place.usage().cpu_seconds - before) / (time.monotonic() - begun)


async def _bare_crowd(bench: Bench, name: str) -> tuple[float, float]:
    bare = Bare(bench.bundle(name), bench.directory, own_network=True)
    names = [f"bare-{number}" for number in range(CROWD)]

    def make(container: str) -> None:
        bare.create(container)
        bare.start(container)

    made = await _all(make, names)
    return made, await _all(bare.delete, names)


async def _all(work: Callable[[str], None], names: list[str]) -> float:
    loop, begun = asyncio.get_running_loop(), time.time()
    with ThreadPoolExecutor(BARE_AT_ONCE) as threads:
        await asyncio.gather(*(loop.run_in_executor(threads, work, name) for name in names))
    return time.time() - begun


async def measure(place: Place, directory: Path, sections: Sequence[str]) -> list[Row]:
    async with place.client() as client, Sight(client) as sight:
        bench = Bench(place, client, sight, directory)
        wanted = [SECTIONS[name] for name in sections or SECTIONS]
        return [row for section in wanted for row in await section(bench)]


SECTIONS = {"single": single, "killed": killed, "crowd": crowd}


def rows(*sections: str) -> Table:
    with engine() as place, workplace() as directory:
        measured = uvloop.run(measure(place, directory, sections))
    notes = (f"Medians of {SAMPLES} Pods and {KILLS} kills, in turn with the peers; one client, over HTTPS.",)
    return Table("Pods", ("what", "figure"), tuple(measured), notes)


def main() -> None:
    sys.stdout.write(rows(*sys.argv[1:]).markdown())


if __name__ == "__main__":
    main()
