"""What an engine has left behind on the machine: processes, mounts, links, tables, cgroups."""

import json
import os
import subprocess
from pathlib import Path

from grandstand.engine import engine_id


def leftovers(data: Path) -> list[str]:
    """A line for everything on this machine that belongs to the engine of a data directory."""
    prefix = f"gs-{engine_id(data)}"
    return [*_processes(data), *_mounts(data), *_links(prefix), *_tables(prefix), *_cgroups(prefix)]


def _processes(data: Path):
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        if any(str(data) in word for word in words):
            yield f"process {directory.name}: {' '.join(words)}"


def _mounts(data: Path):
    return [f"mount: {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if str(data) in line]


def _links(prefix: str):
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    return [f"link: {link['ifname']}" for link in links if prefix.removeprefix("gs-") in link["ifname"]]


def _tables(prefix: str):
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return [f"nft: {line}" for line in tables.splitlines() if prefix.removeprefix("gs-") in line]


def _cgroups(prefix: str):
    # os.walk goes on where others remove theirs at the same time.
    found = (f"{where}/{name}" for where, names, _ in os.walk("/sys/fs/cgroup") for name in names)
    return [f"cgroup: {path}" for path in found if prefix in path]
