"""Real containers through conmon and the OCI runtime of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from grandstand.clock import SystemClock
from grandstand.engine import engine_id
from grandstand.errors import CreateContainerError, ExecTimeout, NoSuchContainer, RunContainerError, RuntimeFailure
from grandstand.node import log_files
from grandstand.node.cgroups import Cgroups
from grandstand.node.runtime import (
    ContainerSpec,
    Limits,
    Mount,
    Namespaces,
    OciRuntime,
    Runtime,
    Security,
    User,
    detect,
)
from grandstand.node.runtime.spec import encode_spec
from grandstand.node.runtime.state import Shelf

APPLETS = (
    *("sh", "true", "sleep", "echo", "ls", "cat", "id", "grep"),
    *("readlink", "tail", "head", "test", "mount", "touch", "seq"),
)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="needs the Debian package busybox-static"),
]


@pytest.fixture(scope="session")
def oci() -> OciRuntime:
    return detect()


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("rootfs")
    root.chmod(0o755)
    for folder in ("bin", "etc", "proc", "sys", "dev", "tmp", "srv"):
        (root / folder).mkdir()
    shutil.copy("/bin/busybox", root / "bin")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    return root


@dataclass
class Box:
    """One engine's runtime in a directory and cgroup of its own."""

    data: Path
    rootfs: Path
    runtime: Runtime
    cgroups: Cgroups

    @property
    def prefix(self) -> str:
        return f"gs-{engine_id(self.data)}"

    def spec(self, name: str, *args: str, **changes) -> ContainerSpec:
        spec = ContainerSpec(
            id=name,
            pod_uid="uid",
            pod_name="pod",
            namespace="default",
            name=name,
            rootfs=self.rootfs,
            args=args,
            env=("PATH=/bin",),
            working_dir="/",
            user=User(),
            hostname="pod",
            namespaces=Namespaces(None, None, None),
            mounts=(),
            cgroup=f"{self.prefix}/poduid/{name}",
            limits=Limits(pids=100),
            security=Security(),
            oom_score_adj=0,
            log_path=self.data / "logs" / name / "0.log",
        )
        return replace(spec, **changes)

    def shelf(self, name: str) -> Shelf:
        return Shelf(self.data / "containers" / name)

    async def launch(self, name: str, *args: str, **changes) -> ContainerSpec:
        spec = self.spec(name, *args, **changes)
        await self.runtime.create(spec)
        await self.runtime.start(name)
        return spec

    async def output(self, name: str, *args: str, code: int = 0, **changes) -> str:
        """What a container writes until it ends."""
        spec = await self.launch(name, *args, **changes)
        found = await self.runtime.wait(name)
        text = (await self.log(spec)).decode()
        assert found.code == code, text
        return text

    async def shell(self, name: str, script: str, **changes) -> str:
        return await self.output(name, "sh", "-c", script, **changes)

    async def log(self, spec: ContainerSpec, **options) -> bytes:
        return b"".join([piece async for piece in log_files.read(spec.log_path, **options)])

    async def first_output(self, spec: ContainerSpec) -> bytes:
        """Wait until a container has written something."""
        async with asyncio.timeout(20), contextlib.aclosing(log_files.read(spec.log_path, follow=True)) as pieces:
            async for piece in pieces:
                if piece:
                    return piece
        raise AssertionError

    def traces(self) -> list[str]:
        """Processes and cgroups that name this engine."""
        found = [
            f"{path}: {command!r}"
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if str(self.data).encode() in (command := _bytes(path))
        ]
        trees = (tree / self.prefix / "poduid" for tree in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()))
        return found + [str(path) for tree in trees if tree.is_dir() for path in tree.iterdir() if path.is_dir()]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest_asyncio.fixture
async def box(tmp_path, rootfs, oci):
    clock = SystemClock()
    cgroups = Cgroups.detect(clock=clock)
    made = Box(tmp_path, rootfs, Runtime(tmp_path, clock=clock, runtime=oci, cgroups=cgroups), cgroups)
    try:
        yield made
    finally:
        for container in made.runtime.adopt():
            await made.runtime.remove(container.id)
        await cgroups.remove(made.prefix)
    assert made.traces() == []


