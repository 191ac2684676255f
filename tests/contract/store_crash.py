"""Kill a writer again and again, and check after each death that everything it acknowledged is there.

Run as `python store_crash.py DIRECTORY KILLS SEED`; prints `{"kills": …, "acknowledged": …, "revision": …}` or fails.

A life: a forked child opens the store and lets several writers write, delete and count, and sends a line through a
pipe for each write that returned. The parent kills it at a random moment, reads what is left in the pipe, opens the
store itself and compares. A write that was under way may have been made or not; nothing else may differ.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from grandstand.api.store import Store, StoreKey
from grandstand.kinds import Object

WRITERS = 8
COUNTER = StoreKey("counters", "", "shared")
LONGEST_LIFE_SECONDS = 0.03


def key(writer: int) -> StoreKey:
    return StoreKey("pods", f"ns-{writer % 3}", f"pod-{writer}")


def state(number: int) -> Object | None:
    """What a writer's object is after its write of this number: every seventh deletes it; some take several pages."""
    return None if number % 7 == 0 else {"number": number, "padding": "x" * (number * 37 % 9000)}


@dataclass
class Known:
    """What the parent was told: the last acknowledged write of each writer, the counter, and the newest revision."""

    numbers: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(WRITERS), 0))
    counter: int = 0
    revision: int = 0
    acknowledged: int = 0

    def take(self, line: str) -> None:
        writer, number, counter, revision = map(int, line.split())
        self.numbers[writer] = max(self.numbers[writer], number)
        self.counter = max(self.counter, counter)
        self.revision = max(self.revision, revision)
        self.acknowledged += 1


async def live(path: Path, numbers: dict[int, int], pipe: int) -> None:
    """Write until killed."""
    store = Store(path)
    await store.open()

    def count(before: Object | None) -> Object:
        return {"metadata": {"name": "shared"}, "count": before["count"] + 1 if before else 1}

    async def write(writer: int) -> None:
        number = numbers[writer]
        while True:
            number += 1
            await store.write(key(writer), lambda before, number=number: state(number))  # type: ignore[misc]
            counted = await store.write(COUNTER, count)
            assert counted is not None
            os.write(pipe, f"{writer} {number} {counted.object['count']} {counted.revision}\n".encode())

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))


def kill_one(path: Path, known: Known, chance: random.Random) -> None:
    """One life and its end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        asyncio.run(live(path, known.numbers, writing))
        os._exit(1)
    os.close(writing)
    told = b""
    # Most lives end while writing; one in eight may end before its first write, while opening.
    deadline = time.monotonic() + chance.uniform(0, LONGEST_LIFE_SECONDS)
    started = chance.random() < 1 / 8
    while not started or time.monotonic() < deadline:
        left = max(0.0, deadline - time.monotonic()) if started else None
        if select.select([reading], [], [], left)[0]:
            if not (data := os.read(reading, 65536)):
                break
            told += data
            if not started:
                started, deadline = True, time.monotonic() + chance.uniform(0, LONGEST_LIFE_SECONDS)
    os.kill(child, signal.SIGKILL)
    while data := os.read(reading, 65536):
        told += data
    os.close(reading)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself: see its traceback above"
    for line in told.decode().splitlines():
        known.take(line)


async def check(path: Path, known: Known) -> None:
    """Everything acknowledged is there. What is known becomes what is there."""
    store = Store(path)
    await store.open()
    assert store.revision >= known.revision, f"revision {store.revision} after {known.revision} was acknowledged"
    counter = store.get(COUNTER)
    count = counter.object["count"] if counter else 0
    assert known.counter <= count <= known.counter + WRITERS, f"counter {count}, acknowledged {known.counter}"
    for writer, number in known.numbers.items():
        stored = store.get(key(writer))
        found = stored and {name: value for name, value in stored.object.items() if name != "metadata"}
        # The next write may have been made too: it was not told of because the count that followed was not made.
        matching = [possible for possible in (number, number + 1) if state(possible) == found]
        assert matching, f"writer {writer}: {found} after {number} was acknowledged"
        known.numbers[writer] = matching[-1]
    known.counter, known.revision = count, store.revision
    await store.close()


def whole(path: Path) -> bool:
    connection = sqlite3.connect(path)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    finally:
        connection.close()


def main(directory: Path, kills: int, seed: int) -> None:
    path, known, chance = directory / "store.sqlite3", Known(), random.Random(seed)
    for _ in range(kills):
        kill_one(path, known, chance)
        asyncio.run(check(path, known))
        assert whole(path), "integrity_check"
    print(json.dumps({"kills": kills, "acknowledged": known.acknowledged, "revision": known.revision}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
