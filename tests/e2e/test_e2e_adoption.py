"""`kill -9` of the control plane: nothing that runs notices, nothing that was acknowledged is lost."""

import json
import sqlite3
import urllib.request
from contextlib import closing

import processes
from load import Load
from space import IDLE, container, deployment, eventually, payment, pod, service


def identities(space):
    """What must not change: containers by their ids, start times, restarts."""
    return {
        p["metadata"]["name"]: [
            (c["containerID"], c["restartCount"], c["state"]["running"]["startedAt"])
            for c in p["status"]["containerStatuses"]
        ]
        for p in space.get("pods")
    }


def newest_revision(engine):
    """Of the store of an engine that does not run: the oldest that the next one can watch from."""
    with closing(sqlite3.connect(engine.data / "store.sqlite3")) as store:
        return store.execute("SELECT revision FROM store").fetchone()[0]


def test_containers_are_adopted_and_ready_never_flaps(space, engine):
    space.apply(deployment("web", payment(), replicas=3), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    before = identities(space)
    engine.crash()
    version = newest_revision(engine)
    engine.start()
    space.kubectl("rollout", "status", "deployment/web")
    assert identities(space) == before
    # Everything that was written about the Pods since: none may say that one was not ready.
    watch = f"/api/v1/namespaces/{space.name}/pods?watch=true&resourceVersion={version}&timeoutSeconds=1"
    watched = space.kubectl("get", "--raw", watch)
    for line in watched.splitlines():
        event = json.loads(line)
        conditions = {c["type"]: c["status"] for c in event["object"]["status"]["conditions"]}
        assert (event["type"], conditions["Ready"]) == ("MODIFIED", "True")


def test_what_died_meanwhile_is_started_again(space, engine):
    space.apply(deployment("web", payment(), replicas=2))
    space.run(pod("once", container("exec sleep 1d"), restartPolicy="Never"))
    space.kubectl("rollout", "status", "deployment/web")
    victim = space.get("pods", "", "-l", "app=web")[0]
    once = space.get("pod", "once")
    engine.crash()
    processes.kill(victim)
    processes.kill(once, "sleep")
    engine.start()
    name = victim["metadata"]["name"]
    space.wait(f"pod/{name}", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    space.wait(f"pod/{name}")
    space.wait("pod/once", "jsonpath={.status.phase}=Failed")
    terminated = space.get("pod", "once")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert terminated["exitCode"] == 137


def test_what_was_asked_for_is_carried_on(space, engine):
    space.apply(deployment("web", payment(), replicas=2))
    space.kubectl("rollout", "status", "deployment/web")
    space.run(pod("leaving", container(IDLE)))
    space.kubectl("set", "image", "deployment/web", "payment=payment-app:v2")
    space.kubectl("delete", "pod", "leaving", "--wait=false")
    engine.crash()
    engine.start()
    space.kubectl("rollout", "status", "deployment/web")
    living = [p for p in space.get("pods") if "deletionTimestamp" not in p["metadata"]]
    assert {p["spec"]["containers"][0]["image"] for p in living} == {"payment-app:v2"}
    eventually(lambda: space.try_kubectl("get", "pod", "leaving").code == 1, "the Pod that was being deleted is gone")


def test_logs_and_probes_go_on(space, engine):
    script = "python3 -uc 'import time\nfor n in range(10**6): print(n); time.sleep(0.01)'"
    space.run(pod("p", container(script, livenessProbe={"exec": {"command": ["true"]}, "periodSeconds": 1})))
    engine.crash()
    engine.start()
    following = space.start("logs", "--follow", "p")
    try:
        numbers = [int(following.stdout.readline()) for _ in range(300)]
    finally:
        following.kill()
        following.communicate()
    assert numbers == list(range(300))
    assert space.get("pod", "p")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_no_request_is_lost_while_the_control_plane_is_away(space, engine):
    space.apply(deployment("web", payment(), replicas=2), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    host = f"web.{space.name}.localhost"

    def answers():
        try:
            asked = urllib.request.Request(engine.gateway, headers={"Host": host})
            return urllib.request.urlopen(asked, timeout=5).status == 200
        except OSError:
            return False

    eventually(answers, "the gateway answers")
    before = identities(space)
    with Load(engine.gateway, host) as load:
        engine.crash()
        assert answers()
        engine.start()
        space.kubectl("rollout", "status", "deployment/web")
    assert load.answers.failures == {}
    assert load.answers.by_status[200] > 300
    assert identities(space) == before
