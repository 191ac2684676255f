"""Sandboxes of an engine with a data directory of its own, of which nothing is left at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from grandstand.engine import Engine, choose_network
from grandstand.functions.sandboxes import Binding, Runtime, Sandbox, Sandboxes
from grandstand.node.network import Network, taken_networks

STAND_IN = Runtime("python3.11", Path(__file__).parent / "sandbox_stand_in", "sandbox_stand_in.supervisor:run")


def engine_in(directory: Path) -> Engine:
    data = directory / "data"
    data.mkdir(exist_ok=True)
    return Engine(data.resolve(), choose_network(data, taken_networks()), 6443, 8080, 8443)


@contextlib.asynccontextmanager
async def sandboxes_in(
    directory: Path, *, runtime: Runtime = STAND_IN, network: Network | None = None
) -> AsyncIterator[Sandboxes]:
    engine = network.engine if network else engine_in(directory)
    made = Sandboxes(engine, (runtime,), directory / "l", network=network)
    await made.recover()
    try:
        yield made
    finally:
        await made.close()
    assert left_of(engine, directory / "l") == []


def left_of(engine: Engine, listeners: Path) -> list[str]:
    """Cgroups, mounts, sockets and files of sandboxes."""
    found = [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{engine.prefix}-functions")]
    found += [
        line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"{engine.data}/functions" in line
    ]
    return found + [str(path) for path in (*listeners.iterdir(), *(engine.data / "functions/sandboxes").iterdir())]


async def bound(sandboxes: Sandboxes, code: Path, **more: Any) -> Sandbox:
    sandbox = await sandboxes.take("python3.11")
    code.mkdir(exist_ok=True)
    await sandbox.bind(Binding(code, {"function": "hello"}, **more))
    assert await sandbox.control.receive() == {"ready": {"initMillis": 0.0}}
    return sandbox


async def tell(sandbox: Sandbox, text: str) -> Any:
    """What a text of Python leaves in `answer`, run as a function's code; None when it was killed."""
    reader, writer = await asyncio.open_unix_connection(sandbox.listener_path)
    writer.write(text.encode())
    writer.write_eof()
    # Not to the end of the stream: what a function has forked may keep it open.
    said = await reader.readline()
    writer.close()
    return json.loads(said) if said else None
