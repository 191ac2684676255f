"""Start and kill the process that runs the handler: forked for Python, executed for Node.js."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence

from . import python_loop

SUPERVISOR_UID = 65533
NOBODY = 65534
_NODE = ("/usr/bin/node", "--no-warnings")


class RuntimeProcess:
    """`channel` carries frames, `output` what the process and its children print."""

    __slots__ = ("channel", "output", "pid", "watched")

    def __init__(self, pid: int, channel: socket.socket, output: int) -> None:
        self.pid = pid
        self.channel = channel
        self.output = output
        self.watched = os.pidfd_open(pid)
        channel.setblocking(False)
        os.set_blocking(output, False)

    def signal_death(self) -> None:
        """Have it end; that it has is seen on `watched`."""
        _signal(self.pid)

    def reap_orphans(self) -> None:
        """Let go of what the handler left behind and has ended: orphans are given to the first of a namespace."""
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == self.pid:
                return  # its end is told on `watched`
            os.waitpid(ended.si_pid, 0)

    def kill(self) -> int:
        """End it and whatever it has started; gives what waitpid says of it."""
        if os.getpid() == 1:
            _signal(-1)  # everybody in this namespace but ourselves
        else:
            os.killpg(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        os.close(self.watched)
        self.channel.close()
        return status


def _signal(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def start(runtime: str, own: Sequence[int]) -> RuntimeProcess:
    """A process that waits to be bound. `own` are descriptors that it must not have. Raises OSError."""
    ours, theirs = socket.socketpair()
    output, printed = os.pipe()
    if runtime.startswith("nodejs"):
        pid = _execute(theirs, printed)
    else:
        pid = _fork(theirs, printed, [*own, ours.fileno(), output])
    theirs.close()
    os.close(printed)
    return RuntimeProcess(pid, ours, output)


def _fork(channel: socket.socket, printed: int, own: Sequence[int]) -> int:
    """In a sandbox the child is nobody already, by a hook of whoever made it."""
    pid = os.fork()
    if pid:
        return pid
    status = 0
    try:
        os.setpgid(0, 0)
        for number in own:
            os.close(number)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.close(printed)
        signal.set_wakeup_fd(-1)
        python_loop.run(channel)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        status = 1
    finally:
        os._exit(status)


def _execute(channel: socket.socket, printed: int) -> int:
    loop = os.path.join(os.path.dirname(__file__), "node_loop.js")
    command = [*_NODE, loop]
    who: dict[str, object] = {}
    if os.getuid() == SUPERVISOR_UID:
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=printed,
        stderr=printed,
        pass_fds=[channel.fileno()],
        env={"GS_RUNTIME_CHANNEL": str(channel.fileno()), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        cwd="/",
        start_new_session=True,
        **who,  # type: ignore[call-overload]
    )
    process.returncode = 0  # it is waited for by its number, and not by this object
    return int(process.pid)
