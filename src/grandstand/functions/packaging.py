"""Make the artefact of a folder: which runtime and handler it has, and a zip that is the same for the same files."""

from __future__ import annotations

import io
import json
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grandstand.errors import BadRequest

LEFT_OUT = frozenset((".git", "__pycache__", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"))
_TIME = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can hold."""
_PYTHON_NAMES = ("lambda_function", "app", "main", "handler", "function", "index")
_NODE_NAMES = ("index", "app", "main", "handler", "function", "lambda")
_NODE_ENDS = (".js", ".mjs", ".cjs")
_PYTHON_HANDLER = re.compile(r"^(?:async )?def (lambda_handler|handler)\b|^(lambda_handler|handler)\s*=", re.MULTILINE)
_NODE_HANDLER = re.compile(
    r"exports\.(handler)\b|export\s+(?:const|let|var|async\s+function|function)\s+(handler)\b"
    r"|export\s*\{[^}]*\b(handler)\b"
)


@dataclass(frozen=True, slots=True)
class Detected:
    """`language` is python or nodejs; `handler` as Lambda writes it."""

    language: str
    handler: str


def detect(files: Mapping[str, str]) -> Detected:
    """What a folder's top-level files (name -> text) are a function of. Raises BadRequest where it is not clear."""
    found = [*_python_handlers(files), *_node_handlers(files)]
    if not found:
        raise BadRequest(
            "no handler was found: name it with --handler, or define `handler` (or Python's `lambda_handler`) in "
            "index.js, index.mjs, app.py, lambda_function.py, main.py or handler.py"
        )
    if len(found) > 1:
        names = ", ".join(f"{each.handler} ({each.language})" for each in found)
        raise BadRequest(f"there are several handlers: {names}; choose one with --handler and --runtime")
    return found[0]


def _python_handlers(files: Mapping[str, str]) -> Iterator[Detected]:
    for name in _PYTHON_NAMES:
        match = _PYTHON_HANDLER.search(files.get(f"{name}.py", ""))
        if match is not None:
            yield Detected("python", f"{name}.{match[1] or match[2]}")


def _node_handlers(files: Mapping[str, str]) -> Iterator[Detected]:
    names = list(_NODE_NAMES)
    try:
        main = json.loads(files.get("package.json", "{}")).get("main", "")
    except (ValueError, AttributeError):
        main = ""
    if main:
        names = [str(PurePosixPath(main).with_suffix(""))]
    for name in names:
        for end in _NODE_ENDS:
            if _NODE_HANDLER.search(files.get(name + end, "")):
                yield Detected("nodejs", f"{name}.handler")


def top_level(folder: Path) -> dict[str, str]:
    """The texts of a folder's own files that may hold a handler."""
    ends = (".py", *_NODE_ENDS)
    files = (path for path in folder.iterdir() if path.is_file())
    return {
        path.name: path.read_text(errors="replace") for path in files if path.name.endswith((*ends, "package.json"))
    }


def packed(folders: Iterable[Path]) -> bytes:
    """A zip of these folders over each other, the last on top: sorted, without times, readable by everybody."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in _files(folder):
            files[path.relative_to(folder).as_posix()] = path
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            executable = files[name].stat().st_mode & stat.S_IXUSR
            entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes(), compresslevel=1)
    return content.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_OUT:
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
