"""Install what a function's folder names: requirements.txt with pip, package.json with npm; once for each content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from grandstand.errors import PeerError

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "grandstand" / "packages"
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")


def installed(folder: Path) -> list[Path]:
    """The folders that make up the artefact, the function's own last. Raises PeerError when an installation fails."""
    folders = []
    requirements = folder / "requirements.txt"
    if requirements.is_file():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            str(requirements),
        ]
        folders.append(_cached([requirements], lambda target: ([*command, "--target", str(target)], folder)))
    package = folder / "package.json"
    if package.is_file() and not (folder / "node_modules").exists():
        files = [package, *(lock for name in _LOCKS if (lock := folder / name).is_file())]
        folders.append(_cached(files, lambda target: (_npm(files, target), target)))
    return [*folders, folder]


def _pip(requirements: Path, target: Path) -> list[str]:
    quiet = ["--quiet", "--disable-pip-version-check"]
    return [sys.executable, "-m", "pip", "install", *quiet, "-r", str(requirements), "--target", str(target)]


def _npm(files: Sequence[Path], target: Path) -> list[str]:
    for file in files:
        shutil.copy(file, target / file.name)
    verb = "ci" if len(files) > 1 else "install"
    return ["npm", verb, "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]


def _cached(files: Sequence[Path], command_for: Callable[[Path], tuple[list[str], Path]]) -> Path:
    digest = hashlib.sha256(b"\0".join(file.name.encode() + b"\0" + file.read_bytes() for file in files))
    digest.update(sys.version.encode())
    place = CACHE / digest.hexdigest()
    if place.exists():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=CACHE))
    command, home = command_for(new)
    try:
        done = subprocess.run(command, cwd=home, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise PeerError(
            f"{command[0]} is missing: install it, or bring {files[0].name}'s packages in the folder"
        ) from error
    if done.returncode != 0:
        shutil.rmtree(new)
        raise PeerError(f"the packages of {files[0]} cannot be installed:\n{(done.stderr or done.stdout).strip()}")
    new.rename(place)
    return place
