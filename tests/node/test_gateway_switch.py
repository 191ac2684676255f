"""When no server of a backend stays, all old ones are out before a new one answers, and no request is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_world import Connection, PodServer, World, world


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


class Journal:
    """Clients that write down when each request began and ended, its status, and who answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = asyncio.Event()
        self.answers: list[tuple[float, float, int, str]] = []

    async def run(self, method: str) -> None:
        while not self._stop.is_set():
            async with Connection(self._port) as connection:
                await self._ask_on(connection, method)

    async def _ask_on(self, connection: Connection, method: str) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            status, body = await connection.ask(method=method, headers="Content-Length: 0\r\n")
            self.answers.append((began, time.perf_counter(), status, body))
            if connection.closed:
                return

    async def more(self, answers: int) -> None:
        wanted = len(self.answers) + answers
        async with asyncio.timeout(20):
            while len(self.answers) < wanted:
                await asyncio.sleep(0.002)

    def stop(self) -> None:
        self._stop.set()


async def test_an_exchange_under_load_is_atomic_and_loses_nothing(here: World) -> None:
    blue = [await here.add_pod() for _ in range(3)]
    green = [await here.add_pod() for _ in range(3)]
    await here.add_service()
    await here.set_endpoints(*(pod.endpoint() for pod in blue))
    await here.gateway.start()
    journal = Journal(here.engine.gateway_port)
    clients = [asyncio.create_task(journal.run(("GET", "POST")[number % 2])) for number in range(24)]
    gaps = []
    for old, new in [(blue, green), (green, blue)] * 5:
        await journal.more(200)
        journal.answers.clear()
        await here.set_endpoints(*(pod.endpoint() for pod in new))
        await journal.more(400)
        gaps.append(check(journal.answers, old, new))
    journal.stop()
    await asyncio.gather(*clients)
    print("longest answers in ms:", [round(each * 1000, 1) for each in gaps])


def check(answers: list[tuple[float, float, int, str]], old: list[PodServer], new: list[PodServer]) -> float:
    """Nothing failed, and the old answers nobody who asked after the first answer of the new. Returns the longest."""
    assert {status for _, _, status, _ in answers} == {200}
    of_new, of_old = {pod.uid for pod in new}, {pod.uid for pod in old}
    first = min(ended for _, ended, _, body in answers if body in of_new)
    assert [began - first for began, _, _, body in answers if body in of_old and began > first] == []
    return max(ended - began for began, ended, _, _ in answers)
