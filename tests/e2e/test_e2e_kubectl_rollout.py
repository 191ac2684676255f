"""Deployments as kubectl drives them: scale, roll out, pause, undo, restart."""

import processes
import pytest
from space import container, deployment, documents, eventually, payment


def living(space):
    """The Pods that are not on their way out."""
    return [p for p in space.get("pods") if "deletionTimestamp" not in p["metadata"]]


def images(space):
    return {p["spec"]["containers"][0]["image"] for p in living(space)}


def rolled(space, target="deployment/web", seconds=60):
    return space.kubectl("rollout", "status", target, f"--timeout={seconds}s")


def revision(space, name="web"):
    return space.get("deployment", name)["metadata"]["annotations"]["deployment.kubernetes.io/revision"]


def test_scale_up_and_down(space):
    space.apply(deployment("web"))
    rolled(space)
    assert "scaled" in space.kubectl("scale", "deployment/web", "--replicas=4", "--current-replicas=1")
    rolled(space)
    space.wait("deployment/web", "jsonpath={.status.readyReplicas}=4")
    assert "Expected replicas to be 1, was 4" in space.refused(
        "scale", "deployment/web", "--replicas=2", "--current-replicas=1"
    )
    space.kubectl("scale", "deployment/web", "--replicas=0")
    space.kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=30s")
    assert space.get("deployment", "web")["status"].get("readyReplicas", 0) == 0


def test_rolling_update_history_and_undo(space):
    space.apply(deployment("web", payment(), replicas=3))
    rolled(space)
    space.kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=first")
    space.kubectl("set", "image", "deployment/web", "payment=payment-app:v2")
    space.kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=second", "--overwrite")
    assert 'deployment "web" successfully rolled out' in rolled(space)
    assert images(space) == {"payment-app:v2"}
    eventually(lambda: "second" in space.kubectl("rollout", "history", "deployment/web"), "the cause of revision 2")
    rows = [line.split() for line in space.kubectl("rollout", "history", "deployment/web").splitlines()[2:] if line]
    assert rows == [["1", "first"], ["2", "second"]]
    assert "payment-app:v1" in space.kubectl("rollout", "history", "deployment/web", "--revision=1")

    assert "rolled back" in space.kubectl("rollout", "undo", "deployment/web")
    rolled(space)
    assert images(space) == {"payment-app:v1"}
    assert revision(space) == "3"
    space.kubectl("rollout", "undo", "deployment/web", "--to-revision=2")
    rolled(space)
    assert images(space) == {"payment-app:v2"}
    assert len(space.get("replicasets")) == 2


def test_never_fewer_than_allowed_nor_more(space):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    space.apply(deployment("web", payment(), replicas=3, strategy=strategy))
    rolled(space)
    watching = space.start("get", "deployment", "web", "--watch", "-o", "json", "--output-watch-events")
    try:
        space.kubectl("set", "image", "deployment/web", "payment=payment-app:v2")
        rolled(space)
    finally:
        watching.terminate()
    text, _ = watching.communicate()
    seen = [event["object"]["status"] for event in documents(text)]
    assert min(status.get("availableReplicas", 0) for status in seen) == 3
    assert max(status.get("replicas", 0) for status in seen) == 4


def test_pause_collects_changes_and_resume_rolls_once(space):
    space.apply(deployment("web", payment()))
    rolled(space)
    space.kubectl("rollout", "pause", "deployment/web")
    space.kubectl("set", "image", "deployment/web", "payment=payment-app:v2")
    space.kubectl("set", "env", "deployment/web", "COLOUR=green")
    space.wait("deployment/web", "jsonpath={.status.observedGeneration}=4")
    assert len(space.get("replicasets")) == 1
    space.kubectl("rollout", "resume", "deployment/web")
    rolled(space)
    assert revision(space) == "2"
    assert images(space) == {"payment-app:v2"}


