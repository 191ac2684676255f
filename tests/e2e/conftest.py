"""One engine for all end-to-end tests: started as a user would, and checked afterwards for what it leaves behind."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from leftovers import leftovers

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
GRANDSTAND = PROGRAMS / "grandstand"
KUBECTL = PROGRAMS / "kubectl"


@dataclass(frozen=True)
class Place:
    """A running engine, as `grandstand up --detach -o json` describes it."""

    data: Path
    api: str
    gateway: str
    gateway_tls: str
    kubeconfig: Path

    @property
    def gateway_port(self) -> int:
        return int(self.gateway.rsplit(":", 1)[1])

    def grandstand(self, *arguments, check=True, **settings):
        command, *rest = arguments
        return run([GRANDSTAND, command, "--data", self.data, *rest], check=check, **settings)

    def kubectl(self, *arguments, check=True, **settings):
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        return run([KUBECTL, *arguments], check=check, env=environment, **settings)


def run(command, *, check=True, timeout=120, **settings):
    """Run a program; when it fails, the failure shows what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, **settings)
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def start(data: Path) -> Place:
    """Start an engine on free ports, or take up a stopped one on its own."""
    ports = (
        [] if (data / "engine.json").exists() else ["--api-port", "0", "--gateway-port", "0", "--gateway-tls-port", "0"]
    )
    said = json.loads(run([GRANDSTAND, "up", "--data", data, "--detach", "-o", "json", *ports]).stdout)
    return Place(data, said["api"], said["gateway"], said["gatewayTLS"], Path(said["kubeconfig"]))


@pytest.fixture(scope="session")
def engine():
    # Not below pytest's own temporary directory: the paths of sockets may have 107 characters.
    data = Path(tempfile.mkdtemp(prefix="gs-", dir="/var/tmp"))
    try:
        place = start(data)
        environment = {**os.environ, "GRANDSTAND": f"{GRANDSTAND}", "GRANDSTAND_DATA": str(data)}
        run([ROOT / "examples/01-payment-service/build"], env=environment, timeout=300)
        yield place
    finally:
        run([GRANDSTAND, "down", "--data", data], check=False)
        found = leftovers(data)
        log = (data / "engine.log").read_text() if (data / "engine.log").exists() else ""
        print(log[-20_000:])
        shutil.rmtree(data, ignore_errors=True)
    assert found == [], "the engine left things behind on the machine"


@pytest.fixture
def namespace(engine, request):
    """A namespace of the test's own, deleted afterwards with all that is in it."""
    name = f"t-{abs(hash(request.node.nodeid)) % 10**8}"
    engine.kubectl("create", "namespace", name)
    yield name
    engine.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(engine, namespace):
    """The real kubectl in the test's own namespace; returns what it printed."""

    def call(*arguments, check=True, **settings):
        done = engine.kubectl("--namespace", namespace, *arguments, check=check, **settings)
        return done.stdout if check else done

    return call


def pytest_collection_modifyitems(items):
    # All on one xdist worker: they share the engine.
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.xdist_group("engine"))
