"""Commands with open streams, attached containers and forwarded ports, against the real runtime and kernel."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from node_machine import app, container, machine, ready

from grandstand.errors import BadRequest, NotFound, PortUnreachable, RuntimeFailure
from grandstand.kinds import Key
from grandstand.node.runtime import Attachment, CommandStreams
from grandstand.node.runtime.state import shelves
from grandstand.node.streams import NodeStreams

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

SPIN_SECONDS = 1.0
WEB = Key("default", "web")


@dataclass(frozen=True)
class Wishes:
    command: tuple[str, ...] = ()
    container: str = ""
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


@pytest.fixture
async def world(tmp_path):
    async with machine(tmp_path) as world:
        world.streams = NodeStreams(world.agent.pod)
        yield world
        await world.streams.settled()


async def output(session) -> tuple[bytes, bytes]:
    pieces = {1: b"", 2: b""}
    async with asyncio.timeout(20):
        while (piece := await session.read()) is not None:
            pieces[piece[0]] += piece[1]
    return pieces[1], pieces[2]


async def until(session, text: bytes) -> bytes:
    found = b""
    async with asyncio.timeout(10):
        while text not in found:
            piece = await session.read()
            assert piece is not None, found
            found += piece[1]
    return found


async def run(world, *command, **wishes) -> tuple[int, bytes, bytes]:
    async with world.streams.execute("default", "web", Wishes(command, **wishes)) as session:
        out, error = await output(session)
        return await session.code(), out, error


def shell(script: str, **wishes) -> Wishes:
    return Wishes(("/bin/sh", "-c", script), **wishes)


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@asynccontextmanager
async def no_descriptor_more(world):
    """What was opened is closed again."""
    before = descriptors()
    yield
    await world.streams.settled()
    assert descriptors() == before


def folders(world) -> list[Path]:
    return list((world.parts.engine.data / "containers").glob("*/exec-*"))


def processes(name: str) -> list[Path]:
    """The processes that were started with this argument."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if name.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                    found.append(folder)
            except OSError:
                continue
    return found