def test_restart_replaces_every_pod(space):
    space.apply(deployment("web", replicas=2))
    rolled(space)
    before = {p["metadata"]["uid"] for p in space.get("pods")}
    space.kubectl("rollout", "restart", "deployment/web")
    rolled(space)
    after = {p["metadata"]["uid"] for p in living(space)}
    assert not before & after
    assert len(after) == 2


def test_recreate_never_runs_two_versions(space):
    space.apply(deployment("web", payment(), replicas=2, strategy={"type": "Recreate"}))
    rolled(space)
    old = {p["metadata"]["name"] for p in space.get("pods")}
    watching = space.start("get", "pods", "--watch", "--output-watch-events", "-o", "json")
    try:
        space.kubectl("set", "image", "deployment/web", "payment=payment-app:v2")
        rolled(space)
    finally:
        watching.terminate()
    text, _ = watching.communicate()
    alive = set()
    for event in documents(text):
        name, phase = event["object"]["metadata"]["name"], event["object"]["status"].get("phase")
        # As in Kubernetes, a Pod whose containers have ended is out of the way before it is deleted.
        ended = event["type"] == "DELETED" or phase in ("Succeeded", "Failed")
        alive = alive - {name} if ended else alive | {name}
        assert alive <= old or not alive & old, alive
    assert images(space) == {"payment-app:v2"}


def test_a_broken_version_stops_the_rollout_and_keeps_the_old_one(space):
    space.apply(deployment("web", payment(), replicas=2, progressDeadlineSeconds=2))
    rolled(space)
    space.kubectl("set", "image", "deployment/web", "payment=payment-app:nonexistent")
    said = space.refused("rollout", "status", "deployment/web", "--timeout=30s")
    assert "exceeded its progress deadline" in said
    status = space.get("deployment", "web")["status"]
    assert status["availableReplicas"] == 2
    assert {c["type"]: c["reason"] for c in status["conditions"]}["Progressing"] == "ProgressDeadlineExceeded"
    space.kubectl("rollout", "undo", "deployment/web")
    rolled(space)
    assert images(space) == {"payment-app:v1"}


def test_a_rollover_abandons_the_version_between(space):
    space.apply(deployment("web", payment(), replicas=2))
    rolled(space)
    space.kubectl("set", "image", "deployment/web", "payment=payment-app:nonexistent")
    space.kubectl("wait", "--for=jsonpath={.status.updatedReplicas}=1", "deployment/web", "--timeout=20s")
    space.kubectl("set", "image", "deployment/web", "payment=payment-app:v2")
    rolled(space)
    assert images(space) == {"payment-app:v2"}


def test_old_revisions_are_forgotten(space):
    space.apply(deployment("web", revisionHistoryLimit=1))
    rolled(space)
    for number in range(3):
        space.kubectl("set", "env", "deployment/web", f"N={number}")
        rolled(space)
    eventually(lambda: len(space.get("replicasets")) == 2, "only one old ReplicaSet is left")


@pytest.mark.parametrize("how", ["killed", "deleted"])
def test_what_dies_comes_back(space, how):
    space.apply(deployment("web", payment(), replicas=3))
    rolled(space)
    victim = space.get("pods")[0]
    if how == "deleted":
        space.kubectl("delete", "pod", victim["metadata"]["name"])
        rolled(space)
        assert victim["metadata"]["uid"] not in {p["metadata"]["uid"] for p in living(space)}
    else:
        processes.kill(victim)
        target = f"pod/{victim['metadata']['name']}"
        space.wait(target, "jsonpath={.status.containerStatuses[0].restartCount}=1")
        space.wait(target)
        last = space.get("pod", victim["metadata"]["name"])["status"]["containerStatuses"][0]["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (137, "Error")
    assert len(living(space)) == 3


def test_set_resources_and_selector_scaling(space):
    space.apply(deployment("web", container(name="main")))
    space.kubectl("set", "resources", "deployment/web", "--requests=cpu=10m,memory=8Mi", "--limits=memory=64Mi")
    rolled(space)
    (newest,) = living(space)
    assert newest["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "10m", "memory": "8Mi"},
        "limits": {"memory": "64Mi"},
    }
    assert newest["status"]["qosClass"] == "Burstable"
