"""Turn a freshly forked process into the supervisor of a sandbox, and mount a function into one that runs."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import kernel, privileges

Supervisor = Callable[[dict[str, str]], None]
# In this order from 3 on: what the supervisor inherits, and nothing else.
INHERITED = ("GS_CONTROL", "GS_LISTEN", "GS_LOG_A", "GS_LOG_B", "GS_METER")
_FIRST = 3
_SETUP_FAILED = 70
_MOST_FILES = 1024


@dataclass(frozen=True)
class Start:
    """`entries` are the cgroup.procs files to join; `network` None is an empty network of its own."""

    hostname: str
    inherited: Sequence[int]
    entries: Sequence[int]
    network: int | None


@dataclass(frozen=True)
class Mounts:
    """Detached trees for /var/task and /opt, and what /tmp may hold."""

    code: int
    layers: int | None
    tmp_bytes: int
    tmp_files: int


def run(start: Start, supervise: Supervisor) -> None:
    """In the forked child, which is the first of a new pid namespace. Does not return."""
    status = 0
    try:
        _settle(start)
        supervise(dict(os.environ))
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException as error:
        _tell(start.inherited[0], error)
        status = _SETUP_FAILED
    finally:
        os._exit(status)


def _settle(start: Start) -> None:
    # First of all: pages touched before are charged to the parent for good.
    for entry in start.entries:
        os.write(entry, b"0")
    if start.network is not None:
        kernel.join(start.network, kernel.NEW_NET)
    kernel.unshare(kernel.NEW_MOUNT | kernel.NEW_IPC | kernel.NEW_UTS | (0 if start.network else kernel.NEW_NET))
    if start.network is None:
        kernel.raise_loopback()
    kernel.mount(
        "proc",
        "/proc",
        "proc",
        kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC,
        "hidepid=2",
    )
    # The rest is writable, for a process may say that it goes first when memory is short; settings are not.
    kernel.bind_read_only("/proc/sys", "/proc/sys")
    kernel.set_hostname(start.hostname)
    os.setsid()
    os.chdir("/")
    os.umask(0o022)
    _reset_signals()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    _keep_only(start.inherited)
    os.environ.clear()
    os.environ.update({name: str(_FIRST + place) for place, name in enumerate(INHERITED)})
    privileges.become_supervisor()


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        # Python's own two: a broken pipe is an exception, and Ctrl-C is none of ours.
        signal.signal(number, signal.SIG_IGN if number in (signal.SIGPIPE, signal.SIGXFSZ) else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _keep_only(inherited: Sequence[int]) -> None:
    """Number the inherited descriptors from 3 on; standard streams lead nowhere. All else is closed."""
    # Above every number that is going to be used, so that no copy closes one that is still to be copied.
    above = [os.dup(number) for number in inherited]
    while min(above) < _FIRST + len(inherited):
        above = [os.dup(number) for number in above]
    null = os.open("/dev/null", os.O_RDWR)
    for standard in range(_FIRST):
        os.dup2(null, standard)
    for place, number in enumerate(above):
        os.dup2(number, _FIRST + place, inheritable=False)
    kernel.close_from(_FIRST + len(inherited))


def _tell(control: int, error: BaseException) -> None:
    """The engine hears why there is no supervisor, whichever of the two numbers the control socket has by now."""
    message = {"failed": {"errorType": "Sandbox.StartError", "errorMessage": f"{type(error).__name__}: {error}"}}
    for number in (_FIRST, control):
        try:
            with socket.socket(fileno=os.dup(number)) as channel:
                if channel.type == socket.SOCK_SEQPACKET:
                    channel.send(json.dumps(message).encode())
                    return
        except OSError:
            continue


def mount_function(process: int, mounts: Mounts, home: int) -> None:
    """Mount a function in the namespace of an instance (a pidfd), and come back to one's own, `home`."""
    kernel.join(process, kernel.NEW_MOUNT)
    try:
        kernel.attach(mounts.code, "/var/task")
        if mounts.layers is not None:
            kernel.attach(mounts.layers, "/opt")
        options = f"mode=1777,size={mounts.tmp_bytes},nr_inodes={mounts.tmp_files}"
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    finally:
        kernel.join(home, kernel.NEW_MOUNT)
