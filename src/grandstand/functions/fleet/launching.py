"""Make instances from sandboxes: take a spare, show it the code, tell it which function it is, keep its log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from grandstand.clock import Clock
from grandstand.errors import SandboxFailure
from grandstand.functions.artefacts import Artefacts
from grandstand.functions.lambda_api.ports import Settings
from grandstand.functions.log_store import LogStore
from grandstand.functions.metering import Metered, Metering
from grandstand.functions.sandboxes import Binding, Sandbox, Sandboxes

from .targets import Target, supervisor_settings

log = logging.getLogger(__name__)

MEBIBYTE = 1 << 20
SUPERVISOR_BYTES = 64 * MEBIBYTE
"""Of a sandbox beyond its function's memory: for the supervisor, and a runtime that is killed and started again."""
END_SECONDS = 2.0


class SandboxInstance:
    """A sandbox that was bound to a version; requests go to its socket."""

    def __init__(self, sandbox: Sandbox, heard: asyncio.Task[None], ended: Callable[[str], Awaitable[None]]) -> None:
        self._sandbox = sandbox
        self._ended = ended
        self._heard = heard
        self._session: aiohttp.ClientSession | None = None

    @property
    def exited(self) -> asyncio.Event:
        return self._sandbox.exited

    @property
    def socket(self) -> Path:
        return self._sandbox.listener_path

    async def freeze(self) -> None:
        await self._sandbox.freeze()

    async def thaw(self) -> None:
        await self._sandbox.thaw()

    async def end(self) -> None:
        self._heard.cancel()
        if self._session is not None:
            await self._session.close()
        await self._sandbox.end(END_SECONDS)
        await self._ended(self._sandbox.name)

    @asynccontextmanager
    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask it, over a connection that is kept. Raises SandboxFailure when it goes away before it answers."""
        if self._session is None:
            connector = aiohttp.UnixConnector(str(self.socket))
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        try:
            async with self._session.post(f"http://instance{path}", data=body, headers=headers) as answer:
                yield answer
        except aiohttp.ClientError as error:
            raise SandboxFailure(f"the instance went away before it had answered: {error}") from error


class SandboxLauncher:
    """Launches instances; `sandboxes` knows the runtimes by their names."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        artefacts: Artefacts,
        logs: LogStore,
        metering: Metering,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._sandboxes = sandboxes
        self._artefacts = artefacts
        self._logs = logs
        self._metering = metering
        self._settings = settings
        self._clock = clock

    async def launch(self, target: Target) -> SandboxInstance:
        spec = target.spec
        layers = [layer.sha256 for layer in spec.layers]
        merged = await asyncio.to_thread(self._artefacts.merged, layers) if layers else None
        code = self._artefacts.path(spec.code.sha256)
        if not spec.code.sha256 or not code.is_dir():
            raise SandboxFailure(f"the code of the function {spec.function_name} is not here: upload it again")
        sandbox = await self._sandboxes.take(spec.runtime)
        stream = self._logs.stream_name(target.version, sandbox.name, self._clock.now())
        try:
            self._logs.adopt(spec.log_group, stream, sandbox.place.directory)
            await sandbox.bind(
                Binding(
                    code,
                    supervisor_settings(target, stream, self._settings),
                    merged,
                    memory_bytes=spec.memory_mb * MEBIBYTE + SUPERVISOR_BYTES,
                    tmp_bytes=spec.ephemeral_storage_mb * MEBIBYTE,
                )
            )
            metered = Metered(spec.function_name, target.version, spec.architectures[0])
            self._metering.adopt(metered, sandbox.name, sandbox.place.directory / "meter")
        except OSError as error:
            await sandbox.end()
            raise SandboxFailure(f"the sandbox {sandbox.name} cannot become an instance: {error}") from error
        except BaseException:
            await sandbox.end()
            raise
        return SandboxInstance(sandbox, asyncio.create_task(_hear(sandbox)), self._metering.ended)


async def _hear(sandbox: Sandbox) -> None:
    """Read what the supervisor says, so that it can go on saying it; whether it is ready shows in its answers."""
    with suppress(OSError):
        async for message in sandbox.control:
            failed = message.get("failed") or {}
            if str(failed.get("errorType")).startswith("Sandbox."):
                log.warning("the sandbox %s of a function failed: %s", sandbox.name, failed.get("errorMessage"))