class TestCommands:
    async def test_streams_and_codes(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with no_descriptor_more(world):
            assert await run(world, "/bin/sh", "-c", "echo out; echo error >&2; exit 3") == (3, b"out\n", b"error\n")
            assert await run(world, "true") == (0, b"", b"")
            assert (await run(world, "/bin/sh", "-c", "kill -9 $$"))[0] == 137
            assert await run(world, "/bin/sh", "-c", "echo out; echo no >&2", stderr=False) == (0, b"out\n", b"")
            code, _, error = await run(world, "nothing")
            assert (code, b'"nothing": executable file not found' in error) == (127, True)
            code, _, error = await run(world, "/etc/passwd")
            assert (code, b"permission denied" in error) == (126, True)
            assert (await run(world, "/none/such"))[0] == 127
        assert folders(world) == []

    async def test_input_has_an_end(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        data = os.urandom(300_000)
        async with world.streams.execute("default", "web", Wishes(("cat",), stdin=True)) as session:
            reading = asyncio.ensure_future(output(session))
            await session.write(data)
            session.end_input()
            assert (await asyncio.wait_for(reading, 10))[0] == data
            assert await session.code() == 0

    async def test_input_that_nobody_reads_is_forgotten(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with world.streams.execute("default", "web", Wishes(("head", "-c", "4"), stdin=True)) as session:
            await asyncio.wait_for(session.write(b"x" * 1_000_000), 10)
            assert (await output(session))[0] == b"xxxx"
            assert await session.code() == 0

    async def test_a_terminal(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        wishes = shell(
            "stty size; test -t 0 && test -t 1 && test -t 2 && echo all; echo $TERM; exec sh", stdin=True, tty=True
        )
        async with no_descriptor_more(world), world.streams.execute("default", "web", wishes) as session:
            assert b"all\r\nxterm\r\n" in await until(session, b"xterm")
            session.resize(101, 33)
            # The size travels beside what is typed.
            await session.write(b'until [ "$(stty size)" = "33 101" ]; do sleep 0.1; done; echo "now $(stty size)"\n')
            await until(session, b"now 33 101")
            # Said by the command itself: before it runs, the shell would get what is meant for it.
            await session.write(b"sh -c 'echo sl\"\"eeps; exec sleep 100'\n")
            await until(session, b"sleeps")
            await session.write(b"\x03")
            await session.write(b"exit 7\n")
            await output(session)
            assert await session.code() == 7

    async def test_a_command_has_the_containers_own_restrictions(self, world):
        security = {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "runAsUser": 1234, "runAsGroup": 77}
        limits = {"limits": {"memory": "32Mi", "cpu": "500m"}}
        await world.create(
            app(securityContext=security, resources=limits, env=[{"name": "COLOR", "value": "red"}]),
            terminationGracePeriodSeconds=0,
        )
        await world.until(ready)
        pid = world.agent.pod(WEB).state("app").id
        first = Path(f"/proc/{world.parts.runtime.pid(pid)}")
        for tty in (False, True):
            _, out, _ = await run(
                world, "/bin/sh", "-c", "cat /proc/self/status /proc/self/cgroup; echo $COLOR", tty=tty
            )
            lines = out.decode().replace("\r", "").splitlines()
            own = (first / "status").read_text().splitlines()
            for field in (
                "Uid",
                "Gid",
                "Groups",
                "CapInh",
                "CapPrm",
                "CapEff",
                "CapBnd",
                "CapAmb",
                "NoNewPrivs",
                "Seccomp",
            ):
                (wanted,) = [line for line in own if line.startswith(f"{field}:")]
                assert wanted in lines
            assert "Seccomp:\t2" in lines
            assert "NoNewPrivs:\t1" in lines
            assert "red" in lines

    async def test_a_command_is_in_the_containers_cgroup_and_namespaces(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        runtime = world.parts.runtime
        init = runtime.pid(world.agent.pod(WEB).state("app").id)
        async with world.streams.execute("default", "web", shell("echo here; exec sleep 4321")) as session:
            await until(session, b"here")
            async with asyncio.timeout(5):
                while not (found := [p for p in processes("4321") if (p / "comm").read_text() == "sleep\n"]):
                    await asyncio.sleep(0.01)
            assert (found[0] / "cgroup").read_text() == Path(f"/proc/{init}/cgroup").read_text()
            for kind in ("net", "pid", "mnt", "ipc", "uts"):
                assert (found[0] / "ns" / kind).readlink() == Path(f"/proc/{init}/ns/{kind}").readlink()
        await world.streams.settled()
        assert processes("4321") == []

    @pytest.mark.parametrize("tty", [False, True])
    async def test_a_command_ends_with_its_client(self, world, tty):
        nap = f"4322{os.getpid()}"  # the same test may run beside this one, with the other parameter
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with no_descriptor_more(world):
            async with world.streams.execute("default", "web", shell(f"echo up; sleep {nap}", tty=tty)) as session:
                await until(session, b"up")
            await asyncio.wait_for(world.streams.settled(), 4)
            assert processes(nap) == []
        assert folders(world) == []

    async def test_a_command_that_does_not_listen_is_killed(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        wishes = shell("trap '' HUP; echo up; while true; do sleep 4323; done")
        async with world.streams.execute("default", "web", wishes) as session:
            await until(session, b"up")
        await asyncio.wait_for(world.streams.settled(), 10)
        assert processes("4323") == []

    async def test_a_client_that_goes_at_once_leaves_nothing(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        for _ in range(3):
            async with no_descriptor_more(world), world.streams.execute("default", "web", Wishes(("sleep", "4324"))):
                pass
        assert (processes("4324"), folders(world)) == ([], [])

    async def test_a_command_of_an_engine_that_died_is_ended_by_the_next(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with world.streams.execute("default", "web", shell("echo up; exec sleep 4326")) as session:
            await until(session, b"up")
            await world.restart()
            await output(session)
            assert (processes("4326"), folders(world)) == ([], [])
        await world.until(ready)

    async def test_a_command_ends_with_its_container(self, world):
        await world.create(app(), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with world.streams.execute("default", "web", shell("echo up; exec sleep 4325")) as session:
            await until(session, b"up")
            await world.parts.runtime.kill(world.agent.pod(WEB).state("app").id, 9)
            await output(session)
            assert await session.code() == 137

    async def test_what_cannot_be_opened(self, world):
        await world.create(app("exit 0"), app(name="other"), restartPolicy="Never")
        await world.until(lambda pod: "terminated" in container(pod)["state"])
        await world.until(lambda pod: "running" in container(pod, "other")["state"])

        async def open_in(pod="web", **wishes):
            async with world.streams.execute("default", pod, Wishes(("true",), **wishes)):
                pass

        with pytest.raises(NotFound, match=r'container not found \("app"\)'):
            await open_in(container="app")
        with pytest.raises(BadRequest, match="container zz is not valid for pod web"):
            await open_in(container="zz")
        with pytest.raises(BadRequest, match=r"choose one of: \[app other\]"):
            await open_in()
        with pytest.raises(BadRequest, match="pod none does not have a host assigned"):
            await open_in("none")


class TestAttached:
    async def test_input_that_is_open_once(self, world):
        script = "cat; echo over >&2; sleep 3600"
        await world.create(app(script, stdin=True, stdinOnce=True), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with world.streams.attach("default", "web", Wishes(stdin=True)) as session:
            await session.write(b"hello\n")
            assert await until(session, b"hello\n") == b"hello\n"
            session.end_input()
            assert await session.read() == (2, b"over\n")

    async def test_input_that_stays_open(self, world):
        await world.create(app("exec cat", stdin=True), terminationGracePeriodSeconds=0)
        await world.until(ready)
        for word in (b"one\n", b"two\n"):
            async with world.streams.attach("default", "web", Wishes(stdin=True)) as session:
                await session.write(word)
                assert await until(session, word) == word
                session.end_input()
        assert container(await world.until(ready))["restartCount"] == 0

    async def test_a_terminal(self, world):
        await world.create(app("exec sh", stdin=True, tty=True), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with world.streams.attach("default", "web", Wishes(stdin=True, tty=True)) as session:
            for columns in range(40, 103):
                session.resize(columns, 34)
            await session.write(b'echo "is $(stty size)"\n')
            await until(session, b"is 34 102")
            await session.write(b"echo $TERM\n")
            assert b"xterm\r\n" in await until(session, b"xterm\r\n")
            await session.write(b"exit\n")
            await output(session)
            assert await session.code() == 0

    async def test_input_is_not_for_who_did_not_ask(self, world):
        await world.create(app("exec cat", stdin=True), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with world.streams.attach("default", "web", Wishes()) as session:
            await session.write(b"secret\n")
            async with world.streams.attach("default", "web", Wishes(stdin=True)) as other:
                await other.write(b"said\n")
            assert await until(session, b"\n") == b"said\n"

    async def test_the_monitor_does_not_spin_over_input_that_nobody_reads(self, world):
        await world.create(app("exec 0<&-; echo deaf; sleep 3600", stdin=True), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with world.streams.attach("default", "web", Wishes(stdin=True)) as session:
            await session.write(b"hello\n")
        monitor = next((world.parts.engine.data / "containers").glob("*/conmon.pid")).read_text()

        def ticks() -> int:
            fields = Path(f"/proc/{monitor}/stat").read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])

        before = ticks()
        await asyncio.sleep(SPIN_SECONDS)
        assert ticks() - before < 20

    async def test_who_stalls_is_detached_and_the_container_goes_on(self, world):
        await world.create(app("exec cat /dev/zero", stdin=True), terminationGracePeriodSeconds=0)
        await world.until(ready)
        runtime = world.parts.runtime
        shelf = next(shelves(world.parts.engine.data / "containers"))
        log = shelf.spec().log_path
        wishes = CommandStreams(stdin=True)
        session = Attachment(shelf, shelf.record().monitor.pid, shelf.spec(), wishes, stall_seconds=0.5)
        assert (await session.read())[0] == 1
        async with asyncio.timeout(10):
            while (size := log.stat().st_size) != await later(log):
                pass  # the monitor writes on, until the socket is full
            while log.stat().st_size == size:
                await asyncio.sleep(0.01)
        with pytest.raises(RuntimeFailure, match=r"detached: nothing was read for 0\.5 s"):
            await output(session)
        await session.hang_up()
        assert runtime.pid(shelf.id) is not None


async def later(log: Path) -> int:
    await asyncio.sleep(0.1)
    return log.stat().st_size


class TestPorts:
    async def test_a_server_on_the_loopback(self, world):
        await world.create(app("exec httpd -f -p 127.0.0.1:8080 -h /"), terminationGracePeriodSeconds=0)
        await world.until(ready)
        async with asyncio.timeout(10):
            while True:
                try:
                    connection = await world.streams.connect("default", "web", 8080)
                    break
                except PortUnreachable:
                    await asyncio.sleep(0.01)
        await connection.write(b"GET /none HTTP/1.0\r\n\r\n")
        connection.end_input()
        assert (await connection.read()).startswith(b"HTTP/1.")
        connection.close()
        async with no_descriptor_more(world):
            with pytest.raises(PortUnreachable, match="localhost:8081 inside the Pod's network: Connection refused"):
                await world.streams.connect("default", "web", 8081)
        with pytest.raises(BadRequest, match="does not have a host assigned"):
            world.streams.pod_networks("default", "none")

    async def test_a_pod_that_has_ended(self, world):
        await world.create(app("exit 0"), restartPolicy="Never")
        await world.until(lambda pod: (pod.get("status") or {}).get("phase") == "Succeeded")
        with pytest.raises(BadRequest, match=r"Current status=Succeeded|does not have a host assigned"):
            world.streams.pod_networks("default", "web")
