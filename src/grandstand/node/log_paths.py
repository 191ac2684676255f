"""Where the logs and termination messages of containers lie, and how long."""

from __future__ import annotations

from pathlib import Path


def log_path(pod_directory: Path, container: str, run: int) -> Path:
    """The log of one run of a container; runs are counted from 1."""
    return pod_directory / "logs" / container / f"{run}.log"


def termination_path(pod_directory: Path, container: str, run: int) -> Path:
    """The file that the container sees at its `terminationMessagePath`."""
    return pod_directory / "termination" / f"{container}-{run}"


def remove_older_runs(pod_directory: Path, container: str, run: int) -> None:
    """Keep the logs of a run and of the one before it, and its termination message: older ones are in the status.

    A container that ends again and again, each time with a long message, would fill the disk.
    """
    for log in (pod_directory / "logs" / container).glob("*.log*"):
        if log.name.partition(".")[0] not in (str(run), str(run - 1)):
            log.unlink(missing_ok=True)
    for older in range(max(1, run - 2), run):
        termination_path(pod_directory, container, older).unlink(missing_ok=True)
