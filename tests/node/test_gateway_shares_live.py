"""The shares of a Rollout's versions, as a real HAProxy keeps them."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_world import Connection, World, world

from grandstand.kinds.resources import ROLLOUTS

STABLE, CANARY = "s" * 10, "c" * 10
REQUESTS = 500


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def serve(here: World, canary: int, stable: int, weight: int) -> None:
    """A Rollout `web` with so many Pods of each version, and a gateway that has known the weight from its start."""
    for version, number in ((CANARY, canary), (STABLE, stable)):
        for _ in range(number):
            pod = await here.add_pod()
            pod.uid = f"web-{version}-{len(here.pods)}"
    await here.add_service()
    await here.set_endpoints(*(pod.endpoint() for pod in here.pods))
    made = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"strategy": {"canary": {}}}}
    await here.client.create(ROLLOUTS, made)
    await set_weight(here, weight)
    await here.gateway.start()
    await here.until(200)


async def set_weight(here: World, weight: int) -> None:
    weights = {
        "canary": {"podTemplateHash": CANARY, "weight": weight},
        "stable": {"podTemplateHash": STABLE, "weight": 100 - weight},
    }
    await here.client.patch(
        ROLLOUTS, "default", "web", {"status": {"canary": {"weights": weights}}}, subresource="status"
    )


async def answers(here: World, requests: int = REQUESTS, connections: int = 5) -> Counter[str]:
    """Who answers, by version, when some connections ask in turn."""

    async def ask() -> list[str]:
        async with Connection(here.engine.gateway_port) as connection:
            return [(await connection.ask())[1].split("-")[1] for _ in range(requests // connections)]

    found = await asyncio.gather(*(ask() for _ in range(connections)))
    return Counter(version for each in found for version in each)


def allowed(weight: int) -> tuple[float, float]:
    """Where 999 of 1000 draws by chance fall: a gateway that is within does not favour anybody."""
    share = weight / 100
    width = 3.29 * math.sqrt(REQUESTS * share * (1 - share))
    return REQUESTS * share - width, REQUESTS * share + width


@pytest.mark.parametrize(("canary", "stable"), [(1, 1), (1, 4), (3, 2)])
async def test_a_fifth_goes_to_the_canary_however_many_pods_it_has(here: World, canary: int, stable: int) -> None:
    await serve(here, canary, stable, 20)
    found = await answers(here)
    least, most = allowed(20)
    assert found.total() == REQUESTS
    assert least <= found[CANARY] <= most
    by_pod = [len(pod.requests) for pod in here.pods[:canary]]
    assert max(by_pod) <= 2 * min(by_pod)


async def test_a_share_changes_while_the_gateway_runs_to_nothing_and_to_all(here: World) -> None:
    await serve(here, 1, 2, 20)
    for weight, alone in ((0, STABLE), (100, CANARY)):
        await set_weight(here, weight)
        async with asyncio.timeout(10):
            while set(await answers(here, 20)) != {alone}:
                pass
        assert await answers(here) == {alone: REQUESTS}
    await set_weight(here, 50)
    async with asyncio.timeout(10):
        while len(await answers(here, 20)) < 2:
            pass
    least, most = allowed(50)
    assert least <= (await answers(here))[CANARY] <= most
