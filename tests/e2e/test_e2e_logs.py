"""kubectl logs: every option, and what it says when there is nothing to show."""

import re

import pytest
from space import IDLE, container, pod

COUNT = "for i in 1 2 3 4 5; do echo line $i; done; echo wrong >&2; " + IDLE


def test_all_tail_and_timestamps(space):
    space.run(pod("p", container(COUNT)))
    lines = space.kubectl("logs", "p").splitlines()
    assert sorted(lines) == ["line 1", "line 2", "line 3", "line 4", "line 5", "wrong"]
    assert space.kubectl("logs", "p", "--tail=2").splitlines() == lines[-2:]
    assert space.kubectl("logs", "p", "--tail=0") == ""
    assert len(space.kubectl("logs", "p", "--limit-bytes=10")) == 10
    stamped = space.kubectl("logs", "p", "--timestamps").splitlines()
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT[0-9:]+\.\d+\S* (line \d|wrong)", line) for line in stamped), stamped


def test_since(space):
    space.run(pod("p", container("echo old; sleep 2.2; echo new; " + IDLE)))
    following = space.start("logs", "p", "--follow")
    try:
        while following.stdout.readline() != "new\n":
            assert following.poll() is None, "logs --follow ended before the second line"
    finally:
        following.kill()
        following.communicate()
    assert space.kubectl("logs", "p", "--since=2s").splitlines() == ["new"]
    assert space.kubectl("logs", "p", "--since=1h").splitlines() == ["old", "new"]
    assert space.kubectl("logs", "p", "--since-time=2020-01-01T00:00:00Z").splitlines() == ["old", "new"]


def test_follow_shows_lines_as_they_come_and_ends_with_the_container(space):
    space.apply(
        pod(
            "p",
            container(
                "echo first; read word < /pipe/p; echo $word", volumeMounts=[{"name": "pipe", "mountPath": "/pipe"}]
            ),
            restartPolicy="Never",
            initContainers=[container("mkfifo /pipe/p", "make", volumeMounts=[{"name": "pipe", "mountPath": "/pipe"}])],
            volumes=[{"name": "pipe", "emptyDir": {}}],
        )
    )
    space.wait("pod/p")
    following = space.start("logs", "--follow", "p", "-c", "main")
    try:
        assert following.stdout.readline() == "first\n"
        volumes = space.kubeconfig.parent / "pods" / space.get("pod", "p")["metadata"]["uid"] / "volumes"
        (pipe,) = volumes.rglob("p")
        pipe.write_text("second\n")
        out, error = following.communicate(timeout=20)
    finally:
        following.kill()
    assert (out, error, following.returncode) == ("second\n", "", 0)


def test_previous_run(space):
    script = "test -e /mark/ran && { echo again; " + IDLE + "; }; touch /mark/ran; echo first; exit 3"
    mount = [{"name": "mark", "mountPath": "/mark"}]
    space.apply(pod("p", container(script, volumeMounts=mount), volumes=[{"name": "mark", "emptyDir": {}}]))
    space.wait("pod/p", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    space.wait("pod/p")
    assert space.kubectl("logs", "p", "--previous") == "first\n"
    assert space.kubectl("logs", "p") == "again\n"


def test_several_containers(space):
    space.run(
        pod(
            "p",
            container("echo a; " + IDLE, "a"),
            container("echo b; " + IDLE, "b"),
            initContainers=[container("echo i", "i")],
        )
    )
    assert space.kubectl("logs", "p", "-c", "b") == "b\n"
    assert space.kubectl("logs", "p", "-c", "i") == "i\n"
    assert 'Defaulted container "a" out of: a, b, i (init)' in space.try_kubectl("logs", "p").error
    lines = space.kubectl("logs", "p", "--all-containers", "--prefix").splitlines()
    assert sorted(lines) == ["[pod/p/a] a", "[pod/p/b] b", "[pod/p/i] i"]
    assert sorted(space.kubectl("logs", "-l", "app=p", "--all-containers").split()) == ["a", "b", "i"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing",), 'pods "missing" not found'),
        (("p", "-c", "other"), "container other is not valid for pod p"),
        (("p", "--previous"), 'previous terminated container "main" in pod "p" not found'),
    ],
    ids=["no Pod", "no container", "no previous run"],
)
def test_what_is_not_there_is_named(space, arguments, message):
    space.run(pod("p"))
    assert message in space.refused("logs", *arguments)


def test_of_a_container_that_waits(space):
    space.apply(pod("p", container(image="nowhere:1", imagePullPolicy="Never")))
    space.event("p", "ErrImageNeverPull")
    assert 'container "main" in pod "p" is waiting to start: ErrImageNeverPull' in space.refused("logs", "p")


def test_long_lines_and_bytes_come_through(space):
    space.apply(pod("p", container('python3 -c \'print("x" * 50000); print("é")\''), restartPolicy="Never"))
    space.wait("pod/p", "jsonpath={.status.phase}=Succeeded")
    assert space.kubectl("logs", "p") == "x" * 50_000 + "\né\n"
