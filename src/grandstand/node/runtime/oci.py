"""Find the best OCI runtime that works on this machine, and say which of its holes are known."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grandstand.errors import NoRuntime

# crun first: it starts a container in about 60% of runc's time.
CANDIDATES = ("crun", "runc")
PROCFS_HOLES = "CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881"
TRIAL_SECONDS = 10
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class OciRuntime:
    """A runtime that has just run a container here. `warnings` are for the user, one sentence each."""

    path: Path
    name: str
    version: str
    warnings: tuple[str, ...] = ()


def detect(find: Callable[[str], str | None] | None = None) -> OciRuntime:
    """The first candidate that runs a container here.

    `find` gives the path of a program. Raises NoRuntime when nothing works. Blocks for about 0.1 s.
    """
    find = find or (lambda name: shutil.which(name, path=SEARCH_PATH))
    refusals = []
    for name in CANDIDATES:
        if (found := find(name)) is None:
            continue
        path = Path(found)
        if (refusal := try_runtime(path)) is None:
            version = version_in(_output(path, "--version"))
            return OciRuntime(path, name, version, version_warnings(name, version))
        refusals.append(f"{name} says: {refusal}")
    if refusals:
        raise NoRuntime(f"No OCI runtime works on this machine. {' '.join(refusals)}")
    raise NoRuntime("No OCI runtime is installed; install one with: apt-get install runc")


def find_conmon(find: Callable[[str], str | None] | None = None) -> Path:
    """The monitor that keeps containers running without us. Raises NoRuntime where it is missing."""
    find = find or (lambda name: shutil.which(name, path=SEARCH_PATH))
    if (found := find("conmon")) is None:
        raise NoRuntime(
            "conmon is not installed, and without it containers cannot outlive the engine; "
            "install it with: apt-get install conmon"
        )
    return Path(found)


def version_in(text: str) -> str:
    """`1.1.5` from the first line of `--version`, with a release candidate's suffix; `unknown` when there is none."""
    found = re.search(r"version (\d+\.\d+(?:\.\d+)?(?:-rc[.\d]*)?)", text)
    return found[1] if found else "unknown"


def version_warnings(name: str, version: str) -> tuple[str, ...]:
    """What is known to be wrong with a version. crun is not affected by the holes of 2025 (crun issue 1906)."""
    if name != "runc":
        return ()
    if version == "unknown":
        return (f"the version of runc cannot be read; make sure that it is fixed for {PROCFS_HOLES}",)
    numbers = tuple(int(part) for part in version.partition("-")[0].split("."))
    candidate = re.search(r"-rc\.?(\d+)", version)
    first_fixed_candidate = 3
    old_candidate = (numbers == (1, 4, 0) and candidate is not None and int(candidate[1]) < first_fixed_candidate) or (
        numbers == (1, 3, 0) and candidate is not None
    )
    if numbers < (1, 2, 8) or (1, 3, 0) <= numbers < (1, 3, 3) or old_candidate:
        return (
            f"runc {version} has known ways out of a container ({PROCFS_HOLES}): "
            "run only images that you trust, or install runc 1.2.8, 1.3.3, 1.4.0 or later",
        )
    return ()


def try_runtime(path: Path) -> str | None:
    """Run /bin/true of this machine in a container; None when that works, else the runtime's own words."""
    with tempfile.TemporaryDirectory(prefix="grandstand-trial-") as folder:
        trial = Path(folder)
        (trial / "rootfs").mkdir()
        name = trial.name.lower().replace("_", "-")
        (trial / "config.json").write_text(json.dumps(_trial_config(name)))
        command: list[str | Path] = [path, "--root", trial / "state", "run", "--bundle", trial, name]
        try:
            tried = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{error}."
        return None if tried.returncode == 0 else f"{tried.stderr.strip() or f'exit code {tried.returncode}'}."


def _trial_config(name: str) -> dict[str, object]:
    """A container that sees the machine's own programs, read-only."""
    libraries = [folder for folder in ("/bin", "/lib", "/lib64", "/usr") if Path(folder).is_dir()]
    return {
        "ociVersion": "1.0.2",
        "process": {"args": ["/bin/true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True},
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            *(
                {"destination": folder, "type": "bind", "source": folder, "options": ["rbind", "ro"]}
                for folder in libraries
            ),
        ],
        "linux": {
            "cgroupsPath": f"/{name}",
            "resources": {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 16}},
            "namespaces": [{"type": kind} for kind in ("mount", "pid", "ipc", "uts", "network", "cgroup")],
        },
    }


def _output(path: Path, argument: str) -> str:
    return subprocess.run(
        [path, argument], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
    ).stdout
