"""The life of a Pod: order of its containers, restarts, ends, and what its status says of them."""

import json
import time
from datetime import datetime

import pytest
from space import container, eventually, job, pod

SHARED = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
VOLUME = {"volumes": [{"name": "shared", "emptyDir": {}}]}


def state(pod, name="main", kind="containerStatuses"):
    return next(status for status in pod["status"][kind] if status["name"] == name)


def test_init_containers_run_one_after_the_other(space):
    def init(name):
        return container(f"echo {name} >> /shared/order", name, **SHARED)

    made = pod(
        "p",
        container("cat /shared/order", **SHARED),
        initContainers=[init("one"), init("two")],
        restartPolicy="Never",
        **VOLUME,
    )
    assert space.output(made) == "one\ntwo\n"
    statuses = space.get("pod", "p")["status"]["initContainerStatuses"]
    assert [(s["name"], s["state"]["terminated"]["reason"]) for s in statuses] == [
        ("one", "Completed"),
        ("two", "Completed"),
    ]


def test_a_failing_init_container_is_tried_again_and_shown(space):
    script = "test -e /shared/tried && exit 0; touch /shared/tried; exit 4"
    space.apply(pod("p", initContainers=[container(script, "first", **SHARED)], **VOLUME))
    space.wait("pod/p")
    first = state(space.get("pod", "p"), "first", "initContainerStatuses")
    assert first["restartCount"] == 1
    space.apply(pod("never", initContainers=[container("exit 4", "first")], restartPolicy="Never"))
    space.wait("pod/never", "jsonpath={.status.phase}=Failed")
    assert "Init:Error" in space.kubectl("get", "pod", "never")


def test_sidecars_start_before_and_end_after(space):
    sidecar = container(
        'trap "echo sidecar ends >> /shared/order; exit 0" TERM; '
        "echo sidecar >> /shared/order; touch /shared/up; sleep 1d & wait",
        "sidecar",
        restartPolicy="Always",
        startupProbe={"exec": {"command": ["test", "-e", "/shared/up"]}, "periodSeconds": 1},
        **SHARED,
    )
    main = container("echo main >> /shared/order; sleep 0.3; echo main ends >> /shared/order", **SHARED)
    done = space.finish(pod("p", main, initContainers=[sidecar], restartPolicy="Never", **VOLUME))
    order = space.kubeconfig.parent / "pods" / done["metadata"]["uid"] / "volumes"
    (found,) = order.rglob("order")
    assert found.read_text().splitlines() == ["sidecar", "main", "main ends", "sidecar ends"]


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 7, "Failed"), ("OnFailure", 0, "Succeeded")],
)
def test_a_pod_that_ends(space, policy, code, phase):
    ended = state(space.finish(pod("p", container(f"exit {code}"), restartPolicy=policy), phase))
    terminated = ended["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (code, "Error" if code else "Completed")
    assert ended["restartCount"] == 0
    assert terminated["containerID"] == ended["containerID"]
    assert terminated["startedAt"] <= terminated["finishedAt"]


def test_a_pod_that_fails_is_restarted_at_once_and_then_with_back_off(space):
    space.apply(pod("p", container("exit 7"), restartPolicy="OnFailure"))
    waiting = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff"
    space.wait("pod/p", waiting, 10)
    seen = state(space.get("pod", "p"))
    assert seen["restartCount"] >= 1
    assert "back-off 10s restarting failed container=main pod=p_" in seen["state"]["waiting"]["message"]
    assert seen["lastState"]["terminated"]["exitCode"] == 7
    assert "CrashLoopBackOff" in space.kubectl("get", "pod", "p")
    assert "Back-off restarting failed container main" in space.event("p", "BackOff")["message"]
    eventually(lambda: state(space.get("pod", "p"))["restartCount"] >= 2, "the second restart, after 10 s", 14)


def test_out_of_memory(space):
    hungry = container("python3 -c 'x = bytearray(200 << 20)'", resources={"limits": {"memory": "32Mi"}})
    done = space.finish(pod("p", hungry, restartPolicy="Never"), "Failed")
    terminated = state(done)["state"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)
    assert "OOMKilled" in space.kubectl("get", "pod", "p")


def test_a_signal_in_the_exit_code(space):
    done = space.finish(
        pod("p", container("python3 -c 'import os; os.kill(os.getpid(), 11)'; exit $?"), restartPolicy="Never"),
        "Failed",
    )
    assert state(done)["state"]["terminated"]["exitCode"] == 139


def test_a_program_that_is_not_there(space):
    broken = container()
    broken["command"] = ["/no/such/program"]
    space.apply(pod("p", broken, restartPolicy="Never"))
    space.wait("pod/p", "jsonpath={.status.phase}=Failed")
    terminated = state(space.get("pod", "p"))["state"]["terminated"]
    assert terminated["exitCode"] == 128
    assert "/no/such/program" in terminated["message"]


def test_the_termination_message(space):
    done = space.finish(job("p", "echo all is lost > /dev/termination-log; exit 1"), "Failed")
    assert state(done)["state"]["terminated"]["message"] == "all is lost\n"
    from_log = container("echo it was this; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    done = space.finish(pod("q", from_log, restartPolicy="Never"), "Failed")
    assert state(done)["state"]["terminated"]["message"] == "it was this\n"


def test_sigterm_then_grace_then_sigkill(space):
    stubborn = container('trap "echo asked" TERM; echo up; while true; do sleep 1d & wait; done')
    space.run(pod("p", stubborn, terminationGracePeriodSeconds=3))
    following = space.start("logs", "--follow", "p")
    try:
        assert following.stdout.readline() == "up\n"
        before = time.monotonic()
        space.kubectl("delete", "pod", "p", timeout=20)
        took = time.monotonic() - before
        out, _ = following.communicate(timeout=10)
    finally:
        following.kill()
    assert out == "asked\n"
    assert 2.9 < took < 6


def test_the_active_deadline(space):
    failed = space.finish(pod("p", activeDeadlineSeconds=1), "Failed")
    assert failed["status"]["reason"] == "DeadlineExceeded"


def test_hooks_run_after_the_start_and_before_the_end(space, tmp_path):
    tmp_path.chmod(0o777)
    mounts = {"volumeMounts": [{"name": "host", "mountPath": "/host"}]}
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo post >> /host/order"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo pre >> /host/order"]}},
    }
    script = 'trap "echo term >> /host/order; exit 0" TERM; sleep 1d & wait'
    volumes = [{"name": "host", "hostPath": {"path": str(tmp_path), "type": "Directory"}}]
    space.run(pod("p", container(script, lifecycle=hooks, **mounts), volumes=volumes))
    assert (tmp_path / "order").read_text() == "post\n"
    space.kubectl("delete", "pod", "p")
    assert (tmp_path / "order").read_text() == "post\npre\nterm\n"


