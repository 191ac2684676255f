"""Startup, readiness and liveness probes, and what hangs on them."""

import json

import pytest
from space import container, deployment, eventually, payment, pod, service

MARK = {"volumeMounts": [{"name": "host", "mountPath": "/host"}]}


@pytest.fixture
def marks(tmp_path):
    """A directory of ours that containers see as /host: files in it are the answers of their probes."""
    directory = tmp_path / "marks"
    directory.mkdir(mode=0o777)
    return directory


def host(marks):
    return {"volumes": [{"name": "host", "hostPath": {"path": str(marks)}}]}


def exists(name, **fields):
    return {"exec": {"command": ["test", "-e", f"/host/{name}"]}, "periodSeconds": 1, **fields}


def ready_addresses(space, name):
    slices = space.get("endpointslices", "", "-l", f"kubernetes.io/service-name={name}")
    return [a for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"] for a in e["addresses"]]


def test_readiness_decides_on_endpoints(space, marks):
    space.apply(
        pod("p", container(readinessProbe=exists("ready", failureThreshold=1), **MARK), **host(marks)), service("p")
    )
    space.wait("pod/p", "jsonpath={.status.phase}=Running")
    assert ready_addresses(space, "p") == []
    (marks / "ready").touch()
    space.wait("pod/p")
    address = space.get("pod", "p")["status"]["podIP"]
    eventually(lambda: ready_addresses(space, "p") == [address], "the Pod among the endpoints")
    (marks / "ready").unlink()
    space.wait("pod/p", "jsonpath={.status.conditions[?(@.type=='Ready')].status}=False")
    eventually(lambda: ready_addresses(space, "p") == [], "the Pod gone from the endpoints")
    assert space.get("pod", "p")["status"]["containerStatuses"][0]["restartCount"] == 0
    assert "Readiness probe failed" in space.event("p", "Unhealthy")["message"]


def test_liveness_restarts(space, marks):
    (marks / "alive").touch()
    space.run(pod("p", container(livenessProbe=exists("alive", failureThreshold=1), **MARK), **host(marks)))
    (marks / "alive").unlink()
    space.wait("pod/p", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    assert "Liveness probe failed" in space.event("p", "Unhealthy")["message"]
    assert "failed liveness probe, will be restarted" in space.event("p", "Killing")["message"]


def test_startup_holds_the_others_back(space, marks):
    probes = {"startupProbe": exists("up", failureThreshold=60), "livenessProbe": exists("up", failureThreshold=1)}
    space.apply(pod("p", container(**probes, **MARK), **host(marks)))
    space.event("p", "Unhealthy")
    status = space.get("pod", "p")["status"]["containerStatuses"][0]
    assert (status["started"], status["ready"], status["restartCount"]) == (False, False, 0)
    (marks / "up").touch()
    space.wait("pod/p")
    assert space.get("pod", "p")["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.mark.parametrize(
    "probe",
    [
        {"httpGet": {"path": "/readyz", "port": "http"}},
        {"httpGet": {"path": "/readyz", "port": 8000, "httpHeaders": [{"name": "X-A", "value": "b"}]}},
        {"tcpSocket": {"port": 8000}},
    ],
    ids=["http, named port", "http, headers", "tcp"],
)
def test_every_way_to_probe(space, probe):
    served = payment(ports=[{"name": "http", "containerPort": 8000}], readinessProbe={**probe, "periodSeconds": 1})
    space.run(pod("p", served))


def test_without_a_probe_a_pod_is_ready_when_its_port_answers(space):
    slow = "sleep 0.7; exec python3 -m http.server 8000"
    space.run(pod("p", container(slow, ports=[{"containerPort": 8000}])))
    running = space.get("pod", "p")["status"]
    address = running["podIP"]
    probe = pod(
        "ask",
        container(f"python3 -c \"import urllib.request as u; print(u.urlopen('http://{address}:8000').status)\""),
        restartPolicy="Never",
    )
    assert space.output(probe) == "200\n"


def test_an_http_probe_that_fails_says_how(space):
    served = payment(readinessProbe={"httpGet": {"path": "/missing", "port": 8000}, "periodSeconds": 1})
    space.apply(pod("p", served))
    wanted = "Readiness probe failed: HTTP probe failed with statuscode: 404"
    eventually(lambda: wanted in [event["message"] for event in space.events("p")], wanted)


def test_min_ready_seconds_delays_availability(space):
    space.apply(deployment("web", minReadySeconds=2))
    space.wait("deployment/web", "jsonpath={.status.readyReplicas}=1")
    assert space.get("deployment", "web")["status"].get("availableReplicas", 0) == 0
    space.wait("deployment/web", "jsonpath={.status.availableReplicas}=1", 10)


def test_grpc_probes_are_refused(space):
    said = space.refused("apply", "-f", "-", stdin=json.dumps(pod("p", container(livenessProbe={"grpc": {"port": 1}}))))
    assert "livenessProbe.grpc" in said
