"""The code keeps to its layers, its sizes and its names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 500
MOST_DOCSTRING = 120
FORBIDDEN = {"utils", "util", "helpers", "helper", "manager", "managers", "base", "common", "misc"}

MODULES = sorted(path for folder in ("src", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_run_downwards_only():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_of_readable_size_and_says_what_it_is_for(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES, "make it a folder of the same name"
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "its first line says what it is for"
    assert len(docstring.splitlines()[0]) <= MOST_DOCSTRING


def test_names_say_what_is_inside():
    parts = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & FORBIDDEN == set()


def test_every_test_has_a_name_of_its_own():
    """pytest imports tests by their base names: two of one name hide each other."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_no_test_patches():
    """If something must be patched, an argument is missing."""
    patching = ("monkeypatch", "unittest.mock", "mocker")
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    assert [named(path) for path in tests if any(word in path.read_text() for word in patching)] == []