def test_a_failing_post_start_hook_ends_the_container(space):
    hooks = {"postStart": {"exec": {"command": ["sh", "-c", "exit 9"]}}}
    space.apply(pod("p", container(lifecycle=hooks)))
    assert "PostStartHook" in space.event("p", "FailedPostStartHook")["message"]
    space.kubectl("delete", "pod", "p", "--timeout=20s")


def test_deletion_while_the_pod_starts(space):
    space.apply(pod("p", initContainers=[container(name="slow")]))
    space.wait("pod/p", "jsonpath={.status.initContainerStatuses[0].started}=true")
    space.kubectl("delete", "pod", "p", "--timeout=20s")


def test_conditions_and_times(space):
    space.run(pod("p"))
    status = space.get("pod", "p")["status"]
    assert {c["type"]: c["status"] for c in status["conditions"]} == dict.fromkeys(
        ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"), "True"
    )
    assert status["podIP"] == status["podIPs"][0]["ip"]
    assert state({"status": status})["imageID"].startswith("sha256:")
    created = datetime.fromisoformat(space.get("pod", "p")["metadata"]["creationTimestamp"])
    started = datetime.fromisoformat(state({"status": status})["state"]["running"]["startedAt"])
    assert (started - created).total_seconds() < 3


def test_a_pod_too_large_for_the_node_waits_and_says_why(space):
    space.apply(pod("p", container(resources={"requests": {"cpu": "9999"}})))
    assert "Insufficient cpu" in space.event("p", "FailedScheduling")["message"]
    assert space.get("pod", "p")["status"]["phase"] == "Pending"


def test_what_the_node_cannot_do_is_refused_with_a_reason(space):
    said = space.refused("apply", "-f", "-", stdin=json.dumps(pod("p", hostUsers=False)))
    assert "hostUsers" in said


@pytest.mark.parametrize(
    ("image", "policy", "reason", "message"),
    [
        ("nowhere:1", "Never", "ErrImageNeverPull", 'image "nowhere:1" is not present with pull policy of Never'),
        ("127.0.0.1:9/nowhere:1", "Always", "ErrImagePull", "127.0.0.1:9/nowhere:1"),
        ("Not An Image", "IfNotPresent", "InvalidImageName", "Not An Image"),
    ],
)
def test_images_that_cannot_be_had(space, image, policy, reason, message):
    space.apply(pod("p", container(image=image, imagePullPolicy=policy)))

    def waiting():
        status = space.get("pod", "p")["status"]
        found = state({"status": status})["state"].get("waiting", {}) if status.get("containerStatuses") else {}
        return found if found.get("reason") in (reason, "ImagePullBackOff") else None

    found = eventually(waiting, f"{reason} in the status")
    assert message in found["message"]

    def warned():
        return any(message in event["message"] for event in space.events("p") if event["type"] == "Warning")

    eventually(warned, "a warning says so, too")
