"""Many Pods at once: up, ready, and gone without a trace."""

import shutil
from pathlib import Path

import pytest
from conftest import GRANDSTAND, run
from space import deployment, eventually

PODS = 100

CONTAINERFILE = """
FROM scratch
COPY busybox /bin/busybox
ENTRYPOINT ["/bin/busybox", "sh", "-c", "trap 'exit 0' TERM; /bin/busybox httpd -f -p 8000 & wait"]
"""


@pytest.fixture(scope="module")
def tiny(engine, tmp_path_factory):
    """An image of nothing but a small server."""
    context = tmp_path_factory.mktemp("tiny")
    busybox = shutil.which("busybox")
    assert busybox, "busybox is missing: run `make setup-dev`"
    shutil.copy2(busybox, context / "busybox")
    (context / "Containerfile").write_text(CONTAINERFILE)
    run([GRANDSTAND, "image", "build", "--data", engine.data, "--tag", "tiny:1", context])
    return "tiny:1"


def traces(engine, uids, containers):
    """Whatever on the machine still names one of the Pods, or is none of the containers that were there before."""
    mounts = Path("/proc/self/mounts").read_text()
    cgroups = {path.name for path in Path("/sys/fs/cgroup").rglob("pod*") if path.is_dir()}
    left = [uid for uid in uids if uid in mounts or f"pod{uid}" in cgroups or (engine.data / "pods" / uid).exists()]
    return left + [path.name for path in (engine.data / "containers").iterdir() if path.name not in containers]


def test_a_hundred_pods(space, engine, tiny):
    containers = {path.name for path in (engine.data / "containers").iterdir()}
    server = {"name": "server", "image": tiny, "ports": [{"containerPort": 8000}]}
    space.apply(deployment("many", server, replicas=PODS, strategy={"type": "Recreate"}))
    space.kubectl("rollout", "status", "deployment/many", "--timeout=90s")
    pods = space.get("pods")
    assert len(pods) == PODS
    assert len({p["status"]["podIP"] for p in pods}) == PODS
    assert sum(c["restartCount"] for p in pods for c in p["status"]["containerStatuses"]) == 0
    uids = [p["metadata"]["uid"] for p in pods]
    space.kubectl("delete", "deployment", "many", "--cascade=foreground", "--timeout=90s")
    eventually(lambda: not traces(engine, uids, containers), "no trace of the Pods is left")
