"""Which runtimes this machine has: those of the interpreters that are installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .sandboxes import Runtime

INSIDE = Path(__file__).parent / "runtime" / "inside"
PYTHON = Path("/usr/bin/python3")
NODE = Path("/usr/bin/node")
_NODE_VERSION = re.compile(r"v(\d+)\.")


def machine_runtimes() -> tuple[Runtime, ...]:
    """Python's and, where it is installed, Node.js's: by Lambda's names, as `python3.11` and `nodejs20.x`. Blocks."""
    found = [Runtime(PYTHON.resolve().name, INSIDE, "inside.supervisor:run")]
    if NODE.exists():
        said = subprocess.run([NODE, "--version"], capture_output=True, check=True, text=True).stdout
        version = _NODE_VERSION.match(said)
        if version is not None:
            found.append(Runtime(f"nodejs{version[1]}.x", INSIDE, "inside.supervisor:run_node"))
    return tuple(found)
