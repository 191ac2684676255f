"""What the Pod agent needs of its neighbours, so that it can be run against fakes; and where it keeps its things."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.engine import Engine
from grandstand.kinds import Object, Pod

from .images import Image
from .network import Sandbox, SandboxSpec
from .runtime import (
    Adopted,
    Attachment,
    Command,
    CommandStreams,
    ContainerExit,
    ContainerSpec,
    ExecResult,
    Limits,
    User,
)


class Images(Protocol):
    def find(self, reference: str) -> Image | None:
        """The local image of a name, or None. Blocks: call it in a thread."""

    async def resolve(self, reference: str, pull_policy: str) -> Image:
        """The image, pulled when the policy asks for it. Raises ImageError, whose `reason` is Kubernetes'."""


class Rootfs(Protocol):
    async def mount(self, container_id: str, image: Image) -> Path: ...

    async def unmount(self, container_id: str) -> None: ...

    def mounted(self) -> list[str]: ...


class Runtime(Protocol):
    """Containers by id. Raises RuntimeFailure."""

    async def create(self, spec: ContainerSpec) -> None: ...

    async def start(self, container_id: str, /) -> float: ...

    async def kill(self, container_id: str, signal: int, /) -> None: ...

    async def remove(self, container_id: str, /) -> None: ...

    async def wait(self, container_id: str, /) -> ContainerExit: ...

    async def exec(self, container_id: str, args: tuple[str, ...], timeout_seconds: float, /) -> ExecResult: ...

    def command(self, container_id: str, args: tuple[str, ...], streams: CommandStreams, /) -> Command: ...

    def attach(self, container_id: str, streams: CommandStreams, /) -> Attachment: ...

    def adopt(self) -> Sequence[Adopted]:
        """What earlier engines have left. Blocks."""

    async def keep_logs_small(self) -> None:
        """Rotate logs, until cancelled."""


class Network(Protocol):
    async def create(self, spec: SandboxSpec) -> Sandbox: ...

    async def remove(self, pod_uid: str) -> None: ...

    def sandboxes(self) -> Mapping[str, Sandbox]: ...


class Cgroups(Protocol):
    """The cgroups around Pods, named `<engine prefix>/pod<uid>`."""

    def spent(self, cgroup: str) -> tuple[int, int] | None: ...

    def create_pod(self, cgroup: str, limits: Limits) -> None: ...

    async def remove(self, cgroup: str) -> None: ...


class Events(Protocol):
    def record(self, obj: Object, type: str, reason: str, message: str, field_path: str = "") -> None:  # noqa: A002
        """Say that something happened to an object; never blocks."""


Drain = Callable[[Pod, float], Awaitable[None]]
"""Takes a Pod out of the gateway, and returns when no request is in flight or so many seconds are over."""

ResolveUser = Callable[[Path, str], User]
"""Finds a user (`name`, `uid`, `uid:gid`) in the files of an image's root."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of the machine."""

    cpu_millicores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the workers of all Pods share."""

    engine: Engine
    client: Client
    clock: Clock
    images: Images
    rootfs: Rootfs
    runtime: Runtime
    network: Network
    cgroups: Cgroups
    events: Events
    drain: Drain
    resolve_user: ResolveUser
    capacity: Capacity

    @property
    def pods_directory(self) -> Path:
        return self.engine.data / "pods"

    def directory(self, uid: str) -> Path:
        """Where everything about one Pod lies: state, logs, volumes."""
        return self.pods_directory / uid

    def cgroup(self, uid: str) -> str:
        return f"{self.engine.prefix}/pod{uid}"
