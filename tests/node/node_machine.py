"""A real node for tests: this machine's runtime, network, cgroups and overlays, a busybox image and a fake API."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from grandstand.client import EventType
from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.engine import NODE_NAME, Engine, choose_network
from grandstand.kinds import Object
from grandstand.kinds.resources import PODS
from grandstand.node.agent import Agent, remove_everything
from grandstand.node.composition import real_parts
from grandstand.node.images import Image, ImageConfig, ImageError
from grandstand.node.network import Network, taken_networks
from grandstand.node.parts import Parts

APPLETS = (
    "sh",
    "sleep",
    "httpd",
    "cat",
    "ls",
    "id",
    "echo",
    "true",
    "false",
    "env",
    "nc",
    "kill",
    "touch",
    "stat",
    "wget",
    "readlink",
    "test",
    "hostname",
    "mkdir",
    "head",
    "tr",
    "dd",
    "ln",
    "stty",
)


class BusyboxImages:
    """One image, `busybox`, whose only layer is a directory."""

    def __init__(self, directory: Path) -> None:
        self.layer = directory / "layer"
        (self.layer / "bin").mkdir(parents=True)
        shutil.copy2(shutil.which("busybox") or "/bin/busybox", self.layer / "bin" / "busybox")
        for applet in APPLETS:
            (self.layer / "bin" / applet).symlink_to("busybox")
        for name in ("etc", "tmp", "dev", "proc", "sys", "www"):
            (self.layer / name).mkdir()
        (self.layer / "tmp").chmod(0o1777)
        (self.layer / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")
        (self.layer / "etc" / "group").write_text("root:x:0:\nweb:x:1000:\n")
        (self.layer / "www" / "index.html").write_text("hello\n")

    def find(self, reference: str) -> Image | None:
        if reference != "busybox":
            return None
        config = ImageConfig(entrypoint=("/bin/sh", "-c"), cmd=("exec sleep 3600",), env=("PATH=/bin",))
        return Image("sha256:busybox", "sha256:m", ("busybox",), config, (self.layer,), 2_000_000, "")

    async def resolve(self, reference: str, pull_policy: str) -> Image:
        found = self.find(reference)
        if found is None:
            raise ImageError(f"{reference} is not here", "ErrImagePull")
        return found


class Recorded:
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def record(self, obj: Object, type: str, reason: str, message: str, field_path: str = "") -> None:  # noqa: A002
        self.said.append((reason, message))


class Machine:
    def __init__(self, parts: Parts, client: FakeClient, network: Network, events: Recorded) -> None:
        self.parts, self.client, self.network, self.events = parts, client, network, events
        self.agent = Agent(parts)

    async def restart(self) -> None:
        """Let the old agent go without a word, and start another with parts of its own."""
        await self.agent.stop()
        self.network = Network(self.parts.engine)
        await self.network.start()
        fresh = real_parts(self.parts.engine, self.client, self.network, self.events, self.parts.clock)
        self.parts = replace(fresh, images=self.parts.images, drain=self.parts.drain)
        self.agent = Agent(self.parts)
        await self.agent.start()

    async def create(self, *containers: Object, name: str = "web", **spec: Any) -> Object:
        body = {"nodeName": NODE_NAME, "terminationGracePeriodSeconds": 2, "containers": list(containers), **spec}
        meta = {"name": name, "namespace": "default"}
        return await self.client.create(PODS, {"metadata": meta, "spec": body})

    async def until(self, true: Callable[[Object], bool], name: str = "web", seconds: float = 20) -> Object:
        """The Pod, once it is so: every change is looked at."""
        async with asyncio.timeout(seconds):
            newest = next((pod for pod in self.client.all(PODS) if pod["metadata"]["name"] == name), None)
            if newest is not None and true(newest):
                return newest
            version = str(self.client.revision)
            async for event in self.client.watch(PODS, "default", resource_version=version):
                if (
                    event.object["metadata"]["name"] == name
                    and event.type is not EventType.DELETED
                    and true(event.object)
                ):
                    return event.object
        raise AssertionError

    async def until_gone(self, name: str = "web", seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            version = str(self.client.revision)
            if all(pod["metadata"]["name"] != name for pod in self.client.all(PODS)):
                return
            async for event in self.client.watch(PODS, "default", resource_version=version):
                if event.object["metadata"]["name"] == name and event.type is EventType.DELETED:
                    return

    def log(self, pod: Object, container: str = "app", run: int = 1) -> str:
        text = (self.parts.directory(pod["metadata"]["uid"]) / "logs" / container / f"{run}.log").read_text()
        records = (line.split(" ", 3) for line in text.splitlines())
        return "".join(content + ("\n" if tag == "F" else "") for _, _, tag, content in records)


@asynccontextmanager
async def machine(directory: Path) -> AsyncIterator[Machine]:
    assert os.geteuid() == 0, "these tests need root"
    data = directory / "data"
    data.mkdir(mode=0o700)
    engine = Engine(data, choose_network(data, taken_networks()), 1, 2, 3)
    client, events, clock = FakeClient(SystemClock()), Recorded(), SystemClock()
    network = Network(engine)
    parts = real_parts(engine, client, network, events, clock)
    world = Machine(replace(parts, images=BusyboxImages(directory)), client, network, events)
    try:
        await network.start()
        await world.agent.start()
        yield world
    finally:
        await world.agent.stop()
        await remove_everything(world.parts)
        await world.network.destroy()


def app(script: str = "exec sleep 3600", name: str = "app", **fields: Any) -> Object:
    return {"name": name, "image": "busybox", "args": [script], **fields}


def ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def container(pod: Object, name: str = "app") -> Object:
    status = pod.get("status") or {}
    found = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return next((c for c in found if c["name"] == name), {"restartCount": 0, "state": {}, "lastState": {}})
