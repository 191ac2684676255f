"""A Rollout that takes over from a Deployment: how that is scaled down, and back up, and what an HPA finds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from controllers_world import deployment_json, template, world
from rollout_world import Stage, rollout
from test_controllers_hpa import QUIET, WEB, hpa

from grandstand.controllers.rollout.versions import REVISION, Versions
from grandstand.controllers.rollout.workload import BEFORE, replicas_for
from grandstand.kinds import Deployment, Object, ReplicaSet, Rollout, view
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, PODS, ROLLOUTS, SERVICES

BLUE_GREEN = {"blueGreen": {"activeService": "active"}}
CANARY = {"canary": {"steps": [{"setWeight": 50}]}}


def referring(strategy: Object, scale_down: str, replicas: int = 3) -> Object:
    made = rollout(strategy, replicas)
    spec = {key: value for key, value in made["spec"].items() if key not in ("template", "selector")}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": scale_down}
    return made | {"spec": spec | {"workloadRef": reference}}


class Takeover(Stage):
    """A Deployment of three Pods that serves, and a Rollout that refers to it."""

    async def begin(self, strategy: Object, scale_down: str, replicas: int = 3) -> None:
        made = {"metadata": {"name": "active", "namespace": "default"}, "spec": {"selector": {"app": "web"}}}
        await self.it.client.create(SERVICES, made)
        await self.it.client.create(DEPLOYMENTS, deployment_json(3))
        await self.it.roll_out()
        await self.it.client.create(ROLLOUTS, referring(strategy, scale_down, replicas))
        await self.it.settle()

    def left(self) -> int:
        replicas: int = self.it.deployment()["spec"]["replicas"]
        return replicas

    def of_rollout(self) -> list[str]:
        """Pods of the Rollout that are not ready yet."""
        return [
            each["metadata"]["name"]
            for each in self.it.client.all(PODS)
            if "rollouts-pod-template-hash" in each["metadata"]["labels"] and not each["status"].get("podIP")
        ]


@asynccontextmanager
async def takeover(strategy: Object, scale_down: str, **settings: Any) -> AsyncIterator[Takeover]:
    async with world() as it:
        made = Takeover(it)
        await made.begin(strategy, scale_down, **settings)
        yield made


@pytest.mark.parametrize("strategy", [BLUE_GREEN, CANARY], ids=["blue-green", "canary"])
async def test_on_success_it_goes_when_the_rollout_is_healthy(strategy: Object) -> None:
    async with takeover(strategy, "onsuccess") as it:
        for name in it.of_rollout():
            assert it.left() == 3
            await it.it.make_ready(name)
            await it.it.settle()
        assert await it.phase() == ("Healthy", "")
        assert it.left() == 0
        assert it.it.events("ScalingDeployment") == ["Scaled Deployment web from 3 to 0"]
        await it.it.roll_out()
        assert it.it.deployment()["status"].get("replicas", 0) == 0


@pytest.mark.parametrize("strategy", [BLUE_GREEN, CANARY], ids=["blue-green", "canary"])
async def test_progressively_it_gives_way_pod_by_pod_and_comes_back_when_they_fail(strategy: Object) -> None:
    async with takeover(strategy, "progressively") as it:
        first, second, third = it.of_rollout()
        assert it.left() == 3
        await it.it.make_ready(first)
        await it.it.settle()
        assert it.left() == 2
        await it.it.make_unready(first)
        await it.it.settle()
        assert it.left() == 3
        for name, left in ((first, 2), (second, 1), (third, 0)):
            await it.it.make_ready(name)
            await it.it.settle()
            assert it.left() == left
        assert BEFORE not in it.it.deployment()["metadata"].get("annotations", {})


async def test_never_it_is_left_alone() -> None:
    async with takeover(BLUE_GREEN, "never") as it:
        await it.grow()
        assert (await it.phase(), it.left()) == (("Healthy", ""), 3)


async def test_an_update_of_the_deployment_is_rolled_out_and_the_way_back_stays_open() -> None:
    async with takeover(BLUE_GREEN, "onsuccess") as it:
        await it.grow()
        await it.it.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"template": template(2)}})
        await it.grow()
        assert it.shown("active") == 2
        await it.it.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 2}})
        await it.grow()
        assert it.left() == 2


def of(ready: int, revision: int = 1) -> Versions:
    made = {
        "metadata": {"name": "web-1", "namespace": "default", "annotations": {REVISION: str(revision)}},
        "spec": {"replicas": 5, "selector": {}},
        "status": {"readyReplicas": ready},
    }
    return Versions(view(ReplicaSet, made), ())


@pytest.mark.parametrize(
    ("how", "ready", "revision", "has", "had", "healthy", "replicas"),
    [
        ("never", 5, 1, 5, None, True, None),
        ("onsuccess", 4, 1, 5, None, False, None),
        ("onsuccess", 5, 1, 5, None, True, 0),
        ("onsuccess", 5, 2, 5, None, True, None),
        ("progressively", 0, 1, 5, None, False, None),
        ("progressively", 2, 1, 5, None, False, 3),
        ("progressively", 1, 1, 3, None, False, 3),
        ("progressively", 0, 1, 3, 5, False, 5),
        ("progressively", 7, 1, 3, 5, False, 0),
        ("progressively", 5, 1, 1, 5, True, 0),
    ],
)
def test_what_a_deployment_should_have(how, ready, revision, has, had, healthy, replicas) -> None:
    wanted = view(Rollout, referring(BLUE_GREEN, how, 5) | {"status": {"stableRS": "one"}})
    made = deployment_json(has)
    made["metadata"]["annotations"] = {} if had is None else {BEFORE: str(had)}
    assert replicas_for(wanted, of(ready, revision), view(Deployment, made), healthy=healthy) == replicas


async def test_an_hpa_finds_the_pods_of_a_rollout_whose_selector_is_the_deployments() -> None:
    async with takeover(BLUE_GREEN, "onsuccess") as it:
        await it.grow()
        it.it.measured.services[WEB] = QUIET
        await it.it.client.create(SERVICES, {"metadata": {"name": "web", "namespace": "default"}, "spec": {}})
        target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"}
        await it.it.client.create(HORIZONTAL_POD_AUTOSCALERS, hpa(least=5, scaleTargetRef=target))
        await it.grow(20)
        assert it.sizes() == {1: 5}
        assert it.left() == 0
