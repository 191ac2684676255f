"""One engine for all end-to-end tests: started as a user would, and checked afterwards for what it leaves behind."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from leftovers import leftovers
from space import Space

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

    @property
    def process(self) -> int:
        """The control plane's process."""
        return json.loads(self.grandstand("status", "-o", "json").stdout)["process"]

    def crash(self) -> None:
        """Kill the control plane as the kernel would: `kill -9`."""
        descriptor = os.pidfd_open(process := self.process)
        try:
            os.kill(process, signal.SIGKILL)
            select.select([descriptor], [], [], 10)
        finally:
            os.close(descriptor)

    def start(self) -> "Place":
        return start(self.data)

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
    free = ["--api-port", "0", "--gateway-port", "0", "--gateway-tls-port", "0", "--lambda-port", "0"]
    ports = [] if (data / "engine.json").exists() else free
    said = json.loads(run([GRANDSTAND, "up", "--data", data, "--detach", "-o", "json", *ports]).stdout)
    return Place(data, said["api"], said["gateway"], said["gatewayTLS"], Path(said["kubeconfig"]))


def new_data() -> Path:
    # Not below pytest's own temporary directory: the paths of sockets may have 107 characters.
    return Path(tempfile.mkdtemp(prefix="gs-", dir="/var/tmp"))


def end(data: Path) -> list[str]:
    """End an engine; returns what it has left behind on the machine, and each traceback in its log."""
    run([GRANDSTAND, "down", "--data", data], check=False)
    found = leftovers(data)
    log = (data / "engine.log").read_text() if (data / "engine.log").exists() else ""
    print(log[-20_000:])
    shutil.rmtree(data, ignore_errors=True)
    return found + [f"log: {line}" for line in log.splitlines() if line.startswith("Traceback")]


@pytest.fixture(scope="session")
def engine():
    data = new_data()
    try:
        place = start(data)
        environment = {**os.environ, "GRANDSTAND": f"{GRANDSTAND}", "GRANDSTAND_DATA": str(data)}
        run([ROOT / "examples/01-payment-service/build"], env=environment, timeout=300)
        yield place
    finally:
        found = end(data)
    assert found == [], "the engine left things behind on the machine"


@pytest.fixture
def other_data():
    """A data directory for a second engine; whatever runs there is ended."""
    data = new_data()
    try:
        yield data
    finally:
        found = end(data)
    assert found == [], "the second engine left things behind on the machine"


@pytest.fixture
def space(engine, request, tmp_path):
    """A namespace of the test's own, deleted afterwards with all that is in it."""
    name = f"t-{zlib.crc32(request.node.nodeid.encode()):08x}"
    engine.kubectl("create", "namespace", name)
    yield Space(KUBECTL, engine.kubeconfig, name, tmp_path)
    engine.kubectl("delete", "namespace", name, "--wait=false")


def pytest_collection_modifyitems(items):
    # All on one xdist worker: they share the engine.
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.xdist_group("engine"))
