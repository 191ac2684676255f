"""The store's durable writes, watch latency and fan-out, beside bare SQLite in the same run.

Run: `python benchmarks/store.py`. Every figure is of this machine, at this moment.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop
from table import Table

from grandstand.api.store import Store, StoreKey, Subscription
from grandstand.kinds import Object

SECONDS = 2.0
WATCHERS = 100


class Row(NamedTuple):
    what: str
    value: str


def pod(number: int) -> Object:
    """An object of a Pod's size: about 3 KB of JSON."""
    return {**TEMPLATE, "metadata": {"name": f"pod-{number}", "namespace": "default"}, "number": number}


TEMPLATE: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "spec": {
        "containers": [
            {
                "name": f"container-{n}",
                "image": "localhost/payment-app:v1",
                "env": [{"name": f"VARIABLE_{i}", "value": "some value of common length"} for i in range(20)],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            }
            for n in range(2)
        ]
    },
}


def bare_sqlite(directory: Path, group: int) -> Row:
    """What one commit after the other gives: so many rows, one transaction, one sync."""
    connection = sqlite3.connect(directory / f"bare-{group}.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (name TEXT PRIMARY KEY, value BLOB)")
    written, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        connection.execute("BEGIN IMMEDIATE")
        for number in range(written, written + group):
            value = msgspec.json.encode(pod(number))
            connection.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (f"pod-{number % 1000}", value))
        connection.execute("COMMIT")
        written += group
    rate = written / (time.perf_counter() - started)
    connection.close()
    return Row(f"bare sqlite3, FULL, {group} per commit", f"{rate:,.0f} writes/s")


async def writes(store: Store, writers: int) -> Row:
    finish = time.perf_counter() + SECONDS

    async def write(writer: int) -> int:
        written = 0
        while time.perf_counter() < finish:
            obj = pod(written)
            await store.write(StoreKey("pods", "default", f"pod-{writer}-{written % 30}"), lambda before, o=obj: o)  # type: ignore[misc]
            written += 1
        return written

    started = time.perf_counter()
    total = sum(await asyncio.gather(*(write(writer) for writer in range(writers))))
    rate = total / (time.perf_counter() - started)
    return Row(f"durable writes, {writers} at once", f"{rate:,.0f} writes/s")


async def latency(store: Store) -> list[Row]:
    """From the call of `write`, and from its return, until a watcher has the change."""
    watch = store.watch("pods")
    called: dict[str, float] = {}
    seen: list[float] = []

    async def consume() -> None:
        async for change in watch:  # the time of each must be taken as it comes
            seen.append(time.perf_counter() - called[change.key.name])  # noqa: PERF401

    consumer = asyncio.create_task(consume())
    for number in range(500):
        obj, name = pod(number), f"latency-{number}"
        called[name] = time.perf_counter()
        await store.write(StoreKey("pods", "default", name), lambda before, o=obj: o)  # type: ignore[misc]
    watch.close()
    await consumer
    seen.sort()
    middle, worst = seen[len(seen) // 2], seen[len(seen) * 99 // 100]
    return [Row("write called to seen by a watcher", f"p50 {middle * 1000:.2f} ms, p99 {worst * 1000:.2f} ms")]


async def fan_out(store: Store) -> list[Row]:
    """Many writes at once, every one to every watcher."""
    changes = 2000
    watches = [store.watch("pods") for _ in range(WATCHERS)]

    async def consume(watch: Subscription) -> None:
        seen = 0
        while seen < changes:
            seen += len(await watch.take())

    consumers = [asyncio.create_task(consume(watch)) for watch in watches]
    started = time.perf_counter()
    objects = [pod(number) for number in range(changes)]
    await asyncio.gather(
        *(store.write(StoreKey("pods", "fan", str(n)), lambda before, o=o: o) for n, o in enumerate(objects))  # type: ignore[misc]
    )
    written = time.perf_counter() - started
    await asyncio.gather(*consumers)
    seconds = time.perf_counter() - started
    for watch in watches:
        watch.close()
    return [
        Row(f"fan-out to {WATCHERS} watchers", f"{changes * WATCHERS / seconds:,.0f} events/s"),
        Row(f"{changes:,} writes durable; seen by all", f"{written * 1000:.0f} ms; {seconds * 1000:.0f} ms"),
    ]


async def lists(store: Store) -> list[Row]:
    for number in range(1000):
        await store.write(StoreKey("listed", "default", f"pod-{number}"), lambda before, n=number: pod(n))  # type: ignore[misc]
    started, times = time.perf_counter(), 100
    for _ in range(times):
        store.list("listed")
    now = (time.perf_counter() - started) / times
    at = store.revision - 500
    started = time.perf_counter()
    store.list("listed", at=at)
    then = time.perf_counter() - started
    return [Row("list of 1,000; as of 500 changes ago", f"{now * 1000:.2f} ms; {then * 1000:.2f} ms")]


async def measure(directory: Path) -> list[Row]:
    store = Store(directory / "store.sqlite3")
    await store.open()
    rows = [await writes(store, 1), await writes(store, 32), *await latency(store), *await fan_out(store)]
    rows += await lists(store)
    await store.close()
    started = time.perf_counter()
    await store.open()
    opened = time.perf_counter() - started
    rows.append(Row(f"open with {len(store.list('pods')[0]) + 1000:,} objects", f"{opened * 1000:.0f} ms"))
    await store.close()
    return rows


def rows() -> Table:
    with tempfile.TemporaryDirectory(prefix="grandstand-bench-") as directory:
        bare = [bare_sqlite(Path(directory), 1), bare_sqlite(Path(directory), 32)]
        return Table("The store", ("what", "figure"), (*bare, *uvloop.run(measure(Path(directory)))))


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