async def test_a_container_runs_logs_and_ends(box):
    before = SystemClock().now()
    spec = await box.launch("one", "sh", "-c", "echo out; echo err >&2; exit 3")
    found = await box.runtime.wait("one")
    assert (found.code, found.signal, found.oom_killed) == (3, None, False)
    assert before <= found.finished_at <= SystemClock().now()
    assert sorted((await box.log(spec)).splitlines()) == [b"err", b"out"]
    assert box.runtime.pid("one") is None
    await box.runtime.remove("one")
    await box.runtime.remove("one")
    assert not box.shelf("one").directory.exists()
    assert box.traces() == []
    await box.runtime.kill("one", signal.SIGTERM)
    with pytest.raises(NoSuchContainer):
        await box.runtime.wait("one")


async def test_nothing_private_reaches_others(box):
    spec = await box.launch("one", "sleep", "100")
    for path in (box.data / "containers", box.data / "run" / "runc", box.shelf("one").directory):
        assert path.stat().st_mode & 0o077 == 0, path
    assert box.shelf("one").config.stat().st_mode & 0o077 == 0
    assert spec.log_path.stat().st_mode & 0o077 == 0


async def test_an_ordinary_container_is_locked_up(box):
    secret = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        text = await box.shell(
            "one",
            "grep -E 'Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:' /proc/self/status;"
            "for fd in /proc/self/fd/*; do readlink $fd; done;"
            "touch /proc/sys/kernel/hostname /sys/x 2>&1; cat /proc/kcore /proc/keys; ls /proc | grep '^[0-9]'",
        )
    finally:
        os.close(secret)
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("Cap")] == [
        f"Cap{kind}:\t0000000000000000" for kind in ("Prm", "Eff", "Bnd", "Amb")
    ]
    assert {"NoNewPrivs:\t1", "Seccomp:\t2"} <= set(lines)
    descriptors = [line for line in lines if line.startswith(("/dev/null", "pipe:", "/etc", "/"))]
    assert [line.partition("[")[0] for line in descriptors] == ["/dev/null", "pipe:", "pipe:"]
    assert text.count("Read-only file system") == 2
    assert lines[-1] != "1"
    assert lines[-4:].count("1") == 1


