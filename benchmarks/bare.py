"""The same containers without Grandstand: conmon and runc by hand, and the program alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "LC_ALL": "C"}
RETRY_SECONDS = 0.0005
CGROUP = f"gs-bare-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Bare:
    """Containers made from the bundle of one that the engine runs: its root, limits, seccomp filter, mounts."""

    bundle: Path
    """Of the engine's container."""
    directory: Path
    """For the state of ours."""
    own_network: bool = False
    """Network, IPC and host name of their own; else those of the engine's container."""

    def create(self, name: str) -> None:
        """conmon, which runs `runc create`: returns when that has worked."""
        home = self._home(name)
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        with os.fdopen(read_end, "rb") as report:
            command = [
                *("conmon", "--api-version", "1", "--cid", name, "--cuuid", name, "--name", name),
                *("--runtime", _path("runc"), "--runtime-arg", f"--root={self._state}", "--bundle", str(home)),
                *("--persist-dir", str(home), "--full-attach", "--no-sync-log", "--log-path", f"k8s-file:{home}/log"),
                *("--conmon-pidfile", str(home / "monitor"), "--container-pidfile", str(home / "pid")),
            ]
            environment = {**ENVIRONMENT, "_OCI_SYNCPIPE": str(write_end)}
            _quiet(command, env=environment, cwd=home, pass_fds=(write_end,))
            os.close(write_end)
            said = json.loads(report.readline())
        if said["data"] <= 0:
            raise SystemExit(f"runc did not create a container: {said}")

    def start(self, name: str) -> None:
        _quiet(["runc", f"--root={self._state}", "start", name], env=ENVIRONMENT)

    def run_detached(self, name: str) -> None:
        """`runc run --detach`: without a monitor nobody would learn of its end."""
        _quiet(
            ["runc", f"--root={self._state}", "run", "--detach", "--bundle", self._home(name), name], env=ENVIRONMENT
        )

    def delete(self, name: str) -> None:
        _quiet(["runc", f"--root={self._state}", "delete", "--force", name], env=ENVIRONMENT)

    @property
    def _state(self) -> Path:
        return self.directory / "state"

    def _home(self, name: str) -> Path:
        home = self.directory / name
        home.mkdir(parents=True)
        config = json.loads((self.bundle / "config.json").read_bytes())
        config["linux"]["cgroupsPath"] = f"/{CGROUP}/{name}"
        if self.own_network:
            config["linux"]["namespaces"] = [{"type": n["type"]} for n in config["linux"]["namespaces"]]
        (home / "config.json").write_text(json.dumps(config))
        return home


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory for our containers; afterwards none of them is left, nor the cgroup that they were in."""
    with tempfile.TemporaryDirectory(prefix="gs-bare-", dir="/var/tmp") as directory:
        try:
            yield Path(directory)
        finally:
            for state in Path(directory, "state").glob("*"):
                _quiet(["runc", f"--root={state.parent}", "delete", "--force", state.name], env=ENVIRONMENT)
            for cgroup in Path("/sys/fs/cgroup").glob(f"**/{CGROUP}"):
                cgroup.rmdir()


def _quiet(command: Sequence[str | Path], **settings: object) -> None:
    null = subprocess.DEVNULL
    subprocess.run(command, check=True, stdin=null, stdout=null, stderr=null, **settings)  # type: ignore[call-overload]


def _path(program: str) -> str:
    return subprocess.run(["which", program], check=True, capture_output=True, text=True).stdout.strip()


def until_accepted(address: str, port: int, seconds: float = 30.0) -> float:
    """Try to connect until somebody accepts; the time (seconds since the epoch) when that was."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            with socket.create_connection((address, port), timeout=1.0):
                return time.time()
        except OSError:
            time.sleep(RETRY_SECONDS)
    raise SystemExit(f"nobody accepted at {address}:{port} for {seconds} s")


@contextmanager
def program(bundle: Path, network: Path, port: int) -> Iterator[float]:
    """The program of a bundle alone: no runtime, only its root directory and a network. Gives when it was started."""
    config = json.loads((bundle / "config.json").read_bytes())
    environment = dict(entry.partition("=")[::2] for entry in config["process"]["env"]) | {"PORT": str(port)}
    null, begun = subprocess.DEVNULL, time.time()
    command = ["nsenter", f"--net={network}", "chroot", config["root"]["path"], *config["process"]["args"]]
    running = subprocess.Popen(command, env=environment, stdin=null, stdout=null, stderr=null)
    try:
        yield begun
    finally:
        running.kill()
        running.wait()
