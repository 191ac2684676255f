"""The processes of a Pod, as the machine sees them."""

import os
import signal
from pathlib import Path


def of(pod, word="") -> list[int]:
    """The ids of the processes in a Pod's cgroups whose command line holds a word."""
    mark = f"pod{pod['metadata']['uid']}"
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (directory / "cgroup").read_text() and word in (directory / "cmdline").read_text():
                found.append(int(directory.name))
        except OSError:
            continue  # it has ended
    return found


def kill(pod, word="app.py") -> None:
    """SIGKILL to the program of a Pod, as a crash would."""
    for number in of(pod, word):
        os.kill(number, signal.SIGKILL)
        return
    raise AssertionError(f"no process of pod {pod['metadata']['name']} runs {word}")