HOST_PROGRAMS = tuple(
    Mount(Path(folder), folder, read_only=True)
    for folder in ("/usr", "/lib", "/lib64", "/etc/ssl")
    if Path(folder).exists()
)
PYTHON_PROBE = """
import asyncio, ctypes, errno, mmap, multiprocessing, os, socket, ssl, subprocess, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    return errno.errorcode.get(ctypes.get_errno(), '?') if libc.syscall(number, *args) < 0 else 'ok'
print('keyctl', call(250, 0, 0, 0))
print('unshare', call(272, 0x10000000))
print('mount', call(165, None, b'/tmp', b'tmpfs', 0, None))
print('bpf', call(321, 0, None, 0))
print('clone3', call(435, None, 0))
print('newuser', call(56, 0x10000000, None, None, None, None))
for family in (socket.AF_VSOCK, 38):
    try:
        socket.socket(family, socket.SOCK_STREAM)
        print('socket ok')
    except OSError as error:
        print('socket', errno.errorcode[error.errno])
thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()
print(subprocess.run(['/usr/bin/env', 'true']).returncode)
asyncio.run(asyncio.sleep(0)); ssl.create_default_context()
with multiprocessing.Pool(1) as pool: print(pool.map(abs, [-3]))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the system call numbers are x86_64's")
async def test_seccomp_lets_python_work_and_keeps_ways_out_shut(box):
    text = await box.output(
        "one",
        "/usr/bin/python3",
        "-c",
        PYTHON_PROBE,
        mounts=HOST_PROGRAMS,
        security=Security(capabilities=("CAP_SYS_CHROOT",)),
    )
    assert text.splitlines() == [
        "keyctl EPERM",
        "unshare EPERM",
        "mount EPERM",
        "bpf EPERM",
        "clone3 ENOSYS",
        "newuser EPERM",
        "socket EPERM",
        "socket EPERM",
        "thread",
        "0",
        "[3]",
    ]


@pytest.mark.skipif(not Path("/usr/bin/node").exists(), reason="needs Node at /usr/bin/node")
async def test_seccomp_lets_node_work(box):
    script = "const w=require('worker_threads');new w.Worker('1',{eval:true}).on('exit',()=>console.log('worker'))"
    assert await box.output("one", "/usr/bin/node", "-e", script, mounts=HOST_PROGRAMS) == "worker\n"


async def test_a_privileged_container_may_do_all(box):
    text = await box.shell(
        "one",
        "mount -t tmpfs none /tmp && echo mounted; grep CapEff /proc/self/status; ls /dev",
        security=Security(privileged=True),
    )
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    assert text.splitlines()[:2] == ["mounted", own.replace("CapBnd", "CapEff")]
    hosts = {path.name for path in Path("/dev").iterdir() if path.is_char_device()} - {"console"}
    assert hosts <= set(text.split())


async def test_user_groups_and_capabilities_of_others_than_root(box):
    text = await box.shell(
        "one",
        "id; grep -E 'CapEff|CapBnd' /proc/self/status",
        user=User(1000, 2000, (3000,)),
        security=Security(capabilities=("CAP_KILL",)),
    )
    assert text.splitlines() == [
        "uid=1000 gid=2000 groups=2000,3000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000020",
    ]


async def test_mounts_and_a_read_only_root(box):
    outside = box.data / "volume"
    outside.mkdir()
    (outside / "file").write_text("from outside\n")
    text = await box.shell(
        "one",
        "cat /srv/v/file; touch /srv/v/new; touch /srv/ro/new 2>&1; touch /x 2>&1; touch /tmp/ok && echo fine",
        mounts=(
            Mount(outside, "/srv/v"),
            Mount(outside, "/srv/ro", read_only=True),
            Mount(Path("/"), "/tmp", kind="tmpfs", options=("size=1m",)),
        ),
        security=Security(read_only_root=True),
    )
    assert text.count("Read-only file system") == 2
    assert text.startswith("from outside\n")
    assert text.endswith("fine\n")
    assert (outside / "new").exists()


async def test_namespaces_of_a_sandbox_are_joined(box):
    sandbox = subprocess.Popen(
        ["unshare", "--net", "--ipc", "--uts", "sh", "-c", "echo; exec sleep 100"], stdout=subprocess.PIPE
    )
    try:
        sandbox.stdout.readline()
        paths = {kind: Path(f"/proc/{sandbox.pid}/ns/{kind}") for kind in ("net", "ipc", "uts")}
        text = await box.shell(
            "one",
            "for kind in net ipc uts; do readlink /proc/self/ns/$kind; done; cat /proc/sys/kernel/hostname",
            namespaces=Namespaces(paths["net"], paths["ipc"], paths["uts"]),
            hostname="in-the-pod",
        )
        assert text.splitlines() == [*(str(path.readlink()) for path in paths.values()), "in-the-pod"]
        assert os.uname().nodename != "in-the-pod"
    finally:
        sandbox.kill()
        sandbox.wait()
        sandbox.stdout.close()


async def test_a_terminal_and_a_long_path(box, rootfs, oci):
    data = box.data / ("long" * 30)
    long_box = Box(data, rootfs, Runtime(data, clock=SystemClock(), runtime=oci, cgroups=box.cgroups), box.cgroups)
    try:
        text = await long_box.shell("tty", "test -t 0 && test -t 1 && echo terminal", tty=True, stdin=True)
        assert text.strip() == "terminal"
    finally:
        await long_box.runtime.remove("tty")
        await box.cgroups.remove(long_box.prefix)


async def test_too_much_memory_is_told_from_a_kill(box):
    limits = Limits(memory_bytes=16 * 1024 * 1024, pids=100)
    await box.launch("eater", "tail", "/dev/zero", limits=limits)
    found = await box.runtime.wait("eater")
    assert (found.code, found.signal, found.oom_killed) == (137, 9, True)
    await box.launch("killed", "sleep", "100", limits=limits)
    await box.runtime.kill("killed", signal.SIGKILL)
    found = await box.runtime.wait("killed")
    assert (found.code, found.signal, found.oom_killed) == (137, 9, False)


async def test_limits_are_in_the_cgroup(box):
    box.cgroups.create_pod(f"{box.prefix}/poduid", Limits(cpu_millicores=800, memory_bytes=64 << 20, pids=50))
    spec = await box.launch("one", "sh", "-c", "echo ready; exec sleep 100", limits=Limits(200, 512, 32 << 20, 20))
    await box.first_output(spec)
    files = {
        1: {
            "cpu/{}/cpu.cfs_quota_us": "20000",
            "cpu/{}/cpu.shares": "512",
            "memory/{}/memory.limit_in_bytes": str(32 << 20),
            "pids/{}/pids.max": "20",
        },
        2: {"{}/cpu.max": "20000 100000", "{}/memory.max": str(32 << 20), "{}/pids.max": "20"},
    }[box.cgroups.version]
    root = Path("/sys/fs/cgroup")
    assert {name: (root / name.format(spec.cgroup)).read_text().strip() for name in files} == files
    stats = box.cgroups.stats(spec.cgroup)
    assert stats.pids == 1
    assert 0 < stats.memory_working_set_bytes <= stats.memory_usage_bytes < 32 << 20
    assert box.cgroups.stats(f"{box.prefix}/poduid").cpu_usage_ns >= stats.cpu_usage_ns > 0


async def test_a_crowd_with_hardly_any_cpu_dies_at_once(box):
    """Dying takes CPU: killed under its old bound, this crowd would live on for minutes."""
    many, spin = " ".join(map(str, range(30))), "(while :; do :; done) &"
    crowd = f"for n in {many}; do (for m in {many}; do {spin} done; wait) & done"
    spec = box.spec("one", "sh", "-c", f"{crowd}; echo up; wait", limits=Limits(cpu_millicores=1000, pids=1200))
    await box.runtime.create(spec)
    await box.runtime.start("one")
    async with contextlib.aclosing(log_files.read(spec.log_path, follow=True)) as log:
        async for piece in log:
            if b"up" in piece:
                break
    box.cgroups.set_cpu_limit(spec.cgroup, 10)
    async with asyncio.timeout(10):
        await box.runtime.kill("one", signal.SIGKILL)
        await box.runtime.wait("one")
        await box.runtime.remove("one")
    assert box.cgroups.stats(spec.cgroup) is None


async def test_a_fork_bomb_meets_the_pid_limit(box):
    # Not fewer: the runtime's own first process, a Go program, needs threads before it becomes ours.
    script = "i=0; while [ $i -lt 99 ]; do sleep 100 & i=$((i+1)); done; echo unreached"
    text = await box.shell("one", script, limits=Limits(pids=20), code=2)
    assert "fork" in text
    assert "unreached" not in text


async def test_signals_reach_the_program(box):
    script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 100 & wait; done"
    spec = await box.launch("one", "sh", "-c", script)
    assert await box.first_output(spec) == b"ready\n"
    await box.runtime.kill("one", signal.SIGTERM)
    assert (await box.runtime.wait("one")).code == 7
    assert (await box.log(spec)).endswith(b"bye\n")
    await box.runtime.kill("one", signal.SIGTERM)


async def test_what_cannot_be_created_leaves_nothing(box):
    with pytest.raises(RunContainerError, match="executable file not found"):
        await box.runtime.create(box.spec("one", "no-such-program"))
    with pytest.raises(CreateContainerError, match="no such file or directory"):
        await box.runtime.create(box.spec("one", "sleep", "1", rootfs=box.data / "nothing"))
    box.spec("one", "x").log_path.unlink(missing_ok=True)
    box.spec("one", "x").log_path.symlink_to("/etc/motd")
    with pytest.raises(CreateContainerError, match="is a link"):
        await box.runtime.create(box.spec("one", "sleep", "1"))
    assert list((box.data / "containers").iterdir()) == []
    assert box.traces() == []


async def test_an_id_is_used_once(box):
    await box.launch("one", "sleep", "100")
    with pytest.raises(CreateContainerError, match="already"):
        await box.runtime.create(box.spec("one", "sleep", "1"))
    assert box.runtime.pid("one") is not None


async def test_exec(box):
    await box.launch("one", "sleep", "100", user=User(1000, 1000), env=("PATH=/bin", "COLOR=red"))
    done = await box.runtime.exec("one", ("sh", "-c", "id; echo $COLOR >&2; exit 4"), 20)
    assert (done.code, sorted(done.output.splitlines())) == (4, [b"red", b"uid=1000 gid=1000 groups=1000"])
    assert len((await box.runtime.exec("one", ("seq", "100000"), 20, output_limit=1000)).output) == 1000
    with pytest.raises(RuntimeFailure, match="executable file not found"):
        await box.runtime.exec("one", ("nothing",), 20)
    with pytest.raises(NoSuchContainer):
        await box.runtime.exec("two", ("true",), 20)


async def test_an_exec_that_leaves_a_child_behind_ends_with_its_command(box):
    await box.launch("one", "sleep", "100")
    async with asyncio.timeout(20):
        assert (
            await box.runtime.exec("one", ("sh", "-c", "sleep 90 >/dev/null 2>&1 & echo done"), 60)
        ).output == b"done\n"


async def test_an_exec_that_takes_too_long_is_killed_with_its_children(box):
    await box.launch("one", "sleep", "100")
    with pytest.raises(ExecTimeout, match=r"timed out after 0\.5 s"):
        await box.runtime.exec("one", ("sh", "-c", "sleep 90 & sleep 91"), 0.5)
    left = await box.runtime.exec("one", ("sh", "-c", "grep -l sl[e]ep /proc/[0-9]*/cmdline"), 20)
    assert left.output.splitlines() == [b"/proc/1/cmdline"]
    assert [path.name for path in box.shelf("one").directory.glob("exec-*")] == []


async def test_frozen_spares(box):
    spec = await box.launch("one", "sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done")
    await box.first_output(spec)
    await box.runtime.freeze("one")
    used = box.cgroups.stats(spec.cgroup).cpu_usage_ns
    assert box.cgroups.is_frozen(spec.cgroup)
    await box.runtime.thaw("one")
    assert not box.cgroups.is_frozen(spec.cgroup)
    await box.runtime.exec("one", ("true",), 20)
    assert box.cgroups.stats(spec.cgroup).cpu_usage_ns > used
    await box.runtime.freeze("one")
    await box.runtime.kill("one", signal.SIGTERM)
    assert (await box.runtime.wait("one")).code == 5


async def test_a_frozen_container_can_be_removed(box):
    await box.launch("one", "sleep", "100")
    await box.runtime.freeze("one")
    async with asyncio.timeout(20):
        await box.runtime.remove("one")


ENGINE = """
import asyncio, os, signal, sys
from pathlib import Path
from grandstand.clock import SystemClock
from grandstand.node.runtime import Runtime
from grandstand.node.runtime.spec import decode_spec
async def main():
    runtime = Runtime(Path(sys.argv[1]), clock=SystemClock())
    for file in sys.argv[2:]:
        spec = decode_spec(Path(file).read_bytes())
        await runtime.create(spec)
        if not spec.id.startswith('created'):
            await runtime.start(spec.id)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_containers_outlive_a_killed_engine(box):
    go = box.data / "go"
    os.mkfifo(go)
    mounts = (Mount(go, "/srv/go"),)
    specs = [
        box.spec("running", "sh", "-c", "echo before; head -n 1 /srv/go; echo after; exit 9", mounts=mounts),
        box.spec("ended", "sh", "-c", "exit 6"),
        box.spec("created", "sh", "-c", "exit 8"),
    ]
    files = []
    for spec in specs:
        files.append(box.data / f"{spec.id}.json")
        files[-1].write_bytes(encode_spec(spec))
    engine = await asyncio.create_subprocess_exec(sys.executable, "-c", ENGINE, box.data, *files)
    assert await engine.wait() == -signal.SIGKILL
    async with asyncio.timeout(20):
        while not box.shelf("ended").exit.exists():
            await asyncio.sleep(0.01)
    found = {container.id: container for container in box.runtime.adopt()}
    assert {name: container.running for name, container in found.items()} == {
        "running": True,
        "ended": False,
        "created": False,
    }
    assert found["ended"].exit.code == 6
    assert found["ended"].started_at >= found["ended"].created_at
    assert found["running"].pid == box.runtime.pid("running") is not None
    assert found["running"].spec == specs[0]
    assert (found["created"].started_at, found["created"].exit) == (None, None)
    await box.runtime.start("created")
    assert (await box.runtime.wait("created")).code == 8
    waiting = asyncio.ensure_future(box.runtime.wait("running"))
    writer = os.open(go, os.O_RDWR)
    os.write(writer, b"now\n")
    assert (await waiting).code == 9
    os.close(writer)
    assert await box.log(specs[0]) == b"before\nnow\nafter\n"
    assert (await box.runtime.wait("ended")).code == 6


