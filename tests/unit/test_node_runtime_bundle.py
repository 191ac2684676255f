"""The OCI configuration of a container, as tables over what its Pod asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.errors import CreateContainerError
from grandstand.node.runtime import (
    ALL_CAPABILITIES,
    USUAL_CAPABILITIES,
    ContainerSpec,
    Limits,
    Mount,
    Namespaces,
    Security,
    User,
    capability_set,
)
from grandstand.node.runtime.bundle import Device, Host, bundle
from grandstand.node.runtime.seccomp import profile_data, seccomp_profile
from grandstand.node.runtime.spec import decode_spec, encode_spec

HOST = Host("x86_64", (6, 1), 20_000, ALL_CAPABILITIES, cgroup_v2=False, swap_accounting=True)
SPEC = ContainerSpec(
    id="web-1",
    pod_uid="uid",
    pod_name="web",
    namespace="default",
    name="app",
    rootfs=Path("/rootfs"),
    args=("serve",),
    env=("A=1",),
    working_dir="/srv",
    user=User(10, 20, (30,)),
    hostname="web",
    namespaces=Namespaces(Path("/ns/net"), Path("/ns/ipc"), Path("/ns/uts")),
    mounts=(),
    cgroup="gs-abcdef/poduid/web-1",
    limits=Limits(),
    security=Security(),
    oom_score_adj=900,
    log_path=Path("/logs/0.log"),
)


def secured(**changes) -> ContainerSpec:
    return replace(SPEC, security=replace(SPEC.security, **changes))


def targets(config) -> list[str]:
    return [mount["destination"] for mount in config["mounts"]]


def allowed(profile) -> set[str]:
    return {
        name
        for rule in profile["syscalls"]
        for name in rule["names"]
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
    }


def test_an_engine_that_may_not_lower_oom_scores_gives_its_own() -> None:
    """Without CAP_SYS_RESOURCE the kernel refuses less, and no Guaranteed container could be made."""
    wanted = replace(SPEC, oom_score_adj=-997)
    assert bundle(wanted, HOST)["process"]["oomScoreAdj"] == -997
    assert bundle(wanted, replace(HOST, least_oom_score_adj=100))["process"]["oomScoreAdj"] == 100


def test_an_ordinary_container_is_locked_up():
    config = bundle(SPEC, HOST)
    process = config["process"]
    assert process["noNewPrivileges"] is True
    assert process["capabilities"] == {"bounding": [], "effective": [], "permitted": []}
    assert process["user"] == {"uid": 10, "gid": 20, "umask": 0o022, "additionalGids": [20, 30]}
    assert process["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 20_000}]
    assert process["oomScoreAdj"] == 900
    assert config["linux"]["resources"]["devices"] == [{"allow": False, "access": "rwm"}]
    assert {"/proc/kcore", "/proc/keys", "/sys/firmware"} <= set(config["linux"]["maskedPaths"])
    assert {"/proc/sys", "/proc/sysrq-trigger"} <= set(config["linux"]["readonlyPaths"])
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert "ro" in next(mount for mount in config["mounts"] if mount["destination"] == "/sys")["options"]
    assert "apparmorProfile" not in process


def test_a_privileged_container_is_the_host():
    device = Device("/dev/kvm", "c", 10, 232, 0o660)
    config = bundle(secured(privileged=True, no_new_privileges=True), replace(HOST, devices=(device,)))
    assert config["process"]["capabilities"]["bounding"] == list(ALL_CAPABILITIES)
    assert config["process"]["noNewPrivileges"] is False
    assert "seccomp" not in config["linux"]
    assert config["linux"]["maskedPaths"] == config["linux"]["readonlyPaths"] == []
    assert config["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert config["linux"]["devices"] == [
        {"path": "/dev/kvm", "type": "c", "major": 10, "minor": 232, "fileMode": 0o660}
    ]
    assert "rw" in next(mount for mount in config["mounts"] if mount["destination"] == "/sys")["options"]


@pytest.mark.parametrize(
    ("namespaces", "own", "shared"),
    [
        (SPEC.namespaces, {"mount", "cgroup", "pid"}, {"network": "/ns/net", "ipc": "/ns/ipc", "uts": "/ns/uts"}),
        (Namespaces(None, None, None), {"mount", "cgroup", "pid"}, {}),
        (Namespaces(None, Path("/i"), None, host_pid=True), {"mount", "cgroup"}, {"ipc": "/i"}),
    ],
    ids=["of the sandbox", "of the host", "host pid"],
)
def test_namespaces(namespaces, own, shared):
    config = bundle(replace(SPEC, namespaces=namespaces), HOST)
    found = config["linux"]["namespaces"]
    assert {entry["type"] for entry in found if "path" not in entry} == own
    assert {entry["type"]: entry["path"] for entry in found if "path" in entry} == shared
    assert ("hostname" in config) == ("uts" in shared)


def test_shared_memory_is_the_hosts_only_with_its_ipc():
    own = next(m for m in bundle(SPEC, HOST)["mounts"] if m["destination"] == "/dev/shm")
    assert own["type"] == "tmpfs"
    of_host = bundle(replace(SPEC, namespaces=Namespaces(None, None, None)), HOST)
    assert next(m for m in of_host["mounts"] if m["destination"] == "/dev/shm")["source"] == "/dev/shm"


@pytest.mark.parametrize(
    ("limits", "swap_accounting", "memory", "pids"),
    [
        (Limits(), True, None, None),
        (Limits(memory_bytes=64, pids=7), True, {"limit": 64, "swap": 64}, {"limit": 7}),
        (Limits(memory_bytes=64), False, {"limit": 64}, None),
    ],
    ids=["none", "no swap", "swap is not counted"],
)
def test_limits(limits, swap_accounting, memory, pids):
    resources = bundle(replace(SPEC, limits=limits), replace(HOST, swap_accounting=swap_accounting))["linux"][
        "resources"
    ]
    assert resources.get("memory") == memory
    assert resources.get("pids") == pids
    assert "unified" not in resources


def test_on_cgroup_v2_a_container_dies_as_a_whole():
    resources = bundle(SPEC, replace(HOST, cgroup_v2=True))["linux"]["resources"]
    assert resources["unified"] == {"memory.oom.group": "1"}


def test_mounts_go_outer_before_inner_and_replace_the_usual():
    mounts = (
        Mount(Path("/b"), "/data/inner/deep"),
        Mount(Path("/shm"), "/dev/shm/"),
        Mount(Path("/a"), "/data", read_only=True),
        Mount(Path("/ignored"), "/tmp", kind="tmpfs", options=("size=1m",)),
        Mount(Path("/c"), "//data//inner", propagation="rslave"),
    )
    config = bundle(replace(SPEC, mounts=mounts), HOST)
    found = {mount["destination"]: mount for mount in config["mounts"]}
    assert targets(config).count("/dev/shm") == 1
    assert found["/dev/shm"]["source"] == "/shm"
    assert targets(config)[-5:] == ["/data", "/tmp", "/dev/shm", "/data/inner", "/data/inner/deep"]
    assert found["/data"]["options"] == ["rbind", "rprivate", "ro"]
    assert found["/tmp"] == {
        "destination": "/tmp",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "nodev", "rw", "size=1m"],
    }
    assert found["/data/inner"]["options"] == ["rbind", "rslave", "rw"]
    assert config["linux"]["rootfsPropagation"] == "rslave"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "../x"}, "the id"),
        ({"id": ""}, "the id"),
        ({"id": "a" * 65}, "the id"),
        ({"id": "a\n"}, "the id"),
        ({"args": ()}, "no command"),
        ({"env": ("A=\0",)}, "NUL"),
        ({"working_dir": "/proc/self/fd/7"}, "under /proc"),
        ({"working_dir": "//proc/self/fd/7"}, "under /proc"),
        ({"working_dir": "/./proc"}, "under /proc"),
        ({"working_dir": "/srv/../proc"}, "without .."),
        ({"working_dir": "srv"}, "absolute"),
        ({"cgroup": "/gs/pod"}, "the cgroup"),
        ({"cgroup": "gs/../../x"}, "the cgroup"),
        ({"cgroup": "gs"}, "the cgroup"),
        ({"log_path": Path("/a:b/0.log")}, "colon"),
        ({"mounts": (Mount(Path("/a"), "/proc/sys"),)}, "may be mounted"),
        ({"mounts": (Mount(Path("/a"), "/"),)}, "may be mounted"),
        ({"mounts": (Mount(Path("/a"), "/a/../../b"),)}, "mount target"),
        ({"mounts": (Mount(Path("a"), "/a"),)}, "mount source"),
        ({"security": Security(capabilities=("NET_ADMIN",))}, "no capability"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_is_refused(change, message):
    with pytest.raises(CreateContainerError, match=message):
        replace(SPEC, **change)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(args=st.lists(TEXT, min_size=1).map(tuple), env=st.lists(TEXT).map(tuple), pids=st.none() | st.integers(1, 9))
def test_a_spec_is_remembered_as_it_is(args, env, pids):
    spec = replace(SPEC, args=args, env=env, limits=Limits(pids=pids), mounts=(Mount(Path("/é"), "/b"),))
    assert decode_spec(encode_spec(spec)) == spec


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ((), (), USUAL_CAPABILITIES),
        ((), ("ALL",), ()),
        (("NET_ADMIN",), ("ALL",), ("CAP_NET_ADMIN",)),
        (("net_bind_service",), ("all",), ("CAP_NET_BIND_SERVICE",)),
        ((), ("CAP_NET_RAW",), tuple(name for name in USUAL_CAPABILITIES if name != "CAP_NET_RAW")),
        (("NET_ADMIN",), ("NET_ADMIN",), USUAL_CAPABILITIES),
        (("ALL",), (), ALL_CAPABILITIES),
        (("ALL",), ("SYS_ADMIN",), tuple(name for name in ALL_CAPABILITIES if name != "CAP_SYS_ADMIN")),
    ],
    ids=["usual", "none", "only one", "small letters", "one less", "drop wins", "all", "all but one"],
)
def test_capability_set(add, drop, expected):
    assert capability_set(USUAL_CAPABILITIES, add, drop) == expected


def test_a_misspelt_capability_is_refused():
    with pytest.raises(ValueError, match="CAP_NET_ADMNI"):
        capability_set((), ("NET_ADMNI",), ())


@pytest.mark.parametrize(
    "name",
    [
        "keyctl",
        "add_key",
        "mount",
        "unshare",
        "setns",
        "bpf",
        "perf_event_open",
        "kexec_load",
        "init_module",
        "clone3",
        "userfaultfd",
        "io_uring_setup",
        "open_by_handle_at",
        "reboot",
        "pivot_root",
        "clone",
        "socket",
    ],
)
def test_seccomp_blocks_by_default(name):
    assert name not in allowed(seccomp_profile((), "x86_64", (6, 1)))


@pytest.mark.parametrize(
    ("capability", "name"),
    [("CAP_SYS_ADMIN", "mount"), ("CAP_SYS_ADMIN", "clone3"), ("CAP_SYS_CHROOT", "chroot"), ("CAP_BPF", "bpf")],
)
def test_a_capability_opens_its_calls(capability, name):
    assert name in allowed(seccomp_profile((capability,), "x86_64", (6, 1)))


@pytest.mark.parametrize(("kernel", "expected"), [((4, 4), False), ((4, 8), True), ((6, 18), True)])
def test_ptrace_needs_a_kernel_that_checks_twice(kernel, expected):
    assert ("ptrace" in allowed(seccomp_profile((), "x86_64", kernel))) is expected


def test_clone3_asks_for_the_older_call():
    rules = seccomp_profile((), "x86_64", (6, 1))["syscalls"]
    assert [rule["errnoRet"] for rule in rules if rule["names"] == ["clone3"]] == [38]


@pytest.mark.parametrize(
    ("family", "expected"), [(1, True), (2, True), (16, True), (39, True), (38, False), (40, False)]
)
def test_sockets_that_leave_the_network_namespace_are_refused(family, expected):
    compare = {"SCMP_CMP_LT": int.__lt__, "SCMP_CMP_EQ": int.__eq__, "SCMP_CMP_GT": int.__gt__}
    rules = [rule for rule in seccomp_profile((), "x86_64", (6, 1))["syscalls"] if rule["names"] == ["socket"]]
    assert any(compare[arg["op"]](family, arg["value"]) for rule in rules for arg in rule["args"]) is expected


def test_every_syscall_is_named_once():
    names = [name for group in profile_data()["always"].values() for name in group.split()]
    assert len(names) == len(set(names))
    assert set(profile_data()["with"]) <= set(ALL_CAPABILITIES)
