"""What a watch tells of a save, how long it waits, what it sees of the file system, and which files it refuses."""

from __future__ import annotations

import select
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from grandstand.errors import BadRequest
from grandstand.functions.folder_watch import FolderWatch, events_of
from grandstand.functions.packaging import LEFT_OUT, packed
from grandstand.functions.saves import (
    LONGEST_SECONDS,
    QUIET_SECONDS,
    Changes,
    changes_between,
    contents_of,
    seconds_to_wait,
)
from grandstand.functions.syntax import check_syntax

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("first", "last", "now", "seconds"),
    [
        (10.0, 10.0, 10.0, QUIET_SECONDS),
        (10.0, 10.0, 10.0 + QUIET_SECONDS, 0.0),
        (10.0, 10.5, 10.5, QUIET_SECONDS),
        (10.0, 10.99, 10.99, 0.01),
        (10.0, 11.5, 11.5, 0.0),
    ],
    ids=["just saved", "quiet", "saved again", "soon enough", "who never stops"],
)
def test_saves_are_waited_for(first, last, now, seconds):
    assert seconds_to_wait(first, last, now) == pytest.approx(seconds)


@given(first=some.floats(0, 1e6), gap=some.floats(0, 100), more=some.floats(0, 100))
def test_no_wait_is_longer_than_said(first, gap, more):
    assert 0 <= seconds_to_wait(first, first + gap, first + gap + more) <= QUIET_SECONDS + 1e-6
    assert seconds_to_wait(first, first + gap, first + LONGEST_SECONDS + 1e-3) == 0


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"a": 1}, {"a": 2}, "changed a"),
        ({"a": 1}, {"a": 1, "b": 1}, "added b"),
        ({"a": 1, "c": 1}, {"a": 2, "b": 1}, "changed a, added b, removed c"),
        ({}, dict.fromkeys("gfedcba", 1), "added a b c d e and 2 more"),
        ({"a": 1}, {"a": 1}, "changed nothing by name"),
    ],
)
def test_changes_are_told_by_name(before, after, shown):
    as_contents = [{name: (value, 1, 0) for name, value in each.items()} for each in (before, after)]
    assert changes_between(*as_contents).shown() == shown


def test_an_artefact_tells_its_contents(tmp_path: Path):
    (tmp_path / "app.py").write_text("x = 1\n")
    before = contents_of(packed([tmp_path]))
    (tmp_path / "app.py").chmod(0o755)
    (tmp_path / "lib.py").write_text("")
    assert changes_between(before, contents_of(packed([tmp_path]))) == Changes(("app.py",), ("lib.py",))


def test_events_are_read_as_the_kernel_writes_them():
    first = struct.pack("=iIII", 1, 0x8, 0, 16) + b"app.py".ljust(16, b"\0")
    second = struct.pack("=iIII", 2, 0x8000, 0, 0)
    assert list(events_of(first + second)) == [(1, 0x8, "app.py"), (2, 0x8000, "")]
    assert list(events_of(b"")) == []


def write(place: Path) -> None:
    (place / "app.py").write_text("x = 2\n")


def replace(place: Path) -> None:
    (place.parent / "new").write_text("x = 2\n")
    (place.parent / "new").rename(place / "app.py")


def remove(place: Path) -> None:
    (place / "app.py").unlink()


def make_executable(place: Path) -> None:
    (place / "app.py").chmod(0o755)


def write_below(place: Path) -> None:
    (place / "pkg/deep/one.py").write_text("x = 2\n")


def make_folder(place: Path) -> None:
    (place / "fresh/deep").mkdir(parents=True)


def remove_folder(place: Path) -> None:
    shutil.rmtree(place / "pkg")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "function"
    for folder in ("pkg/deep", ".git", "__pycache__"):
        (place / folder).mkdir(parents=True)
    (place / "app.py").write_text("x = 1\n")
    return place


def is_told(watch: FolderWatch) -> bool:
    return bool(select.select([watch], [], [], 0)[0])


@pytest.mark.parametrize(
    "save",
    [write, replace, remove, make_executable, write_below, make_folder, remove_folder],
    ids=lambda it: it.__name__,
)
def test_a_save_is_seen_once(place: Path, save):
    with FolderWatch(place, LEFT_OUT) as watch:
        assert not is_told(watch)
        save(place)
        assert is_told(watch)
        assert watch.saved()
        assert not watch.saved()


def test_what_comes_in_a_new_folder_is_seen_too(place: Path):
    with FolderWatch(place, LEFT_OUT) as watch:
        (place / "fresh/deep").mkdir(parents=True)
        assert watch.saved()
        (place / "fresh/deep/one.py").write_text("x = 1\n")
        assert watch.saved()


def test_a_folder_that_moved_is_still_watched(place: Path):
    with FolderWatch(place, LEFT_OUT) as watch:
        (place / "pkg").rename(place / "other")
        assert watch.saved()
        (place / "other/deep/two.py").write_text("")
        assert watch.saved()


def test_what_is_not_packed_and_what_is_only_read_is_no_save(place: Path):
    with FolderWatch(place, LEFT_OUT) as watch:
        (place / ".git/index").write_text("")
        (place / "__pycache__/app.pyc").write_text("")
        packed([place])
        assert not watch.saved()


def test_links_in_a_circle_are_followed_once(place: Path):
    (place / "pkg/back").symlink_to(place)
    with FolderWatch(place, LEFT_OUT) as watch:
        write(place)
        assert watch.saved()


def test_a_folder_that_is_gone_ends_it(place: Path):
    with FolderWatch(place, LEFT_OUT) as watch:
        shutil.rmtree(place)
        with pytest.raises(BadRequest, match="is gone"):
            watch.saved()


@pytest.mark.parametrize(
    ("files", "runtime", "changed", "said"),
    [
        ({"app.py": "def handler(:\n"}, PYTHON, [], r"app\.py:1: invalid syntax"),
        ({"app.py": "x = 1\n", "pkg/lib.py": "\n x\n"}, PYTHON, ["pkg/lib.py"], r"pkg/lib\.py:2: unexpected indent"),
        ({"app.py": "x = '\0'\n"}, PYTHON, [], r"app\.py.*null bytes"),
    ],
)
def test_what_python_cannot_read_is_refused(tmp_path: Path, files, runtime, changed, said):
    lay(tmp_path, files)
    with pytest.raises(BadRequest, match=said):
        check_syntax(tmp_path, runtime, "app.handler", changed)


@pytest.mark.parametrize(
    ("files", "runtime", "changed"),
    [
        ({"app.py": "x = 1\n", "old.py": "print 1\n"}, PYTHON, []),
        ({"app.py": "x = 1\n", "notes.txt": "def :\n"}, PYTHON, ["notes.txt", "gone.py"]),
        ({"app.py": "def handler(:\n"}, "python3.99", ["app.py"]),
        ({"app": "def :"}, "provided.al2023", ["app"]),
    ],
    ids=["not touched", "no code, and gone", "another Python", "another runtime"],
)
def test_what_is_none_of_its_business_is_left_alone(tmp_path: Path, files, runtime, changed):
    lay(tmp_path, files)
    assert check_syntax(tmp_path, runtime, "app.handler", changed) is None


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_what_node_cannot_read_is_refused(tmp_path: Path):
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]
    lay(tmp_path, {"index.js": "exports.handler = async () => {\n"})
    with pytest.raises(BadRequest, match=r"index\.js cannot be read:(?s:.*)SyntaxError"):
        check_syntax(tmp_path, f"nodejs{version}.x", "index.handler", [])


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