async def test_an_engine_that_died_before_letting_a_program_go(box):
    await box.runtime.create(box.spec("one", "sh", "-c", "exit 3"))
    box.shelf("one").mark_started(1.0)
    (found,) = box.runtime.adopt()
    assert (found.started_at, found.running) == (None, False)
    await box.runtime.start("one")
    assert (await box.runtime.wait("one")).code == 3


async def test_an_engine_that_died_before_writing_its_record(box):
    await box.launch("one", "sleep", "100")
    pid = box.runtime.pid("one")
    (box.shelf("one").directory / "record.json").unlink()
    (found,) = box.runtime.adopt()
    assert (found.pid, found.running) == (pid, True)
    (box.data / "containers" / "empty").mkdir()
    assert [container.id for container in box.runtime.adopt()] == ["one"]
    assert not (box.data / "containers" / "empty").exists()


async def test_a_container_without_its_monitor_is_ended(box):
    await box.launch("one", "sleep", "100")
    waiting = asyncio.ensure_future(box.runtime.wait("one"))
    await asyncio.sleep(0)
    os.kill(int(box.shelf("one").monitor_pid.read_text()), signal.SIGKILL)
    assert (await waiting).code == 137
    assert box.runtime.pid("one") is None
    assert (await box.runtime.wait("one")).code == 137


