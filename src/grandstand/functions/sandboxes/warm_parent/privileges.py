"""Who runs what in a sandbox: the supervisor as a user of its own with three capabilities, the function as nobody.

Changing from one unprivileged user to another keeps capabilities, which a supervisor might forget: so whatever it forks
becomes the runtime's user by itself. What it executes loses them to the empty bounding set.
"""

from __future__ import annotations

import contextlib
import os
import platform

from . import kernel, seccomp

SUPERVISOR, NOBODY = 65533, 65534
_MOST_KILLABLE = "1000"
_KILL, _SETGID, _SETUID = 5, 6, 7
_FILTER = seccomp.program(platform.machine())


def become_supervisor() -> None:
    """Keep what it takes to start the runtime process as nobody, and to kill it; nothing a program could inherit."""
    kernel.empty_bounding_set()
    kernel.keep_capabilities()
    _change(SUPERVISOR)
    kernel.set_capabilities(_KILL, _SETGID, _SETUID)
    kernel.forbid_new_privileges()
    kernel.install_filter(_FILTER)
    kernel.set_inspectable(inspectable=False)
    os.register_at_fork(after_in_child=become_runtime)


def become_runtime() -> None:
    """In a forked child of a supervisor, before anything else. Doing it twice changes nothing."""
    if os.getuid() == NOBODY:
        return
    _change(NOBODY)
    kernel.set_capabilities()
    kernel.set_inspectable(inspectable=True)
    _go_first()


def _go_first() -> None:
    """When memory is short, this process is killed before the supervisor, which has to tell of it."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_MOST_KILLABLE)


def _change(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
