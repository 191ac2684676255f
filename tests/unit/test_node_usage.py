"""What containers use: rates over windows, runs that begin anew, and who is measured how often."""

from __future__ import annotations

from pathlib import Path

import pytest

from grandstand.clock import VirtualClock
from grandstand.measurements import Usage
from grandstand.node.cgroups import Cgroups
from grandstand.node.usage import Running, Spent, UsageMeter, Window, machine_spent

SECOND = 1_000_000_000
MIB = 2**20


class Machine:
    """Containers whose counters the test moves."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.running: list[Running] = []
        self.spent: dict[str, tuple[int, int]] = {}
        self.read: list[str] = []
        self.meter = UsageMeter(lambda: self.running, self._read, self.clock, lambda: (self.clock.now() * 0.5, MIB))

    def _read(self, cgroup: str) -> tuple[int, int] | None:
        self.read.append(cgroup)
        return self.spent.get(cgroup)

    def run(self, name: str, pod: str = "pod", run: str = "1") -> None:
        self.running = [each for each in self.running if (each.pod_uid, each.name) != (pod, name)]
        self.running.append(Running("default", pod, pod, name, f"{name}{run}", f"{pod}/{name}{run}"))

    async def pass_seconds(self, count: int, cores: float = 0.0) -> None:
        for _ in range(count):
            await self.clock.advance(1)
            for each in self.running:
                before = self.spent.get(each.cgroup, (0, 0))[0]
                self.spent[each.cgroup] = before + int(cores * SECOND), MIB
            await self.meter.look()


@pytest.mark.parametrize(
    ("samples", "usage", "seconds"),
    [
        ([], None, 0.0),
        ([Spent(0, 1.0, MIB)], None, 0.0),
        ([Spent(0, 1.0, MIB), Spent(2, 2.0, 2 * MIB)], Usage(0.5, 2 * MIB), 2.0),
        ([Spent(at, at * 0.25, MIB) for at in range(20)], Usage(0.25, MIB), 3.0),
        ([Spent(0, 0.0, MIB), Spent(15, 15.0, MIB)], Usage(1.0, MIB), 15.0),
        ([Spent(0, 9.0, MIB), Spent(1, 0.5, MIB)], None, 0.0),
        ([Spent(0, 9.0, MIB), Spent(1, 0.5, MIB), Spent(2, 0.75, MIB)], Usage(0.25, MIB), 1.0),
    ],
    ids=["nothing", "one", "two", "only the window", "at rest", "begun anew", "after that"],
)
def test_a_rate_is_over_the_window(samples, usage, seconds) -> None:
    window = Window()
    for each in samples:
        window.add(each)
    assert (window.usage, window.seconds) == (usage, seconds)


async def test_each_container_of_a_pod_has_its_own_usage() -> None:
    it = Machine()
    it.run("app")
    it.run("sidecar")
    await it.pass_seconds(1)
    assert it.meter.pod_usage("pod") is None
    await it.pass_seconds(3, cores=0.4)
    found = it.meter.pod_usage("pod")
    assert found is not None
    assert found.containers == {"app": Usage(pytest.approx(0.4), MIB), "sidecar": Usage(pytest.approx(0.4), MIB)}
    assert (found.measured_at, found.window_seconds) == (it.clock.now(), pytest.approx(3.0))


async def test_another_run_of_a_container_is_measured_from_its_begin() -> None:
    it = Machine()
    it.run("app")
    await it.pass_seconds(5, cores=1.0)
    it.run("app", run="2")
    await it.pass_seconds(1, cores=0.1)
    assert it.meter.pod_usage("pod") is None
    await it.pass_seconds(1, cores=0.1)
    found = it.meter.pod_usage("pod")
    assert found is not None
    assert found.containers["app"].cpu_cores == pytest.approx(0.1)


async def test_what_ended_is_forgotten() -> None:
    it = Machine()
    it.run("app")
    await it.pass_seconds(3)
    it.running = []
    await it.pass_seconds(1)
    assert it.meter.pod_usage("pod") is None


async def test_a_cgroup_that_is_gone_is_left_out() -> None:
    it = Machine()
    it.run("app")
    await it.clock.advance(1)
    await it.meter.look()
    assert it.meter.pod_usage("pod") is None


async def test_who_is_asked_for_is_measured_every_second_and_others_rarely() -> None:
    it = Machine()
    it.run("app", pod="asked")
    it.run("app", pod="other")
    await it.pass_seconds(2)
    it.read.clear()
    for _ in range(30):
        it.meter.pod_usage("asked")
        await it.pass_seconds(1)
    assert it.read.count("asked/app1") == 30
    assert it.read.count("other/app1") == 2


async def test_the_machine_is_the_one_node() -> None:
    it = Machine()
    await it.pass_seconds(2)
    found = it.meter.node_usage("grandstand")
    assert found is not None
    assert found.usage == Usage(pytest.approx(0.5), MIB)
    assert it.meter.node_usage("elsewhere") is None


def test_what_the_machine_has_spent_grows() -> None:
    before = machine_spent()
    sum(range(3_000_000))
    after = machine_spent()
    assert after[0] > before[0]
    assert 0 < after[1] < 2**50


async def test_it_reads_the_one_tree_of_cgroups_v2(tmp_path: Path) -> None:
    clock = VirtualClock()
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "pod" / "app").mkdir(parents=True)
    running = [Running("default", "web", "uid", "app", "id", "pod/app")]
    meter = UsageMeter(lambda: running, Cgroups.detect(tmp_path).spent, clock, lambda: (0.0, 0))
    for second in range(4):
        (tmp_path / "pod/app/cpu.stat").write_text(f"usage_usec {second * 250_000}\nuser_usec 1\n")
        (tmp_path / "pod/app/memory.current").write_text(f"{5 * MIB}\n")
        (tmp_path / "pod/app/memory.stat").write_text(f"anon 1\ninactive_file {2 * MIB}\n")
        await meter.look()
        await clock.advance(1)
    found = meter.pod_usage("uid")
    assert found is not None
    assert found.containers == {"app": Usage(pytest.approx(0.25), 3 * MIB)}
