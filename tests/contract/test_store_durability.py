"""Nothing acknowledged is lost: killed writers, full disks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def run(script: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    result = run("store_crash.py", tmp_path, 100, seed)
    assert result["kills"] == 100
    assert result["acknowledged"] > 100


def test_a_full_disk_fails_the_write_and_nothing_else(tmp_path: Path) -> None:
    result = run("store_full_disk.py", tmp_path / "store.sqlite3")
    assert "could not be written" in result["failed"]
    assert "try again" in result["failed"]
