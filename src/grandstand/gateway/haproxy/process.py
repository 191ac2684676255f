"""Start, find, reload and end the HAProxy process of an engine. It outlives the process that started it."""

from __future__ import annotations

import grp
import os
import pwd
import resource
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grandstand.clock import Clock
from grandstand.engine import Engine
from grandstand.errors import GatewayFailure

from .configuration import CERTIFICATE_LIST, EMPTY_DIRECTORY, ROUTE_MAP, Settings
from .master import SOCKET, Master

CONFIGURATION = "haproxy.cfg"
LOG = "haproxy.log"
PID_FILE = "haproxy.pid"
RUNNING = "running.json"
"""What is left of one process in the directory, and must not be taken for another's."""
CERTIFICATES = "certificates"

START_SECONDS = 10.0
END_SECONDS = 5.0
POLL_SECONDS = 0.005
SPARE_DESCRIPTORS = 200
MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of an engine's HAProxy, and which process is its."""

    directory: Path

    @classmethod
    def of(cls, engine: Engine) -> Home:
        return cls(engine.data / "gateway")

    def process(self) -> int | None:
        """The id of our master process, or None when it does not run.

        Its working directory proves that it is ours: a pid file may name a process that came later.
        """
        try:
            pid = int((self.directory / PID_FILE).read_text())
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            ours = Path(f"/proc/{pid}/cwd").resolve() == self.directory.resolve()
        except (OSError, ValueError):
            return None
        return pid if ours and name == "haproxy" else None

    def make(self) -> None:
        for each in (self.directory, self.directory / EMPTY_DIRECTORY, self.directory / CERTIFICATES):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.directory / EMPTY_DIRECTORY).chmod(0o711)  # the workers find the activator's socket there
        for name in (ROUTE_MAP, CERTIFICATE_LIST):
            if not (self.directory / name).exists():
                self.write(name, b"")

    def write(self, name: str, content: bytes) -> None:
        """Write a file at once and for us alone: HAProxy may read it at any moment, and some hold keys."""
        path = self.directory / name
        new = path.with_name(path.name + ".new")
        with suppress(FileNotFoundError):
            new.unlink()
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        new.replace(path)

    def log_end(self) -> str:
        """The last lines that HAProxy wrote."""
        with suppress(OSError):
            return "\n".join((self.directory / LOG).read_text(errors="replace").strip().splitlines()[-10:])
        return ""


def find_program(path: str | None = None) -> str:
    """Where `haproxy` is. Raises GatewayFailure that names the package when it is nowhere."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")) if path is None else path
    program = shutil.which("haproxy", path=path)
    if program is None:
        raise GatewayFailure("The program haproxy is missing: install it with `apt-get install haproxy`.")
    return program


def settings_for(engine: Engine, bind: str, threads: int | None) -> Settings:
    """Settings that fit this machine: a connection takes two descriptors, one on each side."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors == resource.RLIM_INFINITY:
        descriptors = 1 << 20
    user, group = _user()
    return Settings(
        bind=bind,
        port=engine.gateway_port,
        tls_port=engine.gateway_tls_port,
        threads=threads or default_threads(len(os.sched_getaffinity(0))),
        most_connections=max((min(descriptors, 1 << 17) - SPARE_DESCRIPTORS) // 2, 100),
        user=user,
        group=group,
    )


def default_threads(cores: int) -> int:
    """Half of the cores, for the other half is the Pods': on two, one thread carried more requests than two did."""
    return min(max(cores // 2, 1), MOST_THREADS)


def _user() -> tuple[str, str]:
    """Whom the workers run as: Debian's user, else nobody."""
    with suppress(KeyError):
        pwd.getpwnam("haproxy"), grp.getgrnam("haproxy")
        return "haproxy", "haproxy"
    return "nobody", grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name


def check(program: str, home: Home) -> None:
    """Raise GatewayFailure when HAProxy would refuse the configuration: a reload would only say it to the log."""
    done = subprocess.run(
        [program, "-c", "-q", "-f", CONFIGURATION], cwd=home.directory, capture_output=True, text=True, timeout=30
    )
    if done.returncode != 0:
        raise GatewayFailure(f"HAProxy refuses the configuration in {home.directory}:\n{done.stderr.strip()}")


async def start(program: str, home: Home, settings: Settings, clock: Clock) -> subprocess.Popen[bytes]:
    """Start HAProxy in a session of its own; returns its master when it serves."""
    for name in (PID_FILE, SOCKET):
        (home.directory / name).unlink(missing_ok=True)
    with (home.directory / LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 (it is asyncio's children that end with the loop)
            [program, "-W", "-q", "-S", f"unix@{SOCKET},mode,600", "-f", CONFIGURATION, "-p", PID_FILE],
            cwd=home.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end = clock.monotonic() + START_SECONDS
    master = Master(home.directory)
    while clock.monotonic() < end:
        if process.poll() is not None:
            break
        # HAProxy tells nobody when it is ready (but systemd, through a socket that others could take first).
        with suppress(GatewayFailure):
            await master.workers()
            master.close()
            return process
        await clock.sleep(POLL_SECONDS)
    raise GatewayFailure(
        f"HAProxy did not start on {settings.bind}:{settings.port}. If the port is taken, choose another with"
        f" `--gateway-port` (or `--gateway-tls-port`). It said:\n{home.log_end()}"
    )


async def reload(home: Home, master: Master, settings: Settings, clock: Clock) -> None:
    """Have a new worker take over the listening sockets; returns when it has, the old one ends what it has."""
    before = (await master.workers()).current
    await master.reload()
    end = clock.monotonic() + START_SECONDS
    while clock.monotonic() < end:
        try:
            after = (await master.workers()).current
        except GatewayFailure:
            await clock.sleep(POLL_SECONDS)  # it replaces itself, and refuses connections meanwhile
            continue
        if after != before:
            return
        break
    raise GatewayFailure(
        f"HAProxy did not take the new configuration over, and serves with the one before. If a port is taken"
        f" ({settings.port}, {settings.tls_port}), choose another with `--gateway-port` or `--gateway-tls-port`."
        f" It said:\n{home.log_end()}"
    )


async def end(home: Home, clock: Clock) -> None:
    """End HAProxy with all its connections, and return when it is gone."""
    pid = home.process()
    if pid is None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = clock.monotonic() + END_SECONDS
        while clock.monotonic() < deadline:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 (where it is our own child, it stays until we have asked)
            if home.process() is None:
                return
            await clock.sleep(POLL_SECONDS)
    raise GatewayFailure(f"HAProxy (process {pid}) does not end. `kill -9 {pid}`, then try again.")