async def test_several_may_wait(box):
    await box.launch("one", "sleep", "100")
    waiting = [asyncio.ensure_future(box.runtime.wait("one")) for _ in range(3)]
    waiting[0].cancel()
    await box.runtime.kill("one", signal.SIGKILL)
    assert {(await task).code for task in waiting[1:]} == {137}


async def test_a_cancelled_creation_can_be_removed(box):
    for turns in range(1, 40, 6):
        creating = asyncio.ensure_future(box.runtime.create(box.spec("one", "sleep", "100")))
        for _ in range(turns):
            await asyncio.sleep(0)
        creating.cancel()
        await asyncio.wait([creating])
        await box.runtime.remove("one")
        assert box.traces() == []
        assert list((box.data / "containers").iterdir()) == []


async def test_many_at_once(box):
    names = [f"c{number}" for number in range(24)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(box.launch(name, "sleep", "100") for name in names))
        assert len({box.runtime.pid(name) for name in names} - {None}) == len(names)
        await asyncio.gather(*(box.runtime.remove(name) for name in names))
    assert box.traces() == []
    assert list((box.data / "run" / "runc").iterdir()) == []


async def test_logs_rotate_under_a_follower(box):
    count = 4000
    go = box.data / "go"
    os.mkfifo(go)
    # Opened for reading as well, so that it blocks neither here nor there.
    writer = os.open(go, os.O_RDWR)
    spec = box.spec(
        "one",
        "sh",
        "-c",
        f"for n in 1 2 3; do seq {count}; head -n 1 /srv/go; done",
        mounts=(Mount(go, "/srv/go"),),
        log_max_bytes=60_000,
    )
    await box.runtime.create(spec)
    await box.runtime.start("one")
    expected = b"".join(f"{number}\n".encode() for number in range(1, count + 1)) + b"go\n"
    text = b""
    exited = asyncio.ensure_future(box.runtime.wait("one"))
    async with (
        asyncio.timeout(40),
        contextlib.aclosing(log_files.read(spec.log_path, follow=True, exited=exited)) as log,
    ):
        async for piece in log:
            text += piece
            if text.endswith(f"{count}\n".encode()):
                box.runtime.rotate_logs()
                os.write(writer, b"go\n")
    assert text == expected * 3
    assert await box.log(spec) == text
    assert sorted(path.name for path in spec.log_path.parent.iterdir()) == [
        "0.log",
        "0.log.000001",
        "0.log.000002",
        "0.log.000003",
    ]
    os.close(writer)


async def test_a_cgroup_is_removed_with_who_is_in_it(box):
    cgroup = f"{box.prefix}/podx/inner"
    box.cgroups.create_pod(cgroup, Limits())
    process = subprocess.Popen(["sleep", "100"])
    trees = ["freezer", "memory"] if box.cgroups.version == 1 else [""]
    for tree in trees:
        (Path("/sys/fs/cgroup") / tree / cgroup / "cgroup.procs").write_text(str(process.pid))
    await box.cgroups.freeze(cgroup)
    await box.cgroups.remove(f"{box.prefix}/podx")
    assert await asyncio.to_thread(process.wait, 10) == -signal.SIGKILL
    assert box.cgroups.stats(cgroup) is None
