"""One sandbox: bound to a function, frozen, thawed, ended; then nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from grandstand.errors import SandboxFailure
from grandstand.node.cgroups import Cgroups

from . import mount_trees
from .binding import Binding
from .control import Control
from .parent_process import ParentProcess


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sandbox's things lie."""

    name: str
    cgroup: str
    directory: Path
    """Its two logs and its meter page."""
    listener: Path


class Sandbox:
    """Made by `Sandboxes.start`. `exited` is set when its supervisor has, and with it every process of its own."""

    def __init__(
        self,
        place: Place,
        *,
        pid: int,
        process: int,
        control: Control,
        parent: ParentProcess,
        cgroups: Cgroups,
        clear_away: Callable[[Sandbox], Awaitable[None]],
    ) -> None:
        self.place = place
        self.pid = pid
        self.control = control
        self.exited = asyncio.Event()
        self.frozen = False
        self._process = process
        self._parent = parent
        self._cgroups = cgroups
        self._clear_away = clear_away
        self._ending: asyncio.Task[None] | None = None
        asyncio.get_running_loop().add_reader(process, self._note_exit)

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def can_be_bound(self) -> bool:
        """Whether it lives, and its warm parent too, which mounts the function."""
        return not self.exited.is_set() and not self._parent.ended.is_set()

    @property
    def listener_path(self) -> Path:
        return self.place.listener

    async def bind(self, binding: Binding) -> None:
        """Limit it, mount the function, and tell the supervisor; it answers on `control`. Raises SandboxFailure."""
        try:
            self._cgroups.create_pod(self.place.cgroup, binding.limits)
            trees = [mount_trees.open_read_only(binding.code)]
            try:
                if binding.layers is not None:
                    trees.append(mount_trees.open_read_only(binding.layers))
                what = {"pid": self.pid, "tmpBytes": binding.tmp_bytes, "tmpFiles": binding.tmp_files}
                await self._parent.request({"bind": what}, trees)
            finally:
                for tree in trees:
                    os.close(tree)
            await self.control.send({"bind": binding.config})
        except OSError as error:
            raise SandboxFailure(f"the sandbox {self.name} cannot be bound: {error}; take another one") from error

    async def freeze(self) -> None:
        """Stop every process where it stands. Raises PlatformError when one does not stop."""
        await self._cgroups.freeze(self.place.cgroup)
        self.frozen = True

    async def thaw(self) -> None:
        """Let it go on, and tell it that clocks have jumped. Raises SandboxFailure when it has ended meanwhile."""
        self._cgroups.thaw(self.place.cgroup)
        self.frozen = False
        try:
            await self.control.send({"thawed": True})
        except OSError as error:
            raise SandboxFailure(f"the sandbox {self.name} has ended while it was frozen") from error

    async def end(self, grace_seconds: float = 0) -> None:
        """Let it finish for so long, then kill all that runs in it, and remove what it had. Twice is once."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(grace_seconds))
        await asyncio.shield(self._ending)

    async def _end(self, grace_seconds: float) -> None:
        if grace_seconds > 0 and not self.exited.is_set():
            with contextlib.suppress(OSError, TimeoutError, SandboxFailure):
                if self.frozen:
                    await self.thaw()
                await self.control.send({"end": grace_seconds})
                async with asyncio.timeout(grace_seconds):
                    await self.exited.wait()
        if not self.exited.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
        # What a frozen process of cgroup v1 needs to die.
        await self._cgroups.remove(self.place.cgroup)
        await self.exited.wait()
        self.control.close()
        await self._clear_away(self)

    def _note_exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process)
        os.close(self._process)
        self.exited.set()
