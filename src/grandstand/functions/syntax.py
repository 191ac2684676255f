"""Find a file that its runtime cannot read, before it replaces one that works."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from grandstand.errors import BadRequest

from .machine_runtimes import NODE

_OWN_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_NODE_ENDS = (".js", ".mjs", ".cjs")
_MOST_FOR_NODE = 10
"""Node.js takes a tenth of a second for each."""


def check_syntax(folder: Path, runtime: str, handler: str, changed: Iterable[str]) -> None:
    """Look at the handler's file and the `changed` ones of its language, as far as they are the folder's own.

    Another Python than ours may read more than we can, so only ours is judged. Raises BadRequest for the first error.
    """
    ends = _NODE_ENDS if runtime.startswith("nodejs") else (".py",) if runtime == _OWN_PYTHON else ()
    module = handler.rpartition(".")[0]
    names = dict.fromkeys([*(module + end for end in ends), *(name for name in changed if name.endswith(ends))])
    files = [(name, folder / name) for name in names if ends and (folder / name).is_file()]
    if runtime.startswith("nodejs"):
        for name, path in files[:_MOST_FOR_NODE]:
            _check_node(name, path)
    else:
        for name, path in files:
            _check_python(name, path)


def _check_python(name: str, path: Path) -> None:
    try:
        ast.parse(path.read_bytes(), name)
    except SyntaxError as error:
        raise BadRequest(f"{name}:{error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise BadRequest(f"{name}: {error}") from error


def _check_node(name: str, path: Path) -> None:
    done = subprocess.run([NODE, "--check", path], capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise BadRequest(f"{name} cannot be read:\n{done.stderr.strip()}")
