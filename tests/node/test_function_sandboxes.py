"""Sandboxes of functions, for real: namespaces, cgroups, seccomp, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pod_network import answering, fresh_engine
from pod_network import pod as make_pod
from sandbox_world import STAND_IN, bound, engine_in, left_of, sandboxes_in, tell

from grandstand.engine import Engine
from grandstand.errors import SandboxFailure
from grandstand.functions.sandboxes import Binding, Sandbox, Sandboxes
from grandstand.node.cgroups import Cgroups
from grandstand.node.network import Network

MEBIBYTE = 1 << 20


@pytest.fixture
async def sandboxes(tmp_path: Path) -> AsyncIterator[Sandboxes]:
    async with sandboxes_in(tmp_path) as made:
        yield made


@pytest.fixture
async def sandbox(sandboxes: Sandboxes, tmp_path: Path) -> Sandbox:
    return await bound(sandboxes, tmp_path / "code", pids=40, memory_bytes=128 * MEBIBYTE, tmp_bytes=4 * MEBIBYTE)


async def test_it_sees_its_own_root_only(sandbox: Sandbox, tmp_path: Path) -> None:
    text = f"import os; answer = [os.listdir('/'), os.path.exists({str(tmp_path)!r}), os.path.exists('/etc/shadow')]"
    names, sees_host, sees_shadow = await tell(sandbox, text)
    assert set(names) <= {
        "bin",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "opt",
        "proc",
        "sbin",
        "tmp",
        "usr",
        "var",
    }
    assert (sees_host, sees_shadow) == (False, False)


async def test_it_sees_no_other_process_and_no_host_network(sandbox: Sandbox) -> None:
    text = (
        "import os, socket\n"
        "answer = [[n for n in os.listdir('/proc') if n.isdigit()], [n for _, n in socket.if_nameindex()]]"
    )
    processes, links = await tell(sandbox, text)
    assert (len(processes), links) == (1, ["lo"])


async def test_it_is_nobody_without_capabilities(sandbox: Sandbox) -> None:
    lines = (await tell(sandbox, "answer = open('/proc/self/status').read()")).splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert status["Uid"] == status["Gid"] == "\t".join(["65534"] * 4)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


async def test_the_supervisor_keeps_three_capabilities_and_gives_none_away(sandbox: Sandbox) -> None:
    lines = Path(f"/proc/{sandbox.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert status["Uid"] == "\t".join(["65533"] * 4)
    assert {status[f"Cap{kind}"] for kind in ("Prm", "Eff")} == {"00000000000000e0"}
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Bnd", "Amb")} == {"0" * 16}


@pytest.mark.parametrize(
    "action",
    [
        "os.kill(1, 9)",
        "os.setuid(65533)",
        "os.setuid(0)",
        "open('/proc/1/mem')",
        "open('/proc/1/environ')",
        "open('/var/task/x', 'w')",
        "open('/usr/x', 'w')",
        "open('/etc/x', 'w')",
        "open('/proc/sys/kernel/hostname', 'w')",
        "os.mknod('/tmp/x', 0o60666, os.makedev(8, 0))",
    ],
)
async def test_what_it_may_not_do(sandbox: Sandbox, action: str) -> None:
    said = await tell(sandbox, f"import os\n{action}\nanswer = 'done'")
    assert said.split(":")[0] in ("PermissionError", "FileNotFoundError", "OSError"), said
    assert not sandbox.exited.is_set()


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("unshare(0x10000000)", 1),
        ("unshare(0x40000000)", 1),
        ("setns(0, 0)", 1),
        ("mount(0, 0, 0, 0, 0)", 1),
        ("umount2(b'/tmp', 2)", 1),
        ("ptrace(16, 1, 0, 0)", 1),
        ("chroot(b'/tmp')", 1),
        ("syscall(425, 1, 0)", 1),
        ("syscall(435, 0, 0)", 38),
        ("socket(40, 1, 0)", 97),
    ],
)
async def test_denied_system_calls(sandbox: Sandbox, call: str, number: int) -> None:
    text = f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); answer = [libc.{call}, ctypes.get_errno()]"
    assert await tell(sandbox, text) == [-1, number]


async def test_it_inherits_nothing_but_what_is_listed(sandbox: Sandbox) -> None:
    kinds = {int(file.name): str(file.readlink()) for file in Path(f"/proc/{sandbox.pid}/fd").iterdir()}
    assert set(kinds) == set(range(8))
    assert {kinds[number] for number in range(3)} == {"/dev/null"}
    assert [Path(kinds[number]).name for number in (5, 6, 7)] == ["log-a", "log-b", "meter"]


async def test_the_environment_names_descriptors_only(sandbox: Sandbox) -> None:
    said = await tell(sandbox, "import os; answer = dict(os.environ)")
    assert said == {"GS_CONTROL": "3", "GS_LISTEN": "4", "GS_LOG_A": "5", "GS_LOG_B": "6", "GS_METER": "7"}


async def test_chance_differs_between_two_forks(sandboxes: Sandboxes, tmp_path: Path) -> None:
    text = "import random, uuid, ssl; answer = [random.random(), uuid.uuid4().hex, ssl.RAND_bytes(8).hex()]"
    one, two = [await tell(await bound(sandboxes, tmp_path / "code"), text) for _ in range(2)]
    assert all(mine != yours for mine, yours in zip(one, two, strict=True))


async def test_tmp_is_its_own_and_limited(sandbox: Sandbox, sandboxes: Sandboxes, tmp_path: Path) -> None:
    assert await tell(sandbox, "open('/tmp/mine', 'w').write('x'); answer = 1") == 1
    other = await bound(sandboxes, tmp_path / "code")
    assert await tell(other, "import os; answer = os.listdir('/tmp')") == []
    assert "No space left" in await tell(sandbox, f"open('/tmp/big', 'wb').write(bytes({5 * MEBIBYTE}))")


async def test_code_and_layers_are_there_after_binding(sandboxes: Sandboxes, tmp_path: Path) -> None:
    for name in ("code", "layers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    sandbox = await bound(sandboxes, tmp_path / "code", layers=tmp_path / "layers")
    assert await tell(sandbox, "answer = open('/var/task/file').read() + open('/opt/file').read()") == "codelayers"


async def test_a_fork_bomb_meets_its_limit(sandbox: Sandbox, sandboxes: Sandboxes, tmp_path: Path) -> None:
    bomb = (
        "import os, signal\nchildren = []\ntry:\n for _ in range(1000):\n  child = os.fork()\n"
        "  if child == 0:\n   signal.pause()\n  children.append(child)\n"
        "except OSError:\n pass\nanswer = len(children)"
    )
    assert 20 <= await tell(sandbox, bomb) < 40
    assert await tell(await bound(sandboxes, tmp_path / "code"), "answer = 1") == 1


async def test_a_memory_hog_dies_alone(sandbox: Sandbox) -> None:
    assert await tell(sandbox, f"x = b'x' * {300 * MEBIBYTE}; answer = 1") is None
    assert Cgroups.detect().oom_kills(sandbox.place.cgroup) >= 1
    assert await tell(sandbox, "answer = 1") == 1


async def test_frozen_it_stands_still_and_thawed_it_hears_of_it(sandbox: Sandbox) -> None:
    await sandbox.freeze()
    assert Cgroups.detect().is_frozen(sandbox.place.cgroup)
    waiting = asyncio.create_task(tell(sandbox, "answer = 1"))
    await sandbox.thaw()
    assert await sandbox.control.receive() == {"thawed": "noted"}
    assert await waiting == 1


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("grace_seconds", [0, 5])
async def test_after_its_end_nothing_is_left(sandbox: Sandbox, grace_seconds: float, frozen: bool) -> None:
    if frozen:
        await sandbox.freeze()
    await sandbox.end(grace_seconds)
    assert sandbox.exited.is_set()
    assert not sandbox.listener_path.exists()
    assert not sandbox.place.directory.exists()
    assert Cgroups.detect().stats(sandbox.place.cgroup) is None


async def test_a_dead_parent_is_replaced_and_its_instances_go_on(
    sandbox: Sandbox, sandboxes: Sandboxes, tmp_path: Path
) -> None:
    parent = int(Path(f"/proc/{sandbox.pid}/stat").read_text().rpartition(")")[2].split()[1])
    spare = await sandboxes.take("python3.11")
    os.kill(parent, signal.SIGKILL)
    assert await tell(sandbox, "answer = 1") == 1
    with pytest.raises(SandboxFailure):
        await spare.bind(Binding(tmp_path / "code"))
    assert not spare.can_be_bound
    assert await tell(await bound(sandboxes, tmp_path / "code"), "answer = 2") == 2


async def test_a_hundred_are_made_and_removed(tmp_path: Path) -> None:
    async with sandboxes_in(tmp_path) as sandboxes:
        made = [await sandboxes.take("python3.11") for _ in range(100)]
        assert len({sandbox.pid for sandbox in made}) == 100
    assert all(sandbox.exited.is_set() for sandbox in made)


async def test_spares_are_made_ahead(tmp_path: Path) -> None:
    async with sandboxes_in(tmp_path, runtime=dataclasses.replace(STAND_IN, spares=2)) as sandboxes:
        sandbox = await bound(sandboxes, tmp_path / "code")
        assert await tell(sandbox, "answer = 1") == 1


async def test_egress_is_a_pods(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with fresh_engine(tmp_path / "data") as engine, answering() as serve:
        network = Network(engine)
        await network.start()
        async with sandboxes_in(tmp_path, network=network) as sandboxes:
            server = await make_pod(network, "server")
            serve(server, 8080)
            sandbox = await bound(sandboxes, tmp_path / "code")
            text = f"import socket; answer = socket.create_connection(({server.address!r}, 8080), 5).makefile().read()"
            assert (await asyncio.wait_for(tell(sandbox, text), 10)).startswith("server ")
        assert [uid for uid in network.sandboxes() if uid.startswith("function-")] == []
        await network.close()


ENGINE = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sandbox_world import STAND_IN, engine_in
from grandstand.functions.sandboxes import Sandboxes

async def main():
    directory = Path(sys.argv[2])
    made = Sandboxes(engine_in(directory), (STAND_IN,), directory / "l")
    await made.recover()
    for _ in range(3):
        print((await made.take("python3.11")).pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_a_killed_engine_left_is_ended(tmp_path: Path) -> None:
    arguments = (sys.executable, "-c", ENGINE, str(Path(__file__).parent), str(tmp_path))
    killed = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    assert killed.stdout is not None
    pids = [int(await killed.stdout.readline()) for _ in range(3)]
    killed.kill()
    await killed.wait()
    engine: Engine = engine_in(tmp_path)
    again = Sandboxes(engine, (STAND_IN,), tmp_path / "l")
    await again.recover()
    assert not any(Path(f"/proc/{pid}/root/var/runtime/sandbox_stand_in").exists() for pid in pids)
    await again.close()
    assert left_of(engine, tmp_path / "l") == []


async def test_node_runs_in_it(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = await bound(sandboxes, tmp_path / "code", memory_bytes=512 * MEBIBYTE)
    program = "process.stdout.write(String(process.getuid()))"
    command = ["/usr/bin/node", "-e", program]
    text = f"import subprocess; answer = subprocess.run({command!r}, capture_output=True, text=True).stdout"
    assert await tell(sandbox, text) == "65534"


async def test_listeners_may_lie_deeper_than_a_socket_may(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    async with sandboxes_in(deep) as made:
        sandbox = await bound(made, tmp_path / "code")
        assert await tell(sandbox, "answer = 1 + 1") == 2


async def test_an_engine_that_shares_nothing_does_not_keep_the_root_from_its_sandboxes(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        async with sandboxes_in(tmp_path) as made:
            sandbox = await bound(made, tmp_path / "code")
            (tmp_path / "code").chmod(0o755)
            text = "import os; os.chdir('/var/task'); answer = open('/dev/null').read()"
            assert await tell(sandbox, text) == ""
    finally:
        os.umask(before)
