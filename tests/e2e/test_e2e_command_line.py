"""The grandstand command as a user meets it: everyday verbs, and the errors that say what to do."""

import json
import os
import socket
import subprocess

import pytest
import yaml
from conftest import GRANDSTAND, KUBECTL, ROOT, run, start
from leftovers import leftovers
from space import Space, container, deployment, pod

MANIFESTS = ROOT / "examples/01-payment-service/manifests"


def refused(*command, **settings):
    """What a command said on stderr when it failed; never a traceback."""
    done = run(command, check=False, **settings)
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_status_says_where_things_are(engine, space):
    space.apply(deployment("web"))
    space.kubectl("rollout", "status", "deployment/web")
    said = json.loads(engine.grandstand("status", "-o", "json").stdout)
    assert said["running"]
    assert said["api"] == engine.api
    row = {"namespace": space.name, "deployment": "web", "ready": 1, "wanted": 1}
    assert row in said["workloads"]
    assert f"{space.name}/web  1/1 ready" in engine.grandstand("status").stdout


def test_apply_get_logs_delete_without_kubectl(engine, space):
    here = ("--namespace", space.name)
    said = engine.grandstand("apply", *here, "-f", MANIFESTS).stdout
    assert "deployment/payment-service applied" in said
    space.kubectl("rollout", "status", "deployment/payment-service")
    rows = [line.split() for line in engine.grandstand("get", *here, "deploy").stdout.splitlines()]
    assert rows[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert rows[1][:2] == ["payment-service", "3/3"]
    found = json.loads(engine.grandstand("get", *here, "pods", "-o", "json").stdout)["items"]
    assert len(found) == 3
    said = engine.grandstand("logs", *here, found[0]["metadata"]["name"]).stdout
    assert said == "payment v1 listens on port 8000\n"
    for target in ("deploy/payment-service", "svc/payment-service"):
        done = engine.grandstand("logs", *here, target)
        assert done.stdout == "payment v1 listens on port 8000\n"
        assert done.stderr.startswith("Found 3 pods, using pod/payment-service-")
    said = engine.grandstand("logs", *here, "-l", "app=payment", "--prefix").stdout.splitlines()
    names = sorted(pod["metadata"]["name"] for pod in found)
    assert sorted(said) == [f"[pod/{name}/payment] payment v1 listens on port 8000" for name in names]
    assert (
        yaml.safe_load(engine.grandstand("get", *here, "svc", "payment-service", "-o", "yaml").stdout)["kind"]
        == "Service"
    )
    engine.grandstand("delete", *here, "-f", MANIFESTS)
    space.kubectl("wait", "--for=delete", "pod", "--all", "--timeout=60s")
    assert 'deployments.apps "payment-service" not found' in refused(
        GRANDSTAND, "get", "--data", engine.data, *here, "deploy", "payment-service"
    )


def test_a_dry_run_and_a_wrong_manifest(engine, space, tmp_path):
    (tmp_path / "wrong.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndatum: {}\n")
    said = refused(GRANDSTAND, "apply", "--data", engine.data, "-n", space.name, "-f", tmp_path / "wrong.yaml")
    assert "datum" in said
    said = engine.grandstand("apply", "-n", space.name, "-f", MANIFESTS, "--dry-run").stdout
    assert "dry run" in said
    assert space.get("deployments") == []


def test_images(engine, tmp_path):
    done = run([GRANDSTAND, "image", "ls", "--data", engine.data, "-o", "json"])
    names = {name for image in json.loads(done.stdout) for name in image["references"]}
    assert any("payment-app:v1" in name for name in names)
    (tmp_path / "Containerfile").write_text("FROM localhost/debian-python:12\nRUN echo built > /built\n")
    done = run([GRANDSTAND, "image", "build", "--data", engine.data, "--tag", "small:1", tmp_path])
    assert "STEP 2/3: RUN echo built > /built" in done.stderr
    assert done.stdout.splitlines()[0].startswith("small:1 ")
    assert "small:1" in run([GRANDSTAND, "image", "ls", "--data", engine.data]).stdout
    run([GRANDSTAND, "image", "rm", "--data", engine.data, "small:1"])
    assert "small:1" not in run([GRANDSTAND, "image", "ls", "--data", engine.data]).stdout


def test_a_freshly_built_image_runs(engine, space, tmp_path):
    (tmp_path / "Containerfile").write_text(
        'FROM localhost/debian-python:12\nRUN echo built > /built\nCMD ["cat", "/built"]\n'
    )
    run([GRANDSTAND, "image", "build", "--data", engine.data, "--tag", f"{space.name}:1", tmp_path])
    made = pod("p", {"name": "main", "image": f"{space.name}:1"}, restartPolicy="Never")
    assert space.output(made) == "built\n"


def test_the_kubeconfig(engine):
    assert engine.grandstand("kubeconfig", "--path").stdout.strip() == str(engine.kubeconfig)
    assert yaml.safe_load(engine.grandstand("kubeconfig").stdout)["clusters"][0]["cluster"]["server"] == engine.api


@pytest.mark.parametrize("detach", [True, False], ids=["detached", "in the foreground"])
def test_a_second_start_on_the_same_data_is_refused(engine, detach):
    said = refused(GRANDSTAND, "up", "--data", engine.data, *(["--detach"] if detach else []))
    assert f"An engine already runs on {engine.data} (process {engine.process})" in said


@pytest.mark.parametrize("arguments", [("up",), ("down",), ("image", "ls")], ids=" ".join)
def test_without_root_it_says_sudo(arguments, tmp_path):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = run([*nobody, GRANDSTAND, *arguments, "--data", tmp_path / "data"], check=False)
    if "Permission denied" in done.stderr and "sudo" not in done.stderr:
        pytest.skip("the virtual environment lies where other users may not look")
    assert done.returncode == 1
    assert "sudo" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(other_data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = ["--gateway-port", "0", "--gateway-tls-port", "0", "--lambda-port", "0"]
        said = refused(GRANDSTAND, "up", "--data", other_data, "--detach", "--api-port", port, *free)
    assert f"Port {port} on 127.0.0.1 is taken" in said
    assert "--api-port" in said


def test_missing_programs_are_named_with_their_packages(tmp_path):
    environment = {"PATH": str(tmp_path)}
    program = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        f"mount --bind {tmp_path} /usr/sbin && exec {GRANDSTAND} up --data {tmp_path}/data",
    ]
    done = subprocess.run(
        program, capture_output=True, text=True, check=False, env={**os.environ, **environment, "PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 1
    assert "Programs are missing" in done.stderr
    assert "apt-get install" in done.stderr
    assert "nftables" in done.stderr


@pytest.mark.parametrize("command", [("status",), ("down",), ("kubeconfig",), ("get", "pods")], ids=" ".join)
def test_where_there_is_no_engine(command, tmp_path):
    verb, *rest = command
    assert f"There is no engine in {tmp_path}" in refused(GRANDSTAND, verb, "--data", tmp_path, *rest)


@pytest.mark.parametrize("command", [("ls",), ("rm", "payment-app:v1")], ids=" ".join)
def test_reading_images_makes_no_data_directory(command, tmp_path):
    verb, *rest = command
    said = refused(GRANDSTAND, "image", verb, "--data", tmp_path / "none", *rest)
    assert f"There is no engine in {tmp_path}/none" in said
    assert "grandstand up" in said
    assert not (tmp_path / "none").exists()


def test_a_second_engine_from_up_to_down(engine, space, other_data, tmp_path):
    """Side by side with the first; stopped and started in both ways; gone without a trace."""
    second = start(other_data)
    run([GRANDSTAND, "image", "base", "--data", other_data])
    assert second.api != engine.api
    there = Space(KUBECTL, second.kubeconfig, "default", tmp_path)
    there.apply(deployment("web", container('trap "exit 0" TERM; echo up; sleep 1d & wait'), replicas=2))
    there.kubectl("rollout", "status", "deployment/web")
    assert "web" not in space.kubectl("get", "deployments", "-n", "default", "-o", "name")

    def ids():
        pods = there.get("pods")
        return sorted((p["metadata"]["name"], p["status"]["containerStatuses"][0]["containerID"]) for p in pods)

    before = ids()
    assert "containers and gateway go on" in second.grandstand("down", "--keep-containers").stdout
    done = second.grandstand("status", "-o", "json", check=False)
    assert (done.returncode, json.loads(done.stdout)["running"]) == (3, False)
    assert any("conmon" in line for line in leftovers(other_data))
    assert second.start().api == second.api
    there.kubectl("rollout", "status", "deployment/web")
    assert ids() == before

    second.grandstand("down")
    assert leftovers(other_data) == []
    second.start()
    there.kubectl("rollout", "status", "deployment/web")
    assert [name for name, _ in ids()] == [name for name, _ in before]
    assert not {container for _, container in ids()} & {container for _, container in before}
    assert there.get("pods")[0]["status"]["containerStatuses"][0]["restartCount"] == 1
    # Also when the control plane is dead, `down` leaves nothing.
    second.crash()
    assert "was not running" in second.grandstand("down").stdout
    assert leftovers(other_data) == []
