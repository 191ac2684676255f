"""Objects for the tests of controllers, and a world in which they run: the fake API, caches, a kubelet by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from grandstand.client import DeleteOptions
from grandstand.client.fake import FakeClient, Refusal
from grandstand.clock import VirtualClock, rfc3339
from grandstand.controllers import all_controllers
from grandstand.controllers.horizontal_pod_autoscaler import Reader
from grandstand.kinds import Object, Pod, view
from grandstand.kinds.resources import DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS, REPLICA_SETS
from grandstand.measurements.fake import FakeMeasurements
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.recorder import Recorder
from grandstand.reconcile.runner import Runner

NOW = 1_800_000_000.0


def condition(type_: str, status: str = "True", at: float = NOW) -> Object:
    return {"type": type_, "status": status, "lastTransitionTime": rfc3339(at)}


def owner(kind: str, name: str, uid: str, api_version: str = "apps/v1") -> Object:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def pod_json(name: str = "pod", **changes: Any) -> Object:
    """A Pod; `node`, `ready_at`, `phase`, `ip`, `labels`, `deleting`, `restarts`, `owners`… say more."""
    ready_at, node = changes.get("ready_at"), changes.get("node", "")
    meta: Object = {
        "name": name,
        "namespace": "default",
        "uid": changes.get("uid", f"uid-{name}"),
        "resourceVersion": "1",
        "creationTimestamp": rfc3339(changes.get("created", NOW)),
        "labels": changes.get("labels", {"app": "web"}),
        "annotations": changes.get("annotations", {}),
        "ownerReferences": changes.get("owners", []),
    }
    if changes.get("deleting"):
        meta["deletionTimestamp"] = rfc3339(NOW)
    status: Object = {"phase": changes.get("phase", "Running" if node else "Pending")}
    status["conditions"] = [] if ready_at is None else [condition("Ready", at=ready_at)]
    status["containerStatuses"] = [{"name": "main", "restartCount": changes.get("restarts", 0)}]
    if changes.get("ip"):
        status["podIP"] = changes["ip"]
    spec: Object = {"containers": [{"name": "main", "image": "app"}]} | changes.get("spec", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": spec | ({"nodeName": node} if node else {}),
        "status": status,
    }


def pod(name: str = "pod", **changes: Any) -> Pod:
    return view(Pod, pod_json(name, **changes))


def template(version: int = 1, labels: Object | None = None) -> Object:
    return {
        "metadata": {"labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": f"app:{version}"}]},
    }


def deployment_json(replicas: int = 3, version: int = 1, **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(version)}
        | spec,
    }


class World:
    """A cluster of one node, whose Pods become ready when the test says so."""

    def __init__(self, client: FakeClient, clock: VirtualClock, root_ca: str | None = None) -> None:
        self.client, self.clock = client, clock
        self.measured = FakeMeasurements()
        self._root_ca = root_ca

    async def start(self) -> None:
        """Run all controllers, who know nothing but what the API says."""
        caches = Caches(self.client, self.clock)
        self.recorder = Recorder(self.client, "grandstand", self.clock)
        reader = Reader(self.measured, self.measured)
        controllers = all_controllers(self.client, caches, reader, root_ca=self._root_ca)
        self.runner = Runner(controllers, self.client, caches, self.recorder, self.clock)
        self._tasks = [asyncio.create_task(self.recorder.run()), asyncio.create_task(self.runner.run())]
        await self.runner.synced()

    async def stop(self) -> None:
        """End them where they stand, as a crash does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until the controllers have nothing more to do at this time."""
        quiet = 0
        while quiet < 20:
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.runner.idle else 0
        await self.recorder.flushed()

    async def until(self, reached: Callable[[], bool], turns: int = 20_000) -> None:
        for _ in range(turns):
            if reached():
                return
            await asyncio.sleep(0)
        raise AssertionError("the controllers did not get there")

    async def make_ready(self, *names: str) -> None:
        """What the node does: the named Pods, or all bound ones, become ready."""
        for each in self.client.all(PODS):
            meta, bound = each["metadata"], each["spec"].get("nodeName")
            wanted = meta["name"] in names if names else bound and not meta.get("deletionTimestamp")
            if wanted and not view(Pod, each).ready and not view(Pod, each).finished:
                status = {
                    "phase": "Running",
                    "podIP": "10.0.0.9",
                    "conditions": [condition("Ready", at=self.clock.now())],
                }
                await self._patch_status(each, status)

    async def make_unready(self, name: str) -> None:
        await self._patch_status(
            await self.client.get(PODS, "default", name),
            {"conditions": [condition("Ready", "False", self.clock.now())]},
        )

    async def lose(self, name: str) -> None:
        """A Pod fails for good."""
        each = await self.client.get(PODS, "default", name)
        await self._patch_status(
            each, {"phase": "Failed", "conditions": [condition("Ready", "False", self.clock.now())]}
        )

    async def bury(self) -> None:
        """What the node does: Pods that are being deleted go."""
        for each in self.client.all(PODS):
            if each["metadata"].get("deletionTimestamp"):
                await self.client.delete(PODS, "default", each["metadata"]["name"], DeleteOptions(grace_seconds=0))

    async def roll_out(self) -> None:
        """Let Pods become ready and go until nothing changes any more."""
        revision = -1
        while revision != self.client.revision:
            revision = self.client.revision
            await self.settle()
            await self.make_ready()
            await self.bury()
            await self.settle()

    async def set_version(self, version: int) -> None:
        await self.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"template": template(version)}})

    def deployment(self, name: str = "web") -> Object:
        return next(each for each in self.client.all(DEPLOYMENTS) if each["metadata"]["name"] == name)

    def condition(self, type_: str) -> Object:
        return next(c for c in self.deployment()["status"]["conditions"] if c["type"] == type_)

    def sizes(self) -> dict[str, int]:
        """Replicas by the image of each ReplicaSet."""
        return {
            each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
            for each in self.client.all(REPLICA_SETS)
        }

    def events(self, reason: str) -> list[str]:
        return [each["message"] for each in self.client.all(EVENTS) if each["reason"] == reason]

    async def _patch_status(self, pod: Object, status: Object) -> None:
        await self.client.patch(PODS, "default", pod["metadata"]["name"], {"status": status}, subresource="status")


@asynccontextmanager
async def world(*, refuse: Refusal | None = None, root_ca: str | None = None) -> AsyncIterator[World]:
    """A world in which all controllers run."""
    clock = VirtualClock(NOW)
    client = FakeClient(clock)
    await client.create(NAMESPACES, {"metadata": {"name": "default"}})
    node = {"metadata": {"name": "here", "labels": {"kubernetes.io/hostname": "here"}}}
    await client.create(NODES, node | {"status": {"allocatable": {"cpu": "64", "memory": "64Gi", "pods": "500"}}})
    client.refuse = refuse
    it = World(client, clock, root_ca)
    try:
        await it.start()
        await it.settle()
        yield it
    finally:
        await it.stop()
