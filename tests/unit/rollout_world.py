"""Rollouts for tests: how they are written, promoted and looked at in the world of virtual time."""

from __future__ import annotations

from typing import Any

from controllers_world import World, template

from grandstand.kinds import Object
from grandstand.kinds.resources import ANALYSIS_RUNS, ANALYSIS_TEMPLATES, REPLICA_SETS, ROLLOUTS, SERVICES
from grandstand.kinds.rollouts import ROLLOUT_HASH


def rollout(strategy: Object, replicas: int = 3, version: int = 1, **spec: Any) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(version),
            "strategy": strategy,
            **spec,
        },
    }


def analysis(name: str = "errors") -> Object:
    return {"templates": [{"templateName": name}]}


class Stage:
    """A Rollout `web` with its Services, and what a user does with it."""

    def __init__(self, it: World) -> None:
        self.it = it
        self.least_available = 10**9

    async def set_up(self, strategy: Object, *services: str, replicas: int = 3, **spec: Any) -> None:
        for name in services:
            made = {"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": {"app": "web"}}}
            await self.it.client.create(SERVICES, made)
        for name in ("errors", "latency"):
            query = {"service": "preview", "metric": "error_share"}
            provider = {"plugin": {"grandstand.dev/gateway": query}}
            metric = {
                "name": name,
                "interval": "10s",
                "successCondition": "result < 0.05",
                "consecutiveErrorLimit": -1,
                "provider": provider,
            }
            made = {"metadata": {"name": name, "namespace": "default"}, "spec": {"metrics": [metric]}}
            await self.it.client.create(ANALYSIS_TEMPLATES, made)
        await self.it.client.create(ROLLOUTS, rollout(strategy, replicas, **spec))
        await self.grow()

    async def grow(self, seconds: float = 0.0) -> None:
        """Let all Pods become ready, and time pass."""
        await self.it.settle()
        for _ in range(4):
            await self.it.make_ready()
            await self.it.settle()
        passed = 0.0
        while passed < seconds:
            step = min(1.0, seconds - passed)
            await self.it.clock.advance(step)
            await self.it.settle()
            await self.it.make_ready()
            await self.it.settle()
            passed += step

    async def update(self, version: int, *, ready: bool = True) -> None:
        await self.it.client.patch(ROLLOUTS, "default", "web", {"spec": {"template": template(version)}})
        if ready:
            await self.grow()
        else:
            await self.it.settle()

    async def spec(self, **fields: Any) -> None:
        await self.it.client.patch(ROLLOUTS, "default", "web", {"spec": fields})
        await self.grow()

    async def say(self, **status: Any) -> None:
        """What Argo's command line writes."""
        await self.it.client.patch(ROLLOUTS, "default", "web", {"status": status}, subresource="status")
        await self.grow()

    async def promote(self) -> None:
        await self.say(pauseConditions=None)

    async def status(self) -> Object:
        found: Object = (await self.it.client.get(ROLLOUTS, "default", "web"))["status"]
        return found

    async def phase(self) -> tuple[str, str]:
        status = await self.status()
        return status["phase"], status.get("message", "")

    def shown(self, service: str) -> int | None:
        """The version that a Service shows; None where it shows all."""
        found = next(each for each in self.it.client.all(SERVICES) if each["metadata"]["name"] == service)
        selected = found["spec"]["selector"].get(ROLLOUT_HASH)
        return next((version for version, hash_ in self._hashes().items() if hash_ == selected), None)

    def sizes(self) -> dict[int, int]:
        """Replicas by version, of those that have any."""
        return {_version(each): each["spec"]["replicas"] for each in self._versions() if each["spec"]["replicas"]}

    def _versions(self) -> list[Object]:
        """The ReplicaSets of the Rollout; those of a Deployment beside it are none."""
        return [each for each in self.it.client.all(REPLICA_SETS) if ROLLOUT_HASH in each["metadata"]["labels"]]

    def _hashes(self) -> dict[int, str]:
        return {_version(each): each["metadata"]["labels"][ROLLOUT_HASH] for each in self._versions()}

    def runs(self) -> dict[str, Object]:
        """AnalysisRuns by the end of their names."""
        return {each["metadata"]["name"].rpartition("-")[2]: each for each in self.it.client.all(ANALYSIS_RUNS)}

    async def judge(self, suffix: str, phase: str) -> None:
        """What the controller of AnalysisRuns does, sooner or later."""
        [name] = [
            each["metadata"]["name"]
            for each in self.it.client.all(ANALYSIS_RUNS)
            if each["metadata"]["name"].endswith(f"-{suffix}")
            and each.get("status", {}).get("phase") in (None, "Pending", "Running")
        ]
        status = {"status": {"phase": phase, "message": f"it is {phase}"}}
        await self.it.client.patch(ANALYSIS_RUNS, "default", name, status, subresource="status")
        await self.grow()


def _version(replica_set: Object) -> int:
    image: str = replica_set["spec"]["template"]["spec"]["containers"][0]["image"]
    return int(image.rpartition(":")[2])
