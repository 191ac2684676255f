"""Pods on this machine: real runtime, network, cgroups, overlays, probes and volumes; the API is a fake."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from node_machine import Machine, app, container, machine, ready

from grandstand.client import DeleteOptions
from grandstand.kinds import Key, Object
from grandstand.kinds.resources import CONFIG_MAPS, PODS, SECRETS
from grandstand.node.volumes import mounts_below

PORT = [{"name": "web", "containerPort": 8080}]
SERVE = "exec httpd -f -p 8080 -h /www"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Machine]:
    async with machine(tmp_path) as world:
        yield world
    assert not mounts_below(tmp_path / "data"), "everything is unmounted"
    prefix = world.parts.engine.prefix
    assert not list(Path("/sys/fs/cgroup").glob(f"*/{prefix}")), "no cgroup is left"
    assert not list(Path("/sys/class/net").glob(f"{prefix}*")), "no bridge is left"


def done(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def pid_of(world: Machine, name: str = "app") -> int:
    context = world.agent.pod(Key("default", "web"))
    assert context is not None
    pid = world.parts.runtime.pid(context.state(name).id)  # type: ignore[attr-defined]
    assert pid is not None
    return int(pid)


async def output(world: Machine, script: str, **spec: object) -> str:
    """What a script prints in a container that has so been configured."""
    fields = {
        name: spec.pop(name)
        for name in ("env", "envFrom", "volumeMounts", "securityContext", "resources")
        if name in spec
    }
    await world.create(app(script, **fields), restartPolicy="Never", **spec)
    pod = await world.until(done)
    assert pod["status"]["phase"] == "Succeeded", (pod["status"], world.events.said, world.log(pod))
    return world.log(pod)


async def test_a_pod_without_a_probe_is_ready_when_its_port_is(world: Machine) -> None:
    await world.create(app(f"sleep 0.5; {SERVE}", ports=PORT))
    pod = await world.until(lambda pod: bool(container(pod)["state"].get("running")))
    assert not ready(pod)
    await world.until(ready)


async def test_a_killed_container_is_back_soon_and_the_pod_keeps_its_address(world: Machine) -> None:
    await world.create(app(SERVE, ports=PORT))
    before = await world.until(ready)
    clock = asyncio.get_running_loop().time
    killed_at = clock()
    os.kill(pid_of(world), 9)
    after = await world.until(lambda pod: ready(pod) and container(pod)["restartCount"] == 1)
    assert clock() - killed_at < 2, "far more than it takes, even on a busy machine"
    assert container(after)["lastState"]["terminated"]["exitCode"] == 137
    assert after["status"]["podIP"] == before["status"]["podIP"]


async def test_probes_over_http_by_port_name(world: Machine) -> None:
    probe = {"httpGet": {"path": "/index.html", "port": "web"}, "periodSeconds": 1}
    await world.create(app(SERVE, ports=PORT, readinessProbe=probe, livenessProbe=probe, startupProbe=probe))
    assert container(await world.until(ready))["started"]


async def test_a_failing_exec_probe_restarts_the_container(world: Machine) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    await world.create(app("touch /tmp/ok; sleep 1; rm=1; echo > /tmp/x; exec sleep 3600", livenessProbe=probe))
    await world.until(ready)
    context = world.agent.pod(Key("default", "web"))
    assert context is not None
    await world.parts.runtime.exec(context.state("app").id, ("ln", "-sf", "/none", "/tmp/ok"), 5)
    pod = await world.until(lambda pod: container(pod)["restartCount"] == 1)
    assert container(pod)["lastState"]["terminated"]["exitCode"] in (137, 143)


async def test_environment_and_identity(world: Machine) -> None:
    await world.client.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}, "data": {"A": "1"}})
    text = await output(
        world,
        "env; id -u; id -G; hostname; echo '$(NAME) $$(NAME)'",
        env=[
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        ],
        envFrom=[{"configMapRef": {"name": "c"}, "prefix": "C_"}],
        resources={"limits": {"memory": "64Mi"}},
        securityContext={"runAsUser": 1000, "runAsGroup": 1000},
    )
    lines = text.splitlines()
    assert {"NAME=web", "C_A=1", "MEMORY=67108864", "HOSTNAME=web"} <= set(lines)
    assert lines[-4:] == ["1000", "1000", "web", "web $(NAME)"]


async def test_volumes_of_every_kind(world: Machine, tmp_path: Path) -> None:
    host = tmp_path / "host"
    await world.client.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}, "data": {"a": "1\n"}})
    await world.client.create(SECRETS, {"metadata": {"name": "s", "namespace": "default"}, "data": {"k": "djE="}})
    volumes = [
        {"name": "config", "configMap": {"name": "c", "items": [{"key": "a", "path": "deep/a", "mode": 0o400}]}},
        {"name": "secret", "secret": {"secretName": "s"}},
        {"name": "disk", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "host", "hostPath": {"path": str(host), "type": "DirectoryOrCreate"}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"configMap": {"name": "c"}},
                    {"secret": {"name": "s"}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                ]
            },
        },
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    mounts.append({"name": "config", "mountPath": "/etc/just-one", "subPath": "deep/a"})
    mounts.append({"name": "disk", "mountPath": "/part", "subPathExpr": "of/$(WHO)"})
    script = """
        cat /config/deep/a /secret/k /all/a /all/k /all/name /etc/just-one; echo
        stat -Lc %a /config/deep/a; stat -f -c %T /secret /memory
        echo kept > /host/file; echo part > /part/file; cat /disk/of/web/file
        touch /config/x 2>/dev/null || echo read-only
        dd if=/dev/zero of=/memory/big bs=64k count=64 2>/dev/null || echo full
    """
    env = [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    text = await output(world, script, volumes=volumes, volumeMounts=mounts, env=env)
    assert text.split() == ["1", "v11", "v1web1", "400", "tmpfs", "tmpfs", "part", "read-only", "full"]
    assert (host / "file").read_text() == "kept\n"


async def test_fs_group_lets_another_user_write(world: Machine) -> None:
    await world.create(
        app(
            "echo x > /v/f; stat -c %g /v/f",
            volumeMounts=[{"name": "v", "mountPath": "/v"}],
            securityContext={"runAsUser": 1000},
        ),
        restartPolicy="Never",
        volumes=[{"name": "v", "emptyDir": {}}],
        securityContext={"fsGroup": 4242},
    )
    assert world.log(await world.until(done)).split() == ["4242"]


async def test_a_sub_path_never_leads_out_of_its_volume(world: Machine) -> None:
    volumes = [{"name": "v", "emptyDir": {}}]
    await world.create(
        app("exec sleep 3600", volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "way-out"}]),
        initContainers=[app("ln -s / /v/way-out", "trap", volumeMounts=[{"name": "v", "mountPath": "/v"}])],
        volumes=volumes,
    )
    pod = await world.until(lambda pod: bool(container(pod)["state"].get("waiting", {}).get("message")))
    assert container(pod)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    assert "leads out of the volume" in container(pod)["state"]["waiting"]["message"]


async def test_memory_limit_and_termination_message(world: Machine) -> None:
    script = "echo about to die > /dev/termination-log; exec dd if=/dev/zero of=/dev/null bs=100M count=1"
    await world.create(app(script, resources={"limits": {"memory": "24Mi"}}), restartPolicy="Never")
    ended = container(await world.until(done))["state"]["terminated"]
    assert ended["message"] == "about to die\n"
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


async def test_init_and_sidecar_share_memory_and_address(world: Machine) -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    side = app(SERVE, "side", restartPolicy="Always", startupProbe=probe)
    await world.create(
        app("wget -q -O - http://127.0.0.1:8080/index.html && cat /dev/shm/said"),
        initContainers=[app("echo hello-init > /dev/shm/said", "init"), side],
        restartPolicy="Never",
    )
    pod = await world.until(done)
    assert pod["status"]["phase"] == "Succeeded"
    assert world.log(pod).split() == ["hello", "hello-init"]


async def test_a_program_that_does_not_exist(world: Machine) -> None:
    await world.create({"name": "app", "image": "busybox", "command": ["/no/such/program"]}, restartPolicy="Never")
    pod = await world.until(lambda pod: done(pod) or bool(container(pod)["state"].get("waiting", {}).get("message")))
    assert "/no/such/program" in str(container(pod)["state"])


async def test_adoption(world: Machine) -> None:
    await world.create(app(SERVE, ports=PORT))
    before = await world.until(ready)
    pid = pid_of(world)
    await world.restart()
    assert pid_of(world) == pid
    assert world.client.all(PODS) == [before], "nothing was written"
    os.kill(pid, 9)
    await world.until(lambda pod: ready(pod) and container(pod)["restartCount"] == 1)


async def test_deletion_lets_a_program_end_by_itself(world: Machine) -> None:
    await world.create(
        app("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=20
    )
    pod = await world.until(ready)
    seen = asyncio.create_task(world.until(lambda pod: bool(container(pod)["state"].get("terminated"))))
    await world.client.delete(PODS, "default", "web")
    assert container(await seen)["state"]["terminated"]["exitCode"] == 7
    await world.until_gone()
    assert not world.parts.directory(pod["metadata"]["uid"]).exists()


async def test_many_pods_come_and_go(world: Machine) -> None:
    names = [f"p{number}" for number in range(12)]
    for name in names:
        await world.create(app(SERVE, ports=PORT), name=name)
    await asyncio.gather(*(world.until(ready, name) for name in names))
    for name in names:
        await world.client.delete(PODS, "default", name, DeleteOptions(grace_seconds=1))
    await asyncio.gather(*(world.until_gone(name) for name in names))
    assert world.network.sandboxes() == {}
