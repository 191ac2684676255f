from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from grandstand.client.fake import FakeClient
from grandstand.clock import VirtualClock
from grandstand.engine import NODE_NAME, Engine
from grandstand.kinds.resources import LEASES, NODES
from grandstand.node.machine import Pressure
from grandstand.node.node_status import NodeKeeper

FINE = Pressure(memory=False, disk=False, pids=False)


class Kept:
    def __init__(self, data: Path) -> None:
        self.clock = VirtualClock()
        self.client = FakeClient(self.clock)
        self.pressure = FINE
        engine = Engine(data, IPv4Network("10.9.0.0/16"), 1, 2, 3)
        self.keeper = NodeKeeper(engine, self.client, self.clock, "runc://1.1.5", lambda: self.pressure)

    def condition(self, kind: str) -> str:
        (node,) = self.client.all(NODES)
        return next(c["status"] for c in node["status"]["conditions"] if c["type"] == kind)

    def status_writes(self) -> int:
        return sum(1 for verb, plural, _ in self.client.calls if (verb, plural) == ("patch", "nodes"))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


async def test_the_node_says_what_it_is(kept: Kept) -> None:
    await kept.keeper.register()
    (node,) = kept.client.all(NODES)
    assert node["metadata"]["name"] == NODE_NAME
    assert node["metadata"]["labels"]["kubernetes.io/os"] == "linux"
    assert kept.condition("Ready") == "True"
    assert {"cpu", "memory", "pods", "ephemeral-storage"} <= node["status"]["allocatable"].keys()
    assert node["status"]["addresses"][0] == {"type": "InternalIP", "address": "10.9.0.1"}
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "runc://1.1.5"


async def test_registering_again_keeps_what_others_wrote(kept: Kept) -> None:
    await kept.keeper.register()
    await kept.client.patch(NODES, "", NODE_NAME, {"spec": {"unschedulable": True}})
    await kept.keeper.register()
    (node,) = kept.client.all(NODES)
    assert node["spec"]["unschedulable"] is True


async def test_the_lease_is_renewed_and_the_status_only_when_it_changes_or_is_old(kept: Kept) -> None:
    await kept.keeper.register()
    times = []
    for _ in range(3):
        await kept.keeper.beat()
        (lease,) = kept.client.all(LEASES)
        times.append(lease["spec"]["renewTime"])
        await kept.clock.advance(10)
    assert times == sorted(set(times))
    assert kept.status_writes() == 1
    kept.pressure = Pressure(memory=False, disk=True, pids=False)
    await kept.keeper.beat()
    assert kept.status_writes() == 2
    assert kept.condition("DiskPressure") == "True"
    await kept.clock.advance(301)
    await kept.keeper.beat()
    assert kept.status_writes() == 3
