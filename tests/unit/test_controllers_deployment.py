"""Deployments from the outside: what becomes of ReplicaSets, status and events while all controllers run."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from controllers_world import World, deployment_json, template, world
from hypothesis import given, settings
from hypothesis import strategies as st

from grandstand.client import DeleteOptions, Propagation
from grandstand.controllers.availability import active
from grandstand.controllers.deployment.arithmetic import Limits, limits_of
from grandstand.controllers.deployment.revisions import REVISION, REVISION_HISTORY, same_template, template_hash
from grandstand.errors import Forbidden
from grandstand.kinds import Deployment, Object, Pod, view
from grandstand.kinds.resources import DEPLOYMENTS, PODS, REPLICA_SETS


async def deploy(it: World, replicas: int = 3, **spec: Any) -> None:
    await it.client.create(DEPLOYMENTS, deployment_json(replicas, **spec))


async def deployed(it: World, replicas: int = 3, **spec: Any) -> None:
    await deploy(it, replicas, **spec)
    await it.roll_out()


async def change(it: World, spec: Object) -> None:
    await it.client.patch(DEPLOYMENTS, "default", "web", {"spec": spec})


def rolling(surge: int | str, unavailable: int | str) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


async def test_a_new_deployment_gets_its_pods() -> None:
    async with world() as it:
        await deploy(it)
        await it.settle()
        assert it.condition("Progressing")["reason"] == "ReplicaSetUpdated"
        assert it.condition("Available")["status"] == "False"
        await it.roll_out()
        status = it.deployment()["status"]
        numbers = {
            name: status.get(name) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        }
        assert set(numbers.values()) == {3}
        assert "unavailableReplicas" not in status
        assert status["observedGeneration"] == it.deployment()["metadata"]["generation"]
        assert it.condition("Progressing")["reason"] == "NewReplicaSetAvailable"
        assert it.condition("Available")["reason"] == "MinimumReplicasAvailable"
        [made] = it.client.all(REPLICA_SETS)
        assert made["metadata"]["name"] == f"web-{made['metadata']['labels']['pod-template-hash']}"
        assert made["metadata"]["annotations"] == {
            "deployment.kubernetes.io/revision": "1",
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
        }
        assert made["spec"]["selector"]["matchLabels"].keys() == {"app", "pod-template-hash"}
        assert it.deployment()["metadata"]["annotations"][REVISION] == "1"
        assert it.events("ScalingReplicaSet") == [f"Scaled up replica set {made['metadata']['name']} from 0 to 3"]


async def test_a_rolling_update_goes_one_by_one() -> None:
    async with world() as it:
        await deployed(it)
        await it.set_version(2)
        await it.settle()
        seen = [it.sizes()]
        for _ in range(20):
            await it.make_ready()
            await it.bury()
            await it.settle()
            seen.append(it.sizes())
        assert all(sum(sizes.values()) <= 4 for sizes in seen)
        assert seen[0] == {"app:1": 3, "app:2": 1}
        assert seen[-1] == {"app:1": 0, "app:2": 3}
        assert it.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


async def test_a_broken_version_leaves_the_old_one_serving_and_times_out() -> None:
    async with world() as it:
        await deployed(it, progressDeadlineSeconds=60)
        await it.set_version(2)
        await it.settle()
        assert it.sizes() == {"app:1": 3, "app:2": 1}
        await it.clock.advance(30)
        assert it.condition("Progressing")["status"] == "True"
        await it.clock.advance(40)
        assert it.condition("Progressing")["reason"] == "ProgressDeadlineExceeded"
        assert it.condition("Progressing")["status"] == "False"
        assert it.condition("Available")["status"] == "True"
        assert it.sizes() == {"app:1": 3, "app:2": 1}
        await it.set_version(3)
        await it.roll_out()
        assert it.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


async def test_rollover_ends_all_old_versions() -> None:
    async with world() as it:
        await deployed(it)
        await it.set_version(2)
        await it.settle()
        await it.set_version(3)
        await it.roll_out()
        assert it.sizes() == {"app:1": 0, "app:2": 0, "app:3": 3}


async def test_undo_takes_the_old_replica_set_and_the_next_revision() -> None:
    async with world() as it:
        await deployed(it)
        await it.set_version(2)
        await it.roll_out()
        await it.set_version(1)
        await it.roll_out()
        assert it.sizes() == {"app:1": 3, "app:2": 0}
        old, new = sorted(it.client.all(REPLICA_SETS), key=lambda each: each["spec"]["replicas"])
        assert old["metadata"]["annotations"][REVISION] == "2"
        assert new["metadata"]["annotations"][REVISION] == "3"
        assert new["metadata"]["annotations"][REVISION_HISTORY] == "1"
        assert it.deployment()["metadata"]["annotations"][REVISION] == "3"


async def test_pause_and_resume() -> None:
    async with world() as it:
        await deployed(it)
        await change(it, {"paused": True})
        await it.set_version(2)
        await it.roll_out()
        assert it.sizes() == {"app:1": 3}
        assert it.condition("Progressing")["reason"] == "DeploymentPaused"
        await change(it, {"replicas": 5})
        await it.roll_out()
        assert it.sizes() == {"app:1": 5}
        await change(it, {"paused": False})
        await it.roll_out()
        assert it.sizes() == {"app:1": 0, "app:2": 5}
        assert it.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


async def test_a_pause_stops_the_progress_deadline() -> None:
    async with world() as it:
        await deployed(it, progressDeadlineSeconds=60)
        await it.set_version(2)
        await it.settle()
        await change(it, {"paused": True})
        await it.clock.advance(300)
        await change(it, {"paused": False})
        await it.clock.advance(30)
        assert it.condition("Progressing")["reason"] == "DeploymentResumed"
        await it.clock.advance(40)
        assert it.condition("Progressing")["reason"] == "ProgressDeadlineExceeded"


async def test_scaling_in_the_middle_of_a_rollout_is_proportional() -> None:
    async with world() as it:
        await deployed(it, 10, strategy=rolling(3, 2))
        await it.set_version(2)
        await it.settle()
        assert it.sizes() == {"app:1": 8, "app:2": 5}
        await change(it, {"replicas": 15})
        await it.settle()
        assert it.sizes() == {"app:1": 11, "app:2": 7}
        await it.roll_out()
        assert it.sizes() == {"app:1": 0, "app:2": 15}


async def test_recreate_starts_nothing_before_the_old_pods_are_gone() -> None:
    async with world() as it:
        await deployed(it, strategy={"type": "Recreate"})
        await it.set_version(2)
        await it.settle()
        assert it.sizes() == {"app:1": 0}
        assert all(pod["metadata"].get("deletionTimestamp") for pod in it.client.all(PODS))
        await it.bury()
        await it.settle()
        assert it.sizes() == {"app:1": 0, "app:2": 3}


async def test_a_single_replica_is_replaced_by_surging() -> None:
    async with world() as it:
        await deployed(it, 1, strategy=rolling("25%", "100%"))
        await it.set_version(2)
        await it.settle()
        assert it.sizes() == {"app:1": 1, "app:2": 1}
        await it.roll_out()
        assert it.sizes() == {"app:1": 0, "app:2": 1}


async def test_old_revisions_beyond_the_limit_go() -> None:
    async with world() as it:
        await deployed(it, revisionHistoryLimit=2)
        for version in (2, 3, 4, 5):
            await it.set_version(version)
            await it.roll_out()
        assert it.sizes() == {"app:3": 0, "app:4": 0, "app:5": 3}


async def test_min_ready_seconds_hold_the_rollout_back() -> None:
    async with world() as it:
        await deploy(it, minReadySeconds=10)
        for _ in range(3):
            await it.roll_out()
            await it.clock.advance(11)
        await it.set_version(2)
        await it.roll_out()
        assert it.sizes() == {"app:1": 3, "app:2": 1}
        await it.clock.advance(11)
        assert it.sizes() != {"app:1": 3, "app:2": 1}


async def test_a_taken_name_counts_a_collision() -> None:
    async with world() as it:
        name = f"web-{template_hash(template(), 0)}"
        foreign = {"replicas": 0, "selector": {"matchLabels": {"x": "y"}}, "template": template(9, {"x": "y"})}
        await it.client.create(REPLICA_SETS, {"metadata": {"name": name, "namespace": "default"}, "spec": foreign})
        await deployed(it)
        assert it.deployment()["status"]["collisionCount"] == 1
        assert it.sizes() == {"app:9": 0, "app:1": 3}


async def test_orphaned_replica_sets_are_adopted_again() -> None:
    async with world() as it:
        await deployed(it)
        pods = {pod["metadata"]["uid"] for pod in it.client.all(PODS)}
        await it.client.delete(DEPLOYMENTS, "default", "web", DeleteOptions(propagation=Propagation.ORPHAN))
        await it.settle()
        assert it.client.all(DEPLOYMENTS) == []
        assert "ownerReferences" not in it.client.all(REPLICA_SETS)[0]["metadata"]
        await deployed(it)
        assert {pod["metadata"]["uid"] for pod in it.client.all(PODS)} == pods
        assert len(it.client.all(REPLICA_SETS)) == 1


async def test_a_refused_replica_set_is_told() -> None:
    def refuse(verb: str, resource: Any, key: Any) -> Forbidden | None:
        return Forbidden("no more of these") if verb == "create" and resource is REPLICA_SETS else None

    async with world(refuse=refuse) as it:
        await deploy(it)
        await it.clock.advance(0.1)
        assert it.condition("Progressing")["reason"] == "ReplicaSetCreateError"
        assert "no more of these" in it.condition("Progressing")["message"]


async def test_refused_pods_are_told_by_the_deployment() -> None:
    def refuse(verb: str, resource: Any, key: Any) -> Forbidden | None:
        return Forbidden("exceeded quota") if verb == "create" and resource is PODS else None

    async with world(refuse=refuse) as it:
        await deploy(it)
        await it.clock.advance(0.1)
        assert it.condition("ReplicaFailure")["reason"] == "FailedCreate"


async def test_a_lagging_cache_creates_nothing_twice() -> None:
    async with world() as it:
        await deployed(it)
        await it.set_version(2)
        await it.settle()
        it.client.hold_watches()
        await it.make_ready()
        await change(it, {"replicas": 4})
        it.client.release_watches()
        await it.roll_out()
        created = [call for call in it.client.calls if call[:2] == ("create", "replicasets")]
        assert len(created) == 2
        assert it.sizes() == {"app:1": 0, "app:2": 4}


async def test_what_is_settled_is_not_written_again() -> None:
    async with world() as it:
        await deployed(it)
        revision = it.client.revision
        await it.clock.advance(3000)
        assert it.client.revision == revision


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (template(), template(), True),
        (template(), template(2), False),
        (template(), template(labels={"app": "web", "pod-template-hash": "x"}), True),
        (template(), template(labels={"app": "web", "tier": "x"}), False),
    ],
    ids=["equal", "another image", "only the hash", "another label"],
)
def test_same_template(one: Object, other: Object, same: bool) -> None:
    assert same_template(one, other) is same


def test_the_hash_follows_from_the_template_whatever_the_order_of_its_fields() -> None:
    assert template_hash({"a": 1, "b": 2}, 0) == template_hash({"b": 2, "a": 1}, 0)
    assert template_hash({"a": 1}, 0) != template_hash({"a": 1}, 1)
    assert len(template_hash({}, 0)) == 10


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 6),
    st.sampled_from([rolling("25%", "25%"), rolling(0, 1), rolling(2, 0), rolling("100%", 0), rolling(1, "50%")]),
    st.lists(st.sampled_from(["one ready", "ready", "crash", "version", "bury", "lose"]), max_size=12),
    st.randoms(use_true_random=False),
)
def test_whatever_happens_promises_are_kept_and_the_rollout_ends(
    replicas: int, strategy: Object, happenings: list[str], chance: Random
) -> None:
    asyncio.run(_live(replicas, strategy, happenings, chance))


async def _live(replicas: int, strategy: Object, happenings: list[str], chance: Random) -> None:
    """Pods become ready, crash and vanish while versions change; every create and delete of a controller is watched."""
    async with world() as it:
        await deployed(it, replicas, strategy=strategy)
        broken = _watched(it, replicas, limits_of(view(Deployment, it.deployment()).spec))
        for version, happening in enumerate(happenings, 2):
            if happening == "version":
                await it.set_version(version)
            else:
                await _happen(it, happening, chance)
            await it.settle()
        await it.roll_out()
        assert not broken
        newest = max((n for n, happening in enumerate(happenings, 2) if happening == "version"), default=1)
        assert {image: size for image, size in it.sizes().items() if size} == {f"app:{newest}": replicas}
        assert it.deployment()["status"]["availableReplicas"] == replicas


async def _happen(it: World, happening: str, chance: Random) -> None:
    one = chance.choice(sorted(pod.metadata.name for pod in _running(it)))
    match happening:
        case "ready":
            await it.make_ready()
        case "bury":
            await it.bury()
        case "one ready":
            await it.make_ready(one)
        case "crash":
            await it.make_unready(one)
        case "lose":
            await it.lose(one)


def _watched(it: World, replicas: int, limits: Limits) -> list[str]:
    """What is broken from now on: too many Pods, or ready ones ended that were needed."""
    broken: list[str] = []

    def watch(verb: str, resource: Any, key: Any) -> None:
        running = _running(it)
        ready = [pod.metadata.name for pod in running if pod.ready]
        if (verb, resource) == ("delete", PODS) and key.name in ready and len(ready) <= replicas - limits.unavailable:
            broken.append(f"{key.name} ended, though only {len(ready)} of {replicas} are ready")
        is_new = key.name not in {pod["metadata"]["name"] for pod in it.client.all(PODS)}  # else it is a binding
        if (verb, resource) == ("create", PODS) and is_new and len(running) >= replicas + limits.surge:
            broken.append(f"{key.name} is one too many")

    it.client.refuse = watch
    return broken


def _running(it: World) -> list[Pod]:
    return [pod for pod in (view(Pod, each) for each in it.client.all(PODS)) if active(pod)]
