"""An engine of a benchmark's own: started as a user would, watched from outside, and removed with all that it made."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grandstand.client.remote import RemoteClient
from grandstand.engine import engine_id
from grandstand.kinds import Key, Object
from grandstand.kinds.resources import PODS
from grandstand.reconcile.informer import Informer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from leftovers import leftovers  # noqa: E402

PROGRAMS = Path(sys.executable).parent
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAYMENT = "payment-app:v1"
PAYMENT_PORT = 8000

# Python without its library: starts in some 15 ms, so that what is measured is not the program.
SMALL_SERVER = r"""
import _signal, _socket, os
_signal.signal(15, lambda *_: os._exit(0))
listener = _socket.socket()
listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
listener.bind(("", int(os.environ.get("PORT", "8000"))))
listener.listen(128)
while True:
    client = _socket.socket(fileno=listener._accept()[0])
    client.recv(65536)
    client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
    client.close()
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: CPU seconds since its start, and memory now."""

    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """A running engine."""

    data: Path
    gateway_port: int

    @property
    def kubeconfig(self) -> Path:
        return self.data / "kubeconfig"

    @property
    def prefix(self) -> str:
        return f"gs-{engine_id(self.data)}"

    @property
    def pid(self) -> int:
        return int((self.data / "lock").read_text())

    def grandstand(self, *arguments: str | Path) -> str:
        return _run([PROGRAMS / "grandstand", arguments[0], "--data", self.data, *arguments[1:]])

    def client(self) -> RemoteClient:
        return RemoteClient.from_kubeconfig(self.kubeconfig)

    def usage(self) -> Usage:
        """The engine's own: neither HAProxy's nor the monitors'."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
        return Usage(seconds, int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))

    def traces(self) -> set[str]:
        """Everything on the machine that the engine has made."""
        return set(leftovers(self.data))


@contextmanager
def engine() -> Iterator[Place]:
    """A new engine with the example's images, on free ports; nothing of it is left afterwards. Needs root."""
    if os.geteuid() != 0:
        raise SystemExit("this benchmark runs containers: start it as root")
    # Not in the directory for temporary files, which may be a tmpfs: overlays and the store belong on a disk.
    data = Path(tempfile.mkdtemp(prefix="gs-bench-", dir="/var/tmp"))
    try:
        place = start(data)
        environment = {**os.environ, "GRANDSTAND": str(PROGRAMS / "grandstand"), "GRANDSTAND_DATA": str(data)}
        _run([ROOT / "examples/01-payment-service/build"], env=environment)
        yield place
    finally:
        subprocess.run([PROGRAMS / "grandstand", "down", "--data", data], check=False, capture_output=True)
        left = leftovers(data)
        shutil.rmtree(data, ignore_errors=True)
    if left:
        raise SystemExit("the engine left behind:\n" + "\n".join(left))


def start(data: Path) -> Place:
    """Start the engine of a data directory, again or for the first time."""
    ports = ["--api-port", "0", "--gateway-port", "0", "--gateway-tls-port", "0", "--lambda-port", "0"]
    wanted = [] if (data / "engine.json").exists() else ports
    said = json.loads(_run([PROGRAMS / "grandstand", "up", "--data", data, "--detach", "-o", "json", *wanted]))
    return Place(data, int(said["gateway"].rpartition(":")[2]))


def _run(command: list[str | Path], **settings: object) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, **settings)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return str(done.stdout)


def small_server(name: str) -> Object:
    """A Pod that answers every connection, and that is ready when it accepts one."""
    container = {
        "name": "server",
        "image": "localhost/debian-python:12",
        "command": ["python3", "-S", "-E", "-c", SMALL_SERVER],
        "ports": [{"containerPort": 8000}],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 5}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def payment(name: str) -> Object:
    """A Pod of the example's payment service."""
    probe = {"httpGet": {"path": "/readyz", "port": PAYMENT_PORT}, "periodSeconds": 1}
    container = {
        "name": "payment",
        "image": PAYMENT,
        "ports": [{"containerPort": PAYMENT_PORT}],
        "readinessProbe": probe,
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 5}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def running(pod: Object) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return bool(statuses) and all("running" in status["state"] for status in statuses)


def ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def container_id(pod: Object) -> str:
    return str(pod["status"]["containerStatuses"][0]["containerID"]).rpartition("/")[2]


class Sight:
    """When each Pod of the namespace `default` was first seen running, ready, and gone, by an ordinary watch."""

    def __init__(self, client: RemoteClient) -> None:
        self._pods = Informer(client, PODS, namespace="default")
        self._changed = asyncio.Event()
        self.pods: dict[str, Object] = {}
        self.running: dict[str, float] = {}
        self.ready: dict[str, float] = {}
        self.gone: dict[str, float] = {}

    async def __aenter__(self) -> Sight:
        self._task = asyncio.create_task(self._pods.run())
        await self._pods.synced()
        self._pods.subscribe(self._take)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def until(self, names: Iterable[str], seen: Mapping[str, float], seconds: float = 300.0) -> None:
        """Return when all have been seen so. Raises TimeoutError."""
        wanted = set(names)
        async with asyncio.timeout(seconds):
            while wanted - seen.keys():
                self._changed.clear()
                await self._changed.wait()

    def _take(self, key: Key, before: Object | None, after: Object | None) -> None:
        now = time.time()
        if after is None:
            self.gone.setdefault(key.name, now)
        else:
            self.pods[key.name] = after
            if running(after):
                self.running.setdefault(key.name, now)
            if ready(after):
                self.ready.setdefault(key.name, now)
        self._changed.set()
