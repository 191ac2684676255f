"""cgroup v1 and v2 as trees of files: what is written where, and what is read out of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.clock import SystemClock
from grandstand.errors import NoCgroups, PlatformError
from grandstand.node.cgroups import Cgroups, Limits, Stats
from grandstand.node.cgroups.limits import quota_microseconds, weight_of_shares
from grandstand.node.cgroups.statistics import keyed

POD = "gs-abcdef/pod42"


class Impatient(SystemClock):
    """A clock that only counts how often somebody wanted to sleep."""

    def __init__(self) -> None:
        self.slept = 0

    async def sleep(self, seconds: float) -> None:
        self.slept += 1


@pytest.fixture
def v2(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma misc\n")
    return tmp_path


@pytest.fixture
def v1(tmp_path):
    for name in ("cpu,cpuacct", "memory", "pids", "freezer", "systemd", "unified"):
        (tmp_path / name).mkdir()
    for name in ("cpu", "cpuacct"):
        (tmp_path / name).symlink_to("cpu,cpuacct")
    return tmp_path


def fill(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def texts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_v2_limits(v2):
    fill(v2 / POD, {"memory.swap.max": "max\n"})
    cgroups = Cgroups.detect(v2)
    cgroups.create_pod(POD, Limits(cpu_millicores=1500, cpu_shares=1024, memory_bytes=4096, pids=99))
    assert cgroups.version == 2
    assert texts(v2 / POD) == {
        "cpu.max": "150000 100000",
        "cpu.weight": "39",
        "memory.max": "4096",
        "memory.swap.max": "0",
        "pids.max": "99",
        "cgroup.subtree_control": "+cpu +memory +pids",
    }
    for above in (v2, v2 / "gs-abcdef", v2 / POD):
        assert (above / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert not (v2.parent / "cgroup.subtree_control").exists()


def test_v2_without_limits(v2):
    Cgroups.detect(v2).create_pod(POD, Limits())
    found = texts(v2 / POD)
    assert found.pop("cgroup.subtree_control")
    assert found == {"cpu.max": "max 100000", "cpu.weight": "1", "memory.max": "max", "pids.max": "max"}


def test_v1_limits(v1):
    fill(v1 / "memory" / POD, {"memory.memsw.limit_in_bytes": "9223372036854771712\n"})
    cgroups = Cgroups.detect(v1)
    cgroups.create_pod(POD, Limits(cpu_millicores=250, cpu_shares=256, memory_bytes=4096, pids=9))
    assert cgroups.version == 1
    assert texts(v1 / "cpu" / POD) == {"cpu.shares": "256", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "25000"}
    assert texts(v1 / "memory" / POD) == {"memory.limit_in_bytes": "4096", "memory.memsw.limit_in_bytes": "4096"}
    assert texts(v1 / "pids" / POD) == {"pids.max": "9"}
    assert (v1 / "freezer" / POD).is_dir()


def test_v2_stats(v2):
    fill(
        v2 / POD,
        {
            "cpu.stat": "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n",
            "memory.current": "5000\n",
            "memory.stat": "anon 100\nfile 3000\ninactive_file 2000\n",
            "memory.events": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 1\n",
            "pids.current": "3\n",
        },
    )
    assert Cgroups.detect(v2).stats(POD) == Stats(1_234_000, 5000, 3000, 3, 1)


def test_v1_stats_count_the_kills_of_all_containers(v1):
    fill(
        v1 / "memory" / POD,
        {
            "memory.usage_in_bytes": "5000\n",
            "memory.stat": "inactive_file 1\ntotal_inactive_file 6000\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
        },
    )
    fill(v1 / "memory" / POD / "c1", {"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"})
    fill(v1 / "cpu,cpuacct" / POD, {"cpuacct.usage": "77\n"})
    fill(v1 / "pids" / POD, {"pids.current": "3\n"})
    assert Cgroups.detect(v1).stats(POD) == Stats(77, 5000, 0, 3, 2)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_cgroup_that_is_not_there(version, request):
    cgroups = Cgroups.detect(request.getfixturevalue(version))
    assert cgroups.stats(POD) is None
    assert cgroups.oom_kills(POD) == 0
    assert cgroups.is_frozen(POD) is False
    await cgroups.remove(POD)


@pytest.mark.parametrize("cgroup", ["/gs", "../gs", "gs/../..", ""])
async def test_nothing_beyond_ones_own_is_touched(v2, cgroup):
    with pytest.raises(ValueError, match="relative path"):
        await Cgroups.detect(v2).remove(cgroup)


async def test_v2_freezes_when_the_kernel_says_so(v2):
    fill(v2 / POD, {"cgroup.freeze": "0", "cgroup.events": "populated 1\nfrozen 1\n"})
    cgroups = Cgroups.detect(v2)
    await cgroups.freeze(POD)
    assert (v2 / POD / "cgroup.freeze").read_text() == "1"
    cgroups.thaw(POD)
    assert (v2 / POD / "cgroup.freeze").read_text() == "0"


async def test_what_does_not_freeze_is_thawed_again(v2):
    fill(v2 / POD, {"cgroup.freeze": "0", "cgroup.events": "populated 1\nfrozen 0\n"})
    clock = Impatient()
    with pytest.raises(PlatformError, match="could not be frozen"):
        await Cgroups.detect(v2, clock=clock).freeze(POD)
    assert (v2 / POD / "cgroup.freeze").read_text() == "0"
    assert clock.slept > 1


async def test_removal_takes_all_that_is_below_in_every_tree(v1):
    for tree in ("cpu,cpuacct", "memory", "systemd", "unified"):
        (v1 / tree / POD / "c1").mkdir(parents=True)
    (v1 / "memory" / "gs-abcdef" / "other").mkdir()
    await Cgroups.detect(v1).remove(POD)
    assert not list(v1.rglob("pod42"))
    assert (v1 / "memory" / "gs-abcdef" / "other").is_dir()


@pytest.mark.parametrize(("present", "missing"), [("cpu pids", "memory"), ("", "cpu, memory, pids")])
def test_v2_without_controllers_is_refused(tmp_path, present, missing):
    (tmp_path / "cgroup.controllers").write_text(present)
    with pytest.raises(NoCgroups, match=missing):
        Cgroups.detect(tmp_path)


def test_v1_without_a_controller_is_refused(v1):
    (v1 / "freezer").rmdir()
    with pytest.raises(NoCgroups, match="freezer"):
        Cgroups.detect(v1)


@pytest.mark.parametrize(("shares", "weight"), [(0, 1), (2, 1), (1024, 39), (262_144, 10_000), (10**9, 10_000)])
def test_weight_of_shares(shares, weight):
    assert weight_of_shares(shares) == weight


@pytest.mark.parametrize(("millicores", "microseconds"), [(1, 1000), (10, 1000), (100, 10_000), (2500, 250_000)])
def test_quota(millicores, microseconds):
    assert quota_microseconds(millicores) == microseconds


@given(st.dictionaries(st.from_regex(r"[a-z_.]{1,9}", fullmatch=True), st.integers(0, 2**63)))
def test_keyed(values):
    text = "".join(f"{name} {value}\n" for name, value in values.items())
    assert keyed(text + "heading\nname max\n") == values
