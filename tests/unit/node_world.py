"""A node without a machine: the agent against fakes, in virtual time."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from grandstand.client.fake import FakeClient
from grandstand.clock import VirtualClock
from grandstand.engine import NODE_NAME, Engine
from grandstand.errors import NoSuchContainer, RuntimeFailure
from grandstand.kinds import Object, Pod
from grandstand.kinds.resources import PODS
from grandstand.node.agent import Agent
from grandstand.node.images import Image, ImageConfig, ImageError
from grandstand.node.network import Sandbox, SandboxSpec
from grandstand.node.parts import Capacity, Parts
from grandstand.node.runtime import Adopted, ContainerExit, ContainerSpec, ExecResult, Limits, User

GIB = 1024**3


class Inline(ThreadPoolExecutor):
    """Threads that run at once, in place: virtual time and real threads do not mix."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


class FakeImages:
    def __init__(self) -> None:
        self.local: dict[str, Image] = {}
        self.resolved: list[str] = []

    def add(self, name: str, **config: Any) -> None:
        config.setdefault("entrypoint", ("/serve",))
        self.local[name] = Image(f"sha256:{name}", f"sha256:m-{name}", (name,), ImageConfig(**config), (), 1, "")

    def find(self, reference: str) -> Image | None:
        return self.local.get(reference)

    async def resolve(self, reference: str, pull_policy: str) -> Image:
        self.resolved.append(reference)
        if reference not in self.local:
            raise ImageError(f"{reference}: build it", "ErrImagePull")
        return self.local[reference]


class FakeRootfs:
    def __init__(self) -> None:
        self.roots: set[str] = set()

    async def mount(self, container_id: str, image: Image) -> Path:
        self.roots.add(container_id)
        return Path("/roots") / container_id

    async def unmount(self, container_id: str) -> None:
        self.roots.discard(container_id)

    def mounted(self) -> list[str]:
        return sorted(self.roots)


@dataclass
class FakeContainer:
    spec: ContainerSpec
    started_at: float | None = None
    exit: ContainerExit | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    signals: list[int] = field(default_factory=list)


