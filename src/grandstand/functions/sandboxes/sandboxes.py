"""All sandboxes of an engine: started from warm parents, spares kept ready, and what a former engine left ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grandstand.clock import Clock, SystemClock
from grandstand.engine import Engine
from grandstand.errors import GrandstandError, SandboxFailure
from grandstand.node.cgroups import Cgroups, Limits
from grandstand.node.network import Network
from grandstand.node.network import Sandbox as PodNetwork

from .binding import spares_to_start
from .control import Control
from .networks import Networks
from .parent_process import ParentProcess
from .sandbox import Place, Sandbox

log = logging.getLogger(__name__)

_METER_BYTES = 4096
_BACKLOG = 1024
_SPARE_LIMITS = Limits(cpu_shares=1024, memory_bytes=256 << 20, pids=1024)
_STARTS_AT_ONCE = 2
_SPARE_BOOT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Runtime:
    """`files` is a package copied to /var/runtime; `supervisor` is a `module:function` of it, given its environment."""

    name: str
    files: Path
    supervisor: str
    preload: tuple[str, ...] = ()
    spares: int = 0


class Sandboxes:
    """`listeners` is where HAProxy finds sockets; `listener_mode` lets it connect. `recover` first, `close` last."""

    def __init__(
        self,
        engine: Engine,
        runtimes: tuple[Runtime, ...],
        listeners: Path,
        *,
        network: Network | None = None,
        cgroups: Cgroups | None = None,
        clock: Clock | None = None,
        listener_mode: int = 0o666,
        networks_ahead: int = 4,
    ) -> None:
        self._clock = clock or SystemClock()
        self._runtimes = {runtime.name: runtime for runtime in runtimes}
        self._listeners = listeners
        self._listeners_open: int | None = None
        self._listener_mode = listener_mode
        self._cgroups = cgroups or Cgroups.detect()
        self._networks = Networks(network, self._clock, ahead=networks_ahead) if network else None
        self._etc = {"resolv.conf": f"nameserver {engine.bridge_address}\n" if network else ""}
        self._root_cgroup = f"{engine.prefix}-functions"
        self._directory = engine.data / "functions" / "sandboxes"
        self._parents: dict[str, ParentProcess] = {}
        self._parent_locks = {name: asyncio.Lock() for name in self._runtimes}
        self._running: dict[str, Sandbox] = {}
        self._network_of: dict[str, PodNetwork] = {}
        self._spares: dict[str, deque[Sandbox]] = {name: deque() for name in self._runtimes}
        self._starting: dict[str, int] = dict.fromkeys(self._runtimes, 0)
        self._wanted = {runtime.name: runtime.spares for runtime in runtimes}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def recover(self) -> None:
        """End what a former engine left, and begin to make spares. Nothing that it finds is taken over."""
        await self._cgroups.remove(self._root_cgroup)
        await asyncio.to_thread(self._clear_directories)
        if self._networks is not None:
            await self._networks.recover()
        for name in self._runtimes:
            self._refill(name)

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The names of those that there are."""
        return tuple(self._runtimes)

    def prepare(self, runtime: str, spares: int) -> None:
        """Have so many spares of a runtime ready from now on; nothing happens for one that is not there."""
        if runtime in self._runtimes and self._wanted[runtime] < spares:
            self._wanted[runtime] = spares
            self._refill(runtime)

    def running(self) -> dict[str, Sandbox]:
        """All that have not been ended, by name."""
        return dict(self._running)

    async def take(self, runtime: str) -> Sandbox:
        """A spare that has booted; a new sandbox, booted, where there is none. Raises SandboxFailure."""
        if runtime not in self._runtimes:
            known = ", ".join(self._runtimes)
            raise SandboxFailure(
                f"this machine has no runtime {runtime}: it has {known}. Install it, or choose another"
            )
        spares = self._spares[runtime]
        while spares:
            spare = spares.popleft()
            self._refill(runtime)
            if spare.can_be_bound:
                return spare
            self._later(spare.end())
        return await self._start_booted(runtime)

    async def start(self, runtime: str) -> Sandbox:
        """A new sandbox; `{"booted": {}}` comes first on its control. Raises SandboxFailure."""
        if self._closed:
            raise SandboxFailure("the engine ends: no sandbox is started any more")
        place = self._place()
        network = await self._networks.take() if self._networks else None
        try:
            parent = await self._parent(runtime)
            sandbox = await self._fork(parent, place, network)
        except BaseException:
            await self._clear(place, network)
            raise
        self._running[place.name] = sandbox
        if network is not None:
            self._network_of[place.name] = network
        return sandbox

    async def close(self) -> None:
        """End every sandbox and warm parent, and remove all that they had."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(sandbox.end() for sandbox in self._running.values()))
        for parent in self._parents.values():
            await parent.stop()
        self._parents.clear()
        if self._networks is not None:
            await self._networks.close()
        await self._cgroups.remove(self._root_cgroup)
        if self._listeners_open is not None:
            os.close(self._listeners_open)
            self._listeners_open = None

    def _place(self) -> Place:
        name = self._clock.suffix(10)
        return Place(name, f"{self._root_cgroup}/{name}", self._directory / name, self._reached() / f"f-{name}")

    def _reached(self) -> Path:
        """The directory of the listeners, by a path that is short enough for sockets, whatever its own is."""
        if self._listeners_open is None:
            self._listeners_open = os.open(self._listeners, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return Path(f"/proc/self/fd/{self._listeners_open}")

    async def _parent(self, runtime: str) -> ParentProcess:
        """The runtime's warm parent; one that has died is replaced. Its instances go on without it."""
        async with self._parent_locks[runtime]:
            parent = self._parents.get(runtime)
            if parent is not None and not parent.ended.is_set():
                return parent
            if parent is not None:
                await parent.stop()
            self._parents[runtime] = await self._start_parent(self._runtimes[runtime])
            return self._parents[runtime]

    async def _start_parent(self, runtime: Runtime) -> ParentProcess:
        root = self._directory.parent / f"root-{runtime.name}"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {
            "root": str(root),
            "runtime": str(runtime.files),
            "supervisor": runtime.supervisor,
            "preload": runtime.preload,
            "etc": self._etc,
        }
        return await ParentProcess.start(settings, self._directory.parent / f"parent-{runtime.name}.log")

    async def _fork(self, parent: ParentProcess, place: Place, network: PodNetwork | None) -> Sandbox:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as theirs_only:
            theirs_only.enter_context(theirs)
            try:
                listener = theirs_only.enter_context(self._listen(place.listener))
                files = self._open_files(place, network, theirs_only)
                kinds = {"hostname": place.name, "entries": len(files) - 3 - bool(network), "network": bool(network)}
                descriptors = [theirs.fileno(), listener.fileno(), *files]
                answer, opened = await parent.request({"start": kinds}, descriptors)
            except OSError as error:
                ours.close()
                raise SandboxFailure(f"a sandbox cannot be made: {error}") from error
            except BaseException:
                ours.close()
                raise
        return Sandbox(
            place,
            pid=answer["pid"],
            process=opened[0],
            control=Control(ours),
            parent=parent,
            cgroups=self._cgroups,
            clear_away=self._clear_away,
        )

    def _open_files(self, place: Place, network: PodNetwork | None, until: contextlib.ExitStack) -> list[int]:
        """Two logs, the meter, the cgroups' doors, and the network namespace."""
        place.directory.mkdir(mode=0o700, parents=True)
        self._cgroups.create_pod(place.cgroup, _SPARE_LIMITS)
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        files = [os.open(place.directory / f"log-{half}", flags | os.O_APPEND, 0o600) for half in "ab"]
        files.append(os.open(place.directory / "meter", flags, 0o600))
        os.ftruncate(files[-1], _METER_BYTES)
        files += [os.open(file, os.O_WRONLY | os.O_CLOEXEC) for file in self._cgroups.doors(place.cgroup)]
        if network is not None and network.network is not None:
            files.append(os.open(network.network, os.O_RDONLY | os.O_CLOEXEC))
        for file in files:
            until.callback(os.close, file)
        return files

    def _listen(self, path: Path) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(self._listener_mode)
        listener.listen(_BACKLOG)
        return listener

    async def _clear_away(self, sandbox: Sandbox) -> None:
        self._running.pop(sandbox.name, None)
        await self._clear(sandbox.place, self._network_of.pop(sandbox.name, None))

    async def _clear(self, place: Place, network: PodNetwork | None) -> None:
        place.listener.unlink(missing_ok=True)
        await self._cgroups.remove(place.cgroup)
        shutil.rmtree(place.directory, ignore_errors=True)
        if network is not None and self._networks is not None:
            await self._networks.give_back(network)

    def _clear_directories(self) -> None:
        self._listeners.mkdir(parents=True, exist_ok=True)
        for socket_file in self._listeners.glob("f-*"):
            socket_file.unlink(missing_ok=True)
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(mode=0o700, parents=True)

    async def _start_booted(self, runtime: str) -> Sandbox:
        sandbox = await self.start(runtime)
        try:
            async with asyncio.timeout(_SPARE_BOOT_SECONDS):
                message = await sandbox.control.receive()
        except TimeoutError as error:
            await sandbox.end()
            raise SandboxFailure(f"a sandbox of {runtime} did not boot within {_SPARE_BOOT_SECONDS} s") from error
        except BaseException:
            await sandbox.end()
            raise
        if message is None or "booted" not in message:
            await sandbox.end()
            raise SandboxFailure(f"a sandbox of {runtime} did not boot: {_why(message)}")
        return sandbox

    def _refill(self, runtime: str) -> None:
        missing = spares_to_start(
            wanted=self._wanted[runtime],
            ready=len(self._spares[runtime]),
            starting=self._starting[runtime],
            at_once=_STARTS_AT_ONCE,
        )
        for _ in range(0 if self._closed else missing):
            self._starting[runtime] += 1
            self._later(self._add_spare(runtime))

    async def _add_spare(self, runtime: str) -> None:
        try:
            spare = await self._start_booted(runtime)
        except GrandstandError as error:
            # Who takes one meets the same error, and hears of it; the next one taken begins anew.
            log.warning("a spare sandbox of %s cannot be made: %s", runtime, error)
            return
        finally:
            self._starting[runtime] -= 1
        self._spares[runtime].append(spare)
        self._refill(runtime)

    def _later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _why(message: dict[str, Any] | None) -> str:
    failed = (message or {}).get("failed")
    return failed["errorMessage"] if failed else "it ended without a word; see its log"
