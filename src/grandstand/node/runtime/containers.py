"""Create, start, signal, watch and remove containers, and find them again after a restart of the engine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from grandstand.clock import Clock
from grandstand.errors import CreateContainerError, NoSuchContainer, RunContainerError, RuntimeFailure
from grandstand.node.cgroups import Cgroups
from grandstand.node.log_files import rotate
from grandstand.node.processes import DEFAULT_OUTPUT_LIMIT, ended, is_running, process_key, run, send_signal

from .adoption import Adopted, adopted
from .attachment import Attachment
from .bundle import bundle
from .command import Command, CommandStreams
from .conmon import ENVIRONMENT, Conmon, reopen_log
from .executing import ExecResult, execute
from .exits import UNKNOWN_CODE, ContainerExit, read_exit
from .host import boot_id, read_devices, read_host
from .oci import OciRuntime, detect, find_conmon
from .past_monitor import remember_stdin
from .spec import ContainerSpec
from .starting import release
from .state import Record, Shelf, shelves

LOG_CHECK_SECONDS = 2
# After a log was too long: a program can write 300 MB a second, and the disk is everybody's.
FLOOD_CHECK_SECONDS = 0.5
# The monitor ends a moment after its container; one that does not is broken, and is killed.
MONITOR_SECONDS = 5


class Runtime:
    """The containers of one engine, whose state lies in `data/containers/` and `data/run/runc/`.

    Nothing here has to run for a container to go on: its monitor (conmon) keeps its output and its exit code.
    """

    def __init__(
        self, data: Path, *, clock: Clock, runtime: OciRuntime | None = None, cgroups: Cgroups | None = None
    ) -> None:
        """Raises NoRuntime or NoCgroups, with what to install."""
        self.oci = runtime or detect()
        self._clock = clock
        self._cgroups = cgroups or Cgroups.detect(clock=clock)
        self._directory = data.resolve() / "containers"
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        runtime_root = data.resolve() / "run" / "runc"
        runtime_root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._conmon = Conmon(find_conmon(), self.oci, runtime_root)
        self._host = read_host(cgroup_v2=self._cgroups.version == 2, swap_accounting=self._cgroups.swap_accounting)
        # A runtime is mostly CPU: more of them at once only take longer each.
        self._slots = asyncio.Semaphore(2 * (os.cpu_count() or 1))
        self._creating: dict[str, asyncio.Task[None]] = {}
        self._logs: dict[str, tuple[Path, int] | None] = {}

    async def create(self, spec: ContainerSpec) -> None:
        """Make a container whose program waits for `start`. Raises RuntimeFailure and leaves nothing then.

        When the caller is cancelled the making goes on, and `remove` waits for it: half a container has no name.
        """
        task = asyncio.ensure_future(self._create(spec))
        self._creating[spec.id] = task
        task.add_done_callback(lambda _: self._creating.pop(spec.id, None))
        await asyncio.shield(task)

    async def _create(self, spec: ContainerSpec) -> None:
        shelf = self._shelf(spec.id)
        host = replace(self._host, devices=read_devices()) if spec.security.privileged else self._host
        try:
            _prepare_log(spec)
            shelf.make(spec, msgspec.json.encode(bundle(spec, host)))
        except FileExistsError:
            raise CreateContainerError(f"there is a container {spec.id} already; remove it first") from None
        try:
            async with self._slots:
                pid = await self._conmon.create(spec, shelf)
        except BaseException:
            await self._clear(spec, shelf)
            raise
        if spec.stdin and not spec.tty:
            remember_stdin(shelf, pid)
        monitor = process_key(int(shelf.monitor_pid.read_text()))
        shelf.save(Record(self._clock.now(), boot_id(), monitor, process_key(pid)))

    async def start(self, container_id: str) -> float:
        """Let the program of a created container go; the time. Raises RunContainerError when it cannot."""
        shelf, record = self._existing(container_id)
        if record.init is None:
            raise RunContainerError(
                f"container {container_id} ended before it was started; remove it, and create it again"
            )
        self._limit_cpu(self._spec(container_id))
        started_at = self._clock.now()
        # Before it happens: after a crash in between, `is_waiting_to_start` tells which of the two is true.
        shelf.mark_started(started_at)
        try:
            await release(self._conmon, container_id, record.init, self._slots)
        except BaseException:
            shelf.mark_started(None)
            raise
        return started_at

    def _limit_cpu(self, spec: ContainerSpec) -> None:
        """The quota that `bundle` has left out."""
        if spec.limits.cpu_millicores is None:
            return
        try:
            self._cgroups.set_cpu_limit(spec.cgroup, spec.limits.cpu_millicores)
        except OSError as error:
            raise RunContainerError(f"the CPU limit of container {spec.name!r} cannot be set: {error}") from error

    async def kill(self, container_id: str, number: int) -> None:
        """Signal the container's first process, thawing it if it is frozen. No error when it has ended or is gone."""
        shelf = self._shelf(container_id)
        spec, record = shelf.spec(), shelf.record()
        if spec is None or record is None or record.init is None:
            return
        send_signal(record.init, number)
        if number == signal.SIGKILL:
            self._cgroups.hasten(spec.cgroup)
        if number == signal.SIGKILL and spec.namespaces.host_pid:
            # Elsewhere the kernel kills the rest of the PID namespace with its first process.
            self._cgroups.kill(spec.cgroup)
        if self._cgroups.is_frozen(spec.cgroup):
            self._cgroups.thaw(spec.cgroup)

    async def wait(self, container_id: str) -> ContainerExit:
        """Return when a container has ended, also when that was while no engine ran. Raises NoSuchContainer."""
        shelf, record = self._existing(container_id)
        if record.monitor is not None:
            await ended(record.monitor)
        return self._exit_of(shelf) or await self._give_up(shelf, record)

    async def _give_up(self, shelf: Shelf, record: Record) -> ContainerExit:
        """The exit of a container whose monitor died without a word: without its monitor it must not go on."""
        if record.init is not None and record.boot == boot_id():
            send_signal(record.init, signal.SIGKILL)
            if (spec := shelf.spec()) and self._cgroups.is_frozen(spec.cgroup):
                self._cgroups.thaw(spec.cgroup)
            await ended(record.init)
        if not shelf.directory.is_dir():
            raise NoSuchContainer(f"container {shelf.id} was removed")
        shelf.write_exit(UNKNOWN_CODE)
        found = self._exit_of(shelf)
        assert found is not None
        return found

    async def remove(self, container_id: str) -> None:
        """Kill a container if it runs, and forget its cgroup and state. Its log and root file system stay.

        Doing it twice does no harm. Raises PlatformError when a process of it does not die.
        """
        if (task := self._creating.get(container_id)) is not None:
            await asyncio.wait([task])
        shelf = self._shelf(container_id)
        spec = shelf.spec()
        if spec is None:
            shelf.destroy()
            return
        await self._clear(spec, shelf)

    async def _clear(self, spec: ContainerSpec, shelf: Shelf) -> None:
        record = shelf.record()
        if record is not None and record.boot == boot_id():
            await self.kill(shelf.id, signal.SIGKILL)
            await self._end_monitor(record)
        if record is None:
            await self._delete_unfinished(shelf)
        # What the runtime's own `delete` would do now, for 20 ms of CPU: its processes have ended, its state is a
        # directory, and we give it no hooks.
        await self._cgroups.remove(spec.cgroup)
        shutil.rmtree(self._conmon.runtime_root / shelf.id, ignore_errors=True)
        shelf.destroy()

    async def _delete_unfinished(self, shelf: Shelf) -> None:
        """What was begun and never finished, the runtime knows best."""
        command: list[str | Path] = [self.oci.path, "--root", self._conmon.runtime_root, "delete", "--force", shelf.id]
        async with self._slots:
            await run(command, env=ENVIRONMENT)

    async def _end_monitor(self, record: Record) -> None:
        if record.monitor is None:
            return
        try:
            async with asyncio.timeout(MONITOR_SECONDS):
                await ended(record.monitor)
        except TimeoutError:
            send_signal(record.monitor, signal.SIGKILL)
            await ended(record.monitor)

    async def exec(
        self,
        container_id: str,
        args: tuple[str, ...],
        timeout_seconds: float,
        *,
        output_limit: int = DEFAULT_OUTPUT_LIMIT,
    ) -> ExecResult:
        """Run a command as the container's own process runs.

        Raises ExecTimeout after killing the command and what it started in its process group, NoSuchContainer when the
        container does not run, RuntimeFailure when the command could not be run at all, e.g. is not in the image.
        """
        if not args:
            raise RuntimeFailure("there is no command to run")
        if self.pid(container_id) is None:
            raise NoSuchContainer(f"container {container_id} does not run")
        root, cgroup = self._conmon.runtime_root, self._spec(container_id).cgroup
        return await execute(self.oci, root, self._shelf(container_id), cgroup, args, timeout_seconds, output_limit)

    def command(self, container_id: str, args: tuple[str, ...], streams: CommandStreams) -> Command:
        """Start a command as the container's own process runs, with streams. Raises NoSuchContainer."""
        if self.pid(container_id) is None:
            raise NoSuchContainer(f"container {container_id} does not run")
        shelf, cgroup = self._shelf(container_id), self._spec(container_id).cgroup
        return Command(self.oci, self._conmon.runtime_root, shelf, cgroup, args, streams)

    def attach(self, container_id: str, streams: CommandStreams) -> Attachment:
        """Join the streams of the container's own process. Raises NoSuchContainer, RuntimeFailure."""
        shelf, record = self._existing(container_id)
        if self.pid(container_id) is None or record.monitor is None:
            raise NoSuchContainer(f"container {container_id} does not run")
        return Attachment(shelf, record.monitor.pid, self._spec(container_id), streams)

    def adopt(self) -> list[Adopted]:
        """What earlier engines have left, running or ended. Blocks for about 0.1 ms per container."""
        return [found for shelf in shelves(self._directory) if (found := adopted(shelf, self._conmon, self._exit_of))]

    async def freeze(self, container_id: str) -> None:
        """Stop every process of a container where it stands."""
        await self._cgroups.freeze(self._spec(container_id).cgroup)

    async def thaw(self, container_id: str) -> None:
        self._cgroups.thaw(self._spec(container_id).cgroup)

    def pid(self, container_id: str) -> int | None:
        """The container's first process, as the host numbers it; None when it does not run."""
        record = self._shelf(container_id).record()
        if record is None or record.init is None or record.boot != boot_id() or not is_running(record.init):
            return None
        return record.init.pid

    async def keep_logs_small(self) -> None:
        """Rotate log files that have grown too long, for as long as the engine runs."""
        flood = False
        while True:
            await self._clock.sleep(FLOOD_CHECK_SECONDS if flood else LOG_CHECK_SECONDS)
            flood = self.rotate_logs()

    def rotate_logs(self) -> bool:
        """Rotate every log file that is over its container's limit now; whether there was one."""
        running = [shelf for shelf in shelves(self._directory) if not shelf.exit.exists()]
        self._logs = {shelf.id: self._logs.get(shelf.id) or _log_of(shelf) for shelf in running}
        rotated = False
        for shelf in running:
            if (log := self._logs[shelf.id]) is not None:
                rotated |= rotate(*log, partial(reopen_log, shelf))
        return rotated

    def _shelf(self, container_id: str) -> Shelf:
        return Shelf(self._directory / container_id)

    def _spec(self, container_id: str) -> ContainerSpec:
        if (spec := self._shelf(container_id).spec()) is None:
            raise NoSuchContainer(f"there is no container {container_id}")
        return spec

    def _existing(self, container_id: str) -> tuple[Shelf, Record]:
        shelf = self._shelf(container_id)
        if (record := shelf.record()) is None:
            raise NoSuchContainer(f"there is no container {container_id}")
        return shelf, record

    def _exit_of(self, shelf: Shelf) -> ContainerExit | None:
        spec = shelf.spec()
        kills = self._cgroups.oom_kills(spec.cgroup) if spec else 0
        return read_exit(shelf.exit, shelf.oom, kills)


def _log_of(shelf: Shelf) -> tuple[Path, int] | None:
    """Where a container's log lies, and how long it may be."""
    spec = shelf.spec()
    return None if spec is None else (spec.log_path, spec.log_max_bytes)


def _prepare_log(spec: ContainerSpec) -> None:
    """Raises CreateContainerError for a log file that is a link: conmon would follow it."""
    spec.log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if spec.log_path.is_symlink():
        raise CreateContainerError(f"the log file {spec.log_path} is a link; remove it")