class FakeRuntime:
    """`dies_of` says which signals end a container; `refusals` what create and start raise, by container name."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.containers: dict[str, FakeContainer] = {}
        self.history: list[tuple[str, str]] = []
        self.dies_of = {signal.SIGTERM, signal.SIGKILL}
        self.refusals: dict[tuple[str, str], RuntimeFailure] = {}
        self.executed: list[tuple[str, tuple[str, ...]]] = []
        self.exec_codes: dict[tuple[str, ...], int] = {}

    def _note(self, verb: str, name: str) -> None:
        self.history.append((verb, name))
        if error := self.refusals.get((verb, name)):
            raise error

    def of(self, name: str) -> FakeContainer:
        """The newest container of a name."""
        return [c for c in self.containers.values() if c.spec.name == name][-1]

    def running(self) -> list[str]:
        return sorted(c.spec.name for c in self.containers.values() if c.started_at is not None and c.exit is None)

    def end(self, name: str, code: int = 0, *, oom: bool = False, signal_: int | None = None) -> None:
        container = next(c for c in self.containers.values() if c.spec.name == name and c.exit is None)
        container.exit = ContainerExit(code=code, signal=signal_, oom_killed=oom, finished_at=self.clock.now())
        container.over.set()

    async def create(self, spec: ContainerSpec) -> None:
        self._note("create", spec.name)
        self.containers[spec.id] = FakeContainer(spec)

    async def start(self, container_id: str, /) -> float:
        container = self.containers[container_id]
        self._note("start", container.spec.name)
        container.started_at = self.clock.now()
        return container.started_at

    async def kill(self, container_id: str, number: int, /) -> None:
        container = self.containers.get(container_id)
        if container is None or container.exit is not None:
            return
        self.history.append((signal.Signals(number).name, container.spec.name))
        container.signals.append(number)
        if number in self.dies_of:
            self.end(container.spec.name, 128 + number, signal_=number)

    async def remove(self, container_id: str, /) -> None:
        container = self.containers.pop(container_id, None)
        if container is not None:
            self.history.append(("remove", container.spec.name))
            container.over.set()

    async def wait(self, container_id: str, /) -> ContainerExit:
        container = self.containers.get(container_id)
        if container is None:
            raise NoSuchContainer
        await container.over.wait()
        if container.exit is None:
            raise NoSuchContainer
        return container.exit

    async def exec(self, container_id: str, args: tuple[str, ...], timeout_seconds: float, /) -> ExecResult:
        self.executed.append((self.containers[container_id].spec.name, args))
        self.history.append((f"exec {args[0]}", self.containers[container_id].spec.name))
        return ExecResult(self.exec_codes.get(args, 0), b"")

    def adopt(self) -> Sequence[Adopted]:
        return [
            Adopted(
                container_id,
                c.spec.pod_uid,
                None,
                0.0,
                c.started_at,
                running=c.started_at is not None and c.exit is None,
                exit=c.exit,
                spec=c.spec,
            )
            for container_id, c in self.containers.items()
        ]

    async def keep_logs_small(self) -> None:
        await asyncio.Event().wait()


class FakeNetwork:
    def __init__(self) -> None:
        self.made: dict[str, Sandbox] = {}

    async def create(self, spec: SandboxSpec) -> Sandbox:
        pins = Path("/pins") / spec.pod_uid
        sandbox = Sandbox(spec.pod_uid, pins / "net", pins / "ipc", pins / "uts", "127.0.0.1", spec.hostname)
        self.made[spec.pod_uid] = sandbox
        return sandbox

    async def remove(self, pod_uid: str) -> None:
        self.made.pop(pod_uid, None)

    def sandboxes(self) -> Mapping[str, Sandbox]:
        return dict(self.made)


class FakeCgroups:
    def __init__(self) -> None:
        self.made: set[str] = set()

    def create_pod(self, cgroup: str, limits: Limits) -> None:
        self.made.add(cgroup)

    def spent(self, cgroup: str) -> tuple[int, int] | None:
        return None

    async def remove(self, cgroup: str) -> None:
        self.made.discard(cgroup)


class Events:
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def record(self, obj: Object, type: str, reason: str, message: str, field_path: str = "") -> None:  # noqa: A002
        self.said.append((reason, message))

    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.said]


class World:
    """`restart` is what `kill -9` of the engine and its next start are to the agent."""

    def __init__(self, data: Path) -> None:
        asyncio.get_running_loop().set_default_executor(Inline())
        self.clock = VirtualClock()
        self.client = FakeClient(self.clock)
        self.images, self.rootfs, self.runtime = FakeImages(), FakeRootfs(), FakeRuntime(self.clock)
        self.network, self.cgroups, self.events = FakeNetwork(), FakeCgroups(), Events()
        self.drained: list[tuple[str, float]] = []
        self.images.add("app")
        self.parts = Parts(
            engine=Engine(data, IPv4Network("10.9.0.0/16"), 1, 2, 3),
            client=self.client,
            clock=self.clock,
            images=self.images,
            rootfs=self.rootfs,
            runtime=self.runtime,
            network=self.network,
            cgroups=self.cgroups,
            events=self.events,
            drain=self.drain,
            resolve_user=lambda root, text: User(int(text.partition(":")[0])),
            capacity=Capacity(2000, 8 * GIB),
        )
        self.agent = Agent(self.parts)

    async def drain(self, pod: Pod, seconds: float) -> None:
        self.runtime.history.append(("drain", pod.metadata.name))
        self.drained.append((pod.metadata.name, seconds))

    async def start(self) -> None:
        starting = asyncio.create_task(self.agent.start())
        await self.clock.settle()
        await starting
        await self.settle()

    async def settle(self) -> None:
        await self.clock.settle(200)

    async def restart(self) -> None:
        """A new engine finds what the old one left; nothing was said or saved at its end."""
        old, self.parts = self.agent, replace(self.parts)
        await old.stop()
        self.agent = Agent(self.parts)
        await self.start()

    async def create(self, spec: Object, name: str = "web", **meta: Any) -> Object:
        pod = await self.client.create(
            PODS, {"metadata": {"name": name, "namespace": "default", **meta}, "spec": {"nodeName": NODE_NAME, **spec}}
        )
        await self.settle()
        return pod

    def pod(self, name: str = "web") -> Object:
        return next(pod for pod in self.client.all(PODS) if pod["metadata"]["name"] == name)

    def status(self, name: str = "web") -> Object:
        status: Object = self.pod(name).get("status") or {}
        return status

    def container(self, name: str = "app", pod: str = "web") -> Object:
        status = self.status(pod)
        found = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
        return next(container for container in found if container["name"] == name)

    def condition(self, kind: str, pod: str = "web") -> str:
        return str(next(c["status"] for c in self.status(pod)["conditions"] if c["type"] == kind))

    def writes(self) -> int:
        return sum(1 for verb, plural, _ in self.client.calls if verb == "patch" and plural == "pods")

    def exists(self, name: str = "web") -> bool:
        return any(pod["metadata"]["name"] == name for pod in self.client.all(PODS))


def app(name: str = "app", **fields: Any) -> Object:
    return {"name": name, "image": "app", **fields}
