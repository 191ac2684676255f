"""Check, before anything is touched, that this machine and this user can run an engine."""

from __future__ import annotations

import os
import shutil
import socket

from grandstand.errors import PeerError

from .options import environment_variable

PACKAGES = {
    "conmon": "conmon",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "nft": "nftables",
}
"""Programs that an engine cannot do without, and the Debian packages that hold them."""

RUNTIMES = ("runc", "crun")


def check_root(command: str) -> None:
    """Raise PeerError unless we are root: namespaces, cgroups and mounts need it."""
    if os.geteuid() != 0:
        raise PeerError(
            f"`grandstand {command}` needs root, because it makes namespaces, cgroups and mounts. Run it with sudo."
        )


def check_programs() -> None:
    """Raise PeerError that names every missing program and the packages to install."""
    missing = {program: package for program, package in PACKAGES.items() if _find(program) is None}
    if not any(_find(runtime) for runtime in RUNTIMES):
        missing["runc or crun"] = "runc"
    if missing:
        raise PeerError(
            f"Programs are missing: {', '.join(missing)}. Install them with"
            f" `apt-get install {' '.join(sorted(set(missing.values())))}`, or run `make setup`."
        )


def check_port(port: int, option: str) -> None:
    """Raise PeerError when a loopback port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PeerError(
                f"Port {port} on 127.0.0.1 is taken ({error.strerror}). Choose another with `{option}`"
                f" (for `make run`: {environment_variable(option)}=…), or end what listens there"
                f" (`ss -ltnp sport = :{port}` shows it)."
            ) from error


def is_free(port: int) -> bool:
    """Whether nobody listens on a loopback port."""
    try:
        check_port(port, "")
    except PeerError:
        return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _find(program: str) -> str | None:
    """The program's path; the directories of system programs are searched even where PATH lacks them."""
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
