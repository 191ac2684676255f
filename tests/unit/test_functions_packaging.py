"""What a folder is a function of, and the zip that is made of it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from grandstand.errors import BadRequest
from grandstand.functions.packaging import Detected, detect, packed, top_level

PYTHON = "def handler(event, context):\n    pass\n"
NODE = "exports.handler = async () => {};\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"app.py": PYTHON}, Detected("python", "app.handler")),
        (
            {"lambda_function.py": "def lambda_handler(e, c): pass"},
            Detected("python", "lambda_function.lambda_handler"),
        ),
        ({"main.py": "import x\nhandler = x.Mangum(app)\n"}, Detected("python", "main.handler")),
        ({"index.js": NODE, "readme.md": ""}, Detected("nodejs", "index.handler")),
        ({"index.mjs": "export const handler = async () => 1"}, Detected("nodejs", "index.handler")),
        ({"app.mjs": "const handler = 1;\nexport { other, handler };"}, Detected("nodejs", "app.handler")),
        (
            {"package.json": '{"main": "src.js"}', "src.js": "module.exports.handler = () => 1", "index.js": NODE},
            Detected("nodejs", "src.handler"),
        ),
    ],
)
def test_a_handler_is_found(files: dict[str, str], found: Detected) -> None:
    assert detect(files) == found


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no handler was found"),
        ({"app.py": "def other(): pass"}, "no handler was found"),
        ({"app.py": PYTHON, "index.js": NODE}, r"several handlers: app.handler \(python\), index.handler \(nodejs\)"),
    ],
)
def test_where_it_is_not_clear_it_is_asked_for(files: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        detect(files)


def test_the_same_files_make_the_same_zip_and_what_is_no_code_stays_away(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        (folder / "pkg").mkdir(parents=True)
        (folder / "pkg/one.py").write_text("x = 1\n")
        (folder / "app.py").write_text(PYTHON)
        (folder / "app.py").chmod(0o600)
        (folder / "run").write_text("#!/bin/sh\n")
        (folder / "run").chmod(0o700)
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__/app.pyc").write_text("compiled")
    content = packed([first])
    assert content == packed([second])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert modes == {"app.py": 0o644, "pkg/one.py": 0o644, "run": 0o755}


def test_the_last_folder_lies_on_top(tmp_path: Path) -> None:
    for name, text in (("packages", "old"), ("own", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(text)
    with zipfile.ZipFile(io.BytesIO(packed([tmp_path / "packages", tmp_path / "own"]))) as archive:
        assert archive.read("app.py") == b"new"


def test_only_files_that_may_hold_a_handler_are_read(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PYTHON)
    (tmp_path / "data.bin").write_bytes(bytes(100))
    assert list(top_level(tmp_path)) == ["app.py"]
