"""The agent against fakes, in virtual time: what a Pod's life looks like from the API and from the runtime."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from node_world import World, app

from grandstand.client import DeleteOptions
from grandstand.clock import rfc3339
from grandstand.errors import CreateContainerError, RunContainerError, Unavailable
from grandstand.kinds import Key, Object
from grandstand.kinds.resources import CONFIG_MAPS, PODS, SECRETS
from grandstand.node.volumes import mounts_below


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    world.runtime.dies_of = {signal.SIGTERM}
    await world.agent.destroy()
    assert not mounts_below(tmp_path)


async def delete(world: World, name: str = "web", **options: Any) -> None:
    await world.client.delete(PODS, "default", name, DeleteOptions(**options))
    await world.settle()


def nothing_left(world: World) -> bool:
    left = (world.runtime.containers, world.rootfs.roots, world.network.made, world.cgroups.made)
    return not any(left) and not list(world.parts.pods_directory.iterdir())


async def test_a_pod_runs_and_says_so_in_one_write(world: World) -> None:
    await world.create({"containers": [app()]})
    status = world.status()
    assert status["phase"] == "Running"
    assert status["podIP"] == "127.0.0.1"
    assert world.condition("Ready") == "True"
    assert world.container()["containerID"].startswith("conmon-runc://")
    assert world.writes() == 1
    assert world.events.reasons() == ["Pulled", "Created", "Started"]


async def test_nothing_is_written_while_nothing_changes(world: World) -> None:
    await world.create({"containers": [app(livenessProbe={"exec": {"command": ["ok"]}, "periodSeconds": 1})]})
    writes = world.writes()
    await world.clock.advance(100)
    assert len(world.runtime.executed) > 90
    assert world.writes() == writes


async def test_crash_loop(world: World) -> None:
    await world.create({"containers": [app()]})
    world.runtime.end("app", 3)
    await world.settle()
    assert world.container()["restartCount"] == 1, "the first restart comes at once"
    assert world.container()["lastState"]["terminated"]["exitCode"] == 3
    for wait in (10, 20, 40, 80, 160, 300, 300):
        world.runtime.end("app", 1)
        await world.settle()
        before = world.container()["restartCount"]
        assert world.container()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert world.condition("Ready") == "False"
        await world.clock.advance(wait - 1)
        assert world.container()["restartCount"] == before
        await world.clock.advance(1.1)
        assert world.container()["restartCount"] == before + 1
    assert (
        "BackOff",
        f"Back-off restarting failed container app in pod web_default({world.pod()['metadata']['uid']})",
    ) in (world.events.said)


@pytest.mark.parametrize(
    ("code", "oom", "reason"), [(0, False, "Completed"), (2, False, "Error"), (137, True, "OOMKilled")]
)
async def test_reasons_of_an_end(world: World, code: int, oom: bool, reason: str) -> None:
    await world.create({"containers": [app()], "restartPolicy": "Never"})
    world.runtime.end("app", code, oom=oom)
    await world.settle()
    assert world.container()["state"]["terminated"]["reason"] == reason
    assert world.status()["phase"] == ("Succeeded" if code == 0 else "Failed")
    assert not world.network.made, "an ended Pod gives its address back"
    assert list(world.parts.pods_directory.iterdir()), "its logs stay until it is deleted"
    await delete(world)
    assert nothing_left(world)
    assert not world.exists()


async def test_on_failure_restarts_until_success(world: World) -> None:
    await world.create({"containers": [app()], "restartPolicy": "OnFailure"})
    world.runtime.end("app", 1)
    await world.settle()
    world.runtime.end("app", 0)
    await world.settle()
    assert world.status()["phase"] == "Succeeded"
    assert world.container()["restartCount"] == 1


async def test_init_containers_run_one_after_the_other(world: World) -> None:
    await world.create({"initContainers": [app("one"), app("two")], "containers": [app()]})
    assert world.runtime.running() == ["one"]
    await world.clock.advance(1)
    assert world.status()["phase"] == "Pending"
    assert world.container()["state"]["waiting"]["reason"] == "PodInitializing"
    world.runtime.end("one", 0)
    await world.settle()
    assert world.runtime.running() == ["two"]
    world.runtime.end("two", 0)
    await world.settle()
    assert world.runtime.running() == ["app"]
    assert world.condition("Initialized") == "True"
    assert world.container("one")["state"]["terminated"]["reason"] == "Completed"


async def test_a_sidecar_starts_before_and_ends_after_the_main_container(world: World) -> None:
    await world.create({"initContainers": [app("side", restartPolicy="Always")], "containers": [app()]})
    assert world.runtime.running() == ["app", "side"]
    await delete(world)
    ends = [name for verb, name in world.runtime.history if verb == "SIGTERM"]
    assert ends == ["app", "side"]
    assert nothing_left(world)


async def test_the_order_of_an_ending(world: World) -> None:
    hook = {"preStop": {"exec": {"command": ["bye"]}}}
    await world.create({"containers": [app(lifecycle=hook)], "terminationGracePeriodSeconds": 30})
    await delete(world)
    assert world.runtime.history[2:6] == [("drain", "web"), ("exec bye", "app"), ("SIGTERM", "app"), ("remove", "app")]
    assert world.drained == [("web", 28.0)], "two seconds are left for the program"
    assert world.events.said[-1] == ("Killing", "Stopping container app")
    assert not world.exists()
    assert nothing_left(world)


async def test_a_program_that_ignores_the_signal_is_killed_after_its_grace(world: World) -> None:
    world.runtime.dies_of = {signal.SIGKILL}
    await world.create({"containers": [app()], "terminationGracePeriodSeconds": 30})
    await delete(world)
    await world.clock.advance(29)
    assert world.runtime.running() == ["app"]
    assert world.condition("Ready") == "False", "it refuses new requests by now"
    await world.clock.advance(1.5)
    assert not world.exists()
    assert nothing_left(world)


async def test_a_second_deletion_shortens_the_grace(world: World) -> None:
    world.runtime.dies_of = {signal.SIGKILL}
    await world.create({"containers": [app()], "terminationGracePeriodSeconds": 300})
    await delete(world)
    await world.clock.advance(5)
    await delete(world, grace_seconds=10)
    await world.clock.advance(6)
    assert not world.exists()


async def test_a_forced_deletion_leaves_nothing_behind(world: World) -> None:
    world.runtime.dies_of = {signal.SIGKILL}
    await world.create({"containers": [app()]})
    await delete(world, grace_seconds=0)
    assert not world.exists()
    assert world.runtime.running() == ["app"]
    await world.clock.advance(2.1)
    assert nothing_left(world)


async def test_the_stop_signal_of_the_image(world: World) -> None:
    world.images.add("quits", stop_signal="SIGQUIT")
    world.runtime.dies_of = {signal.SIGQUIT}
    await world.create({"containers": [app(image="quits")]})
    await delete(world)
    assert ("SIGQUIT", "app") in world.runtime.history
    assert nothing_left(world)


async def test_an_image_that_cannot_be_pulled(world: World) -> None:
    await world.create({"containers": [app(image="nowhere")]})
    assert world.container()["state"]["waiting"]["reason"] == "ErrImagePull"
    assert "build it" in world.container()["state"]["waiting"]["message"]
    await world.clock.advance(1.1)
    assert world.container()["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert world.status()["phase"] == "Pending"
    tries = [world.images.resolved.count("nowhere")]
    for wait in (10, 20, 40):
        await world.clock.advance(wait)
        tries.append(world.images.resolved.count("nowhere"))
    assert tries == [1, 2, 3, 4]
    world.images.add("nowhere")
    await world.clock.advance(80)
    assert world.status()["phase"] == "Running"
    await delete(world)
    assert nothing_left(world)


async def test_a_missing_config_map_is_waited_for_by_event(world: World) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]
    await world.create({"containers": [app(env=env)]})
    waiting = world.container()["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'configmap "late" not found'}
    await world.clock.advance(1000)
    assert world.runtime.history == []
    await world.client.create(CONFIG_MAPS, {"metadata": {"name": "late", "namespace": "default"}, "data": {"a": "1"}})
    await world.settle()
    assert world.status()["phase"] == "Running"
    assert "A=1" in world.runtime.of("app").spec.env


async def test_a_volume_whose_secret_is_missing_is_waited_for(world: World) -> None:
    volume = {"name": "v", "configMap": {"name": "late"}}
    await world.create({"containers": [app(volumeMounts=[{"name": "v", "mountPath": "/v"}])], "volumes": [volume]})
    assert ("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "late" not found') in world.events.said
    await world.client.create(CONFIG_MAPS, {"metadata": {"name": "late", "namespace": "default"}, "data": {"a": "1"}})
    await world.settle()
    assert world.status()["phase"] == "Running"
    (mount,) = [mount for mount in world.runtime.of("app").spec.mounts if mount.target == "/v"]
    assert mount.read_only
    assert (mount.source / "a").read_text() == "1"


async def test_a_changed_config_map_reaches_the_volume(world: World) -> None:
    made = await world.client.create(
        CONFIG_MAPS, {"metadata": {"name": "settings", "namespace": "default"}, "data": {"a": "1"}}
    )
    volume = {"name": "v", "configMap": {"name": "settings"}}
    await world.create({"containers": [app(volumeMounts=[{"name": "v", "mountPath": "/v"}])], "volumes": [volume]})
    source = next(mount.source for mount in world.runtime.of("app").spec.mounts if mount.target == "/v")
    await world.client.update(CONFIG_MAPS, {**made, "data": {"a": "2", "b": "3"}})
    await world.settle()
    assert (source / "a").read_text() == "2"
    assert (source / "b").read_text() == "3"


async def test_run_as_non_root_is_kept(world: World) -> None:
    await world.create({"containers": [app(securityContext={"runAsNonRoot": True})]})
    waiting = world.container()["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert "image will run as root" in waiting["message"]
    assert nothing_left(world) is False
    assert world.runtime.history == []
    assert world.rootfs.roots == set()


async def test_what_this_node_lacks_is_refused_with_a_reason(world: World) -> None:
    await world.create({"containers": [app()], "hostUsers": False})
    waiting = world.container()["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert waiting["message"].startswith("hostUsers: false needs runc 1.2")
    assert world.runtime.history == []
    await delete(world)
    assert not world.exists()
    assert nothing_left(world)


async def test_a_container_that_cannot_be_created_waits(world: World) -> None:
    world.runtime.refusals["create", "app"] = CreateContainerError("no such directory")
    await world.create({"containers": [app()]})
    assert world.container()["state"]["waiting"] == {"reason": "CreateContainerError", "message": "no such directory"}
    assert world.rootfs.roots == set()
    world.runtime.refusals.clear()
    await world.clock.advance(10.1)
    assert world.status()["phase"] == "Running"
    assert world.container()["restartCount"] == 0


async def test_a_program_that_cannot_be_started_has_ended_with_128(world: World) -> None:
    world.runtime.refusals["start", "app"] = RunContainerError("exec format error")
    await world.create({"containers": [app()], "restartPolicy": "Never"})
    assert world.status()["phase"] == "Failed"
    ended = world.container()["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (128, "ContainerCannotRun", "exec format error")
    assert ended["startedAt"] == ended["finishedAt"] == rfc3339(world.clock.now()), "kubectl shows no time as year 1"


async def test_liveness_restarts_a_container_with_its_grace(world: World) -> None:
    world.runtime.dies_of = {signal.SIGKILL}
    probe = {"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 2}
    await world.create({"containers": [app(livenessProbe=probe)], "terminationGracePeriodSeconds": 5})
    world.runtime.exec_codes["alive",] = 1
    await world.clock.advance(3)
    assert world.runtime.of("app").signals == [signal.SIGTERM]
    assert world.condition("Ready") == "False"
    world.runtime.exec_codes.clear()
    await world.clock.advance(5.1)
    assert world.container()["restartCount"] == 1
    assert world.condition("Ready") == "True"
    assert ("Killing", "Container app failed liveness probe, will be restarted") in world.events.said
    assert "Unhealthy" in world.events.reasons()


async def test_a_post_start_hook_holds_readiness_and_its_failure_ends_the_container(world: World) -> None:
    world.runtime.exec_codes["warm",] = 1
    await world.create({"containers": [app(lifecycle={"postStart": {"exec": {"command": ["warm"]}}})]})
    assert "FailedPostStartHook" in world.events.reasons()
    assert world.container()["restartCount"] >= 1
    assert world.condition("Ready") == "False"
    world.runtime.exec_codes.clear()
    await world.clock.advance(30)
    assert world.condition("Ready") == "True"


async def test_active_deadline(world: World) -> None:
    await world.create({"containers": [app()], "activeDeadlineSeconds": 60})
    await world.clock.advance(59)
    assert world.status()["phase"] == "Running"
    await world.clock.advance(1.5)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "DeadlineExceeded")
    assert world.runtime.running() == []
    assert world.exists()


async def test_deletion_while_an_image_is_missing_and_while_a_volume_is(world: World) -> None:
    await world.create({"containers": [app()], "volumes": [{"name": "v", "secret": {"secretName": "none"}}]})
    await delete(world)
    assert not world.exists()
    assert nothing_left(world)


async def test_adoption_keeps_everything_as_it_was(world: World) -> None:
    await world.create({"containers": [app()]})
    world.runtime.end("app", 1)
    await world.settle()
    before, writes = world.pod(), world.writes()
    await world.restart()
    await world.clock.advance(5)
    assert world.pod() == before, "no flap, no write, the same ids"
    assert world.writes() == writes
    assert world.runtime.running() == ["app"]
    world.runtime.end("app", 1)
    await world.settle()
    assert world.container()["state"]["waiting"]["reason"] == "CrashLoopBackOff", "the back-off goes on"


async def test_a_container_that_died_meanwhile_is_started_again(world: World) -> None:
    await world.create({"containers": [app()]})
    await world.agent.stop()
    world.runtime.end("app", 9)
    await world.restart()
    assert world.runtime.running() == ["app"]
    assert world.container()["restartCount"] == 1
    assert world.container()["lastState"]["terminated"]["exitCode"] == 9


async def test_after_a_restart_of_the_machine_everything_is_started_again(world: World) -> None:
    await world.create({"containers": [app()]})
    await world.agent.stop()
    world.runtime.containers.clear()
    world.network.made.clear()
    await world.restart()
    assert world.runtime.running() == ["app"]
    assert world.container()["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert world.condition("Ready") == "True"


async def test_pods_that_were_deleted_meanwhile_are_removed(world: World) -> None:
    await world.create({"containers": [app()]})
    await world.agent.stop()
    await world.client.delete(PODS, "default", "web", DeleteOptions(grace_seconds=0))
    await world.restart()
    assert nothing_left(world)


async def test_an_ending_that_was_interrupted_goes_on(world: World) -> None:
    world.runtime.dies_of = {signal.SIGKILL}
    await world.create({"containers": [app()], "terminationGracePeriodSeconds": 30})
    await delete(world)
    await world.clock.advance(20)
    await world.restart()
    await world.clock.advance(10.5)
    assert not world.exists(), "the grace is counted from the beginning"
    assert nothing_left(world)


async def test_a_pod_of_the_same_name_is_another_pod(world: World) -> None:
    first = await world.create({"containers": [app()]})
    await delete(world, grace_seconds=0)
    second = await world.create({"containers": [app()]})
    await world.clock.advance(3)
    assert world.runtime.running() == ["app"]
    assert world.runtime.of("app").spec.pod_uid == second["metadata"]["uid"] != first["metadata"]["uid"]
    assert world.condition("Ready") == "True"


async def test_a_finished_pod_of_which_nothing_is_known_is_left_alone(world: World) -> None:
    done: Object = {"phase": "Succeeded", "containerStatuses": [{"name": "app", "restartCount": 4}]}
    await world.agent.stop()
    await world.create({"containers": [app()]})
    await world.client.patch(PODS, "default", "web", {"status": done}, subresource="status")
    await world.restart()
    await world.clock.advance(1)
    assert world.runtime.history == []
    assert world.status() == done
    await delete(world)
    assert not world.exists()


async def test_the_api_being_away_delays_status_and_nothing_else(world: World) -> None:
    world.client.refuse = lambda verb, resource, key: Unavailable() if verb == "patch" else None
    await world.create({"containers": [app()]})
    assert world.runtime.running() == ["app"]
    assert world.status() == {}
    world.client.refuse = None
    await world.clock.advance(15)
    assert world.condition("Ready") == "True"


async def test_remove_everything_ends_containers_well_and_a_later_engine_starts_them_again(world: World) -> None:
    await world.create({"containers": [app(lifecycle={"preStop": {"exec": {"command": ["bye"]}}})]})
    await world.agent.destroy()
    assert [verb for verb, _ in world.runtime.history[-3:]] == ["exec bye", "SIGTERM", "remove"]
    assert not world.runtime.containers
    assert not world.network.made
    assert not world.rootfs.roots
    assert not world.cgroups.made
    await world.restart()
    assert world.runtime.running() == ["app"]
    assert world.container()["restartCount"] == 1


async def test_two_hundred_pods(world: World) -> None:
    for number in range(200):
        await world.client.create(
            PODS,
            {
                "metadata": {"name": f"p{number}", "namespace": "default"},
                "spec": {"nodeName": "grandstand", "containers": [app()]},
            },
        )
    await world.settle()
    assert len(world.runtime.running()) == 200
    assert all(world.condition("Ready", f"p{number}") == "True" for number in range(200))
    assert world.writes() == 200
    for number in range(200):
        await world.client.delete(PODS, "default", f"p{number}")
    await world.settle()
    assert nothing_left(world)


async def test_secrets_reach_env_and_annotation_changes_reach_files(world: World) -> None:
    secret = {"metadata": {"name": "s", "namespace": "default"}, "data": {"k": "djE="}}
    await world.client.create(SECRETS, secret)
    env = [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    items = [{"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}}]
    pod = await world.create(
        {
            "containers": [app(env=env, volumeMounts=[{"name": "about", "mountPath": "/about"}])],
            "volumes": [{"name": "about", "downwardAPI": {"items": items}}],
        }
    )
    assert "K=v1" in world.runtime.of("app").spec.env
    await world.client.patch(PODS, "default", "web", {"metadata": {"annotations": {"a": "b"}}})
    await world.settle()
    context = world.agent.pod(Key("default", "web"))
    assert context is not None
    assert (context.volumes.path_of("about") / "notes").read_text() == 'a="b"'
    assert pod["metadata"]["uid"] == context.uid
