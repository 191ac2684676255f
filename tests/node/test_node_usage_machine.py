"""What real containers use, as the kernel of this machine counts it in their cgroups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from node_machine import Machine, app, container, machine

from grandstand.clock import SystemClock
from grandstand.kinds import Object
from grandstand.measurements import PodUsage
from grandstand.node.usage import UsageMeter

MIB = 2**20


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Machine]:
    async with machine(tmp_path) as world:
        yield world


async def started(world: Machine, script: str, **fields: object) -> tuple[UsageMeter, str]:
    await world.create(app(script, **fields))
    pod = await world.until(_runs)
    return UsageMeter(world.agent.running, world.parts.cgroups.spent, SystemClock()), pod["metadata"]["uid"]


def _runs(pod: Object) -> bool:
    return bool(container(pod)["state"].get("running"))


async def until(meter: UsageMeter, uid: str, true: Callable[[PodUsage], bool]) -> PodUsage:
    """Look as often as the engine does: the kernel's counters are no event."""
    async with asyncio.timeout(20):
        while True:
            await meter.look()
            found = meter.pod_usage(uid)
            if found is not None and true(found):
                return found
            await asyncio.sleep(0.5)


async def test_a_container_that_computes_uses_what_it_may(world: Machine) -> None:
    limits = {"limits": {"cpu": "200m"}}
    meter, uid = await started(world, "while :; do :; done", resources=limits)
    found = await until(meter, uid, lambda usage: usage.window_seconds >= 3)
    assert found.containers["app"].cpu_cores == pytest.approx(0.2, abs=0.08)
    [cpu, _] = meter.families()
    [sample] = cpu.samples
    assert (sample.labels["namespace"], sample.labels["container"]) == ("default", "app")
    assert sample.value > 0.2


async def test_a_container_at_rest_uses_next_to_nothing(world: Machine) -> None:
    meter, uid = await started(world, "exec sleep 1000")
    found = await until(meter, uid, lambda usage: usage.window_seconds >= 1)
    assert found.containers["app"].cpu_cores < 0.05
    assert 0 < found.containers["app"].memory_bytes < 16 * MIB


async def test_memory_that_is_held_is_seen_and_what_was_given_back_is_not(world: Machine) -> None:
    meter, uid = await started(
        world, "dd if=/dev/zero of=/dev/shm/held bs=1M count=32; sleep 2; rm /dev/shm/held; exec sleep 1000"
    )
    await until(meter, uid, lambda usage: usage.containers["app"].memory_bytes > 32 * MIB)
    found = await until(meter, uid, lambda usage: usage.containers["app"].memory_bytes < 16 * MIB)
    assert found.containers["app"].memory_bytes > 0


async def test_what_has_ended_is_measured_no_more(world: Machine) -> None:
    meter, uid = await started(world, "exec sleep 2")
    await until(meter, uid, lambda usage: True)
    async with asyncio.timeout(20):
        while any(each.pod_uid == uid for each in world.agent.running()):
            await asyncio.sleep(0.1)
    await meter.look()
    assert meter.pod_usage(uid) is None
