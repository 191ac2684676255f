"""Where the logs and termination messages of containers lie."""

from __future__ import annotations

from pathlib import Path


def log_path(pod_directory: Path, container: str, run: int) -> Path:
    """The log of one run of a container; runs are counted from 1."""
    return pod_directory / "logs" / container / f"{run}.log"


def termination_path(pod_directory: Path, container: str, run: int) -> Path:
    """The file that the container sees at its `terminationMessagePath`."""
    return pod_directory / "termination" / f"{container}-{run}"
