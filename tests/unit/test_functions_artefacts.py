"""Code of functions: what zips are refused, what is unpacked with which modes, layers over each other, collection."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import struct
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock, VirtualClock
from grandstand.errors import ArtefactRefused, NotFound
from grandstand.functions import sweeping
from grandstand.functions.artefacts import Artefacts, aws_digest, read_local
from grandstand.functions.artefacts.entries import Entry, Kind, check_link, merge, plan
from grandstand.kinds.resources import FUNCTION_LAYERS, FUNCTION_VERSIONS, FUNCTIONS

FILE, LINK, FOLDER = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755


def zipped(*entries: tuple[str, bytes | str, int], **fields: int) -> bytes:
    """A zip of (name, content, mode); `fields` are set on every entry."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = fields.get("create_system", 3), mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return stream.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped(("a.py", "x", FILE)))
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    return bytes(content)


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            info = zipfile.ZipInfo(f"zeros-{number}")
            info.external_attr, info.compress_type = FILE << 16, zipfile.ZIP_DEFLATED
            with archive.open(info, "w") as file:
                for _ in range(88):
                    file.write(bytes(1 << 20))
    return stream.getvalue()


def liar() -> bytes:
    """Says that its file is of one byte, and holds a megabyte."""
    content = bytearray(zipped(("a.py", bytes(1 << 20), FILE)))
    struct.pack_into("<L", content, content.rindex(b"PK\x01\x02") + 24, 1)
    return bytes(content)


def large_directory(bytes_: int) -> bytes:
    content = bytearray(zipped(("a.py", "x", FILE)))
    struct.pack_into("<L", content, content.rindex(b"PK\x05\x06") + 12, bytes_)
    return bytes(content)


@pytest.fixture
def store(tmp_path) -> Artefacts:
    return Artefacts(tmp_path / "code", SystemClock())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "non-empty zip"),
        (b"no zip at all", "Could not unzip"),
        (zipped(("a.py", "x" * 1000, FILE))[:-30], "Could not unzip"),
        (zipped(), "non-empty zip"),
        (bytes(50 * 1024 * 1024 + 1), "Zipped size must be smaller"),
        (zipped(("/etc/passwd", "x", FILE)), "leads out of it"),
        (zipped(("../a.py", "x", FILE)), "leads out of it"),
        (zipped(("a/../../b.py", "x", FILE)), "leads out of it"),
        (zipped(("a", "/etc/passwd", LINK)), "leads out of it"),
        (zipped(("a", "../b", LINK)), "leads out of it"),
        (zipped(("a/b/c", "../../../d", LINK)), "leads out of it"),
        (zipped(("a/b", "../..", LINK)), "leads out of it"),
        (zipped(("a/b", "c/../../../d", LINK)), "leads out of it"),
        (zipped(("a", "", LINK)), "leads out of it"),
        (zipped(("a", "b", LINK), ("a/x.py", "x", FILE)), "entries below a, which is a link"),
        (zipped(("a", "b", FILE), ("a/x.py", "x", FILE)), "entries below a, which is a file"),
        (zipped(("a/x.py", "x", FILE), ("a", "b", LINK)), "two entries named a"),
        (zipped(("a.py", "x", FILE), ("./a.py", "y", FILE)), "two entries named a.py"),
        (zipped(("a.py", "x", stat.S_IFREG | 0o600)), "chmod 644"),
        (zipped(("pipe", "", stat.S_IFIFO | 0o644)), "no file, directory or link"),
        (zipped(("disk", "", stat.S_IFBLK | 0o644)), "no file, directory or link"),
        (zipped(("x" * 256, "", FILE)), "too long"),
        (encrypted(), "encrypted"),
        (bomb(), "Unzipped size must be smaller than 262144000"),
        (liar(), "Could not unzip"),
        (large_directory(1 << 30), "more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_leaves_nothing(store, content, words):
    with pytest.raises(ArtefactRefused, match=words):
        store.add(content)
    left = [path for path in store.root.rglob("*") if path.name != "layers" and path.suffix != ".zip"]
    assert left == []
    assert not list(store.root.parent.glob("*.py"))


def modes(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): stat.filemode(path.lstat().st_mode)
        for path in sorted(root.rglob("*"))
        if not path.is_symlink()
    }


def test_modes_are_lambdas_and_nothing_can_be_written(store):
    content = zipped(
        ("app.py", "x = 1", FILE),
        ("bin/", "", FOLDER),
        ("bin/tool", "#!/bin/sh", stat.S_IFREG | 0o755),
        ("deep/er/data", "d", stat.S_IFREG | 0o666),
        ("bin/again", "../deep/er/data", LINK),
    )
    old = os.umask(0o077)
    try:
        made = store.add(content)
    finally:
        os.umask(old)
    tree = store.path(made.sha256)
    assert modes(tree) == {
        "app.py": "-r--r--r--",
        "bin": "dr-xr-xr-x",
        "bin/tool": "-r-xr-xr-x",
        "deep": "dr-xr-xr-x",
        "deep/er": "dr-xr-xr-x",
        "deep/er/data": "-r--r--r--",
    }
    assert stat.filemode(tree.stat().st_mode) == "dr-xr-xr-x"
    assert (tree / "bin/again").read_text() == "d"
    assert store.zip_path(made.sha256).read_bytes() == content
    assert stat.filemode(store.root.stat().st_mode) == "drwx------"
    assert (made.size_bytes, made.unzipped_bytes) == (len(content), 5 + 9 + 1)


def test_a_zip_of_windows_has_no_modes_and_can_be_read(store):
    made = store.add(zipped(("app.py", "x = 1", 0), create_system=0))
    assert modes(store.path(made.sha256)) == {"app.py": "-r--r--r--"}


def test_the_same_zip_is_unpacked_once(store):
    content = zipped(("app.py", "x = 1", FILE))
    first = store.add(content)
    file = store.path(first.sha256) / "app.py"
    inode = file.stat().st_ino
    assert store.add(content) == first == store.find(first.sha256)
    assert file.stat().st_ino == inode
    assert store.has(first.sha256)


def test_what_a_killed_engine_left_is_removed(tmp_path):
    root = tmp_path / "code"
    Artefacts(root, SystemClock())
    (root / ".new-abc").mkdir()
    (root / ".new-abc" / "half").write_text("x")
    Artefacts(root, SystemClock())
    assert [path.name for path in root.iterdir()] == ["layers"]


def test_what_is_not_here(store):
    with pytest.raises(NotFound, match="upload it again"):
        store.find("ab" * 32)


def test_layers_lie_over_each_other_in_order(store):
    first = store.add(zipped(("python/a.py", "1", FILE), ("python/b", "a.py", LINK), ("lib/x", "1", FILE)))
    second = store.add(zipped(("python/a.py", "2", FILE), ("python/b/c.py", "2", FILE), ("lib", "2", FILE)))
    merged = store.merged([first.sha256, second.sha256])
    assert {str(path.relative_to(merged)): path.read_text() for path in merged.rglob("*") if path.is_file()} == {
        "python/a.py": "2",
        "python/b/c.py": "2",
        "lib": "2",
    }
    other = store.merged([second.sha256, first.sha256])
    assert (other / "python/a.py").read_text() == "1"
    assert (other / "python/b").is_symlink()
    assert store.merged([first.sha256, second.sha256]) == merged != other


def test_code_and_layers_have_one_limit(store):
    halves = [store.add(zipped((f"{n}", bytes(130 * 1024 * 1024), FILE))).sha256 for n in range(2)]
    store.check_size(halves[:1])
    with pytest.raises(ArtefactRefused, match="combined with layers"):
        store.check_size(halves)


def test_what_nobody_names_goes_when_it_is_no_longer_young(tmp_path):
    clock = VirtualClock(SystemClock().now())
    store = Artefacts(tmp_path / "code", clock)
    code, layer, lost = (store.add(zipped((name, name, FILE))).sha256 for name in ("code", "layer", "lost"))
    kept, gone = store.merged([layer]), store.merged([lost])
    named = [(code, layer), (layer,)]
    assert store.collect(named) == []
    later = Artefacts(store.root, VirtualClock(clock.now() + 601))
    assert later.collect(named) == sorted([lost, f"{lost}.zip", gone.name])
    assert [later.has(digest) for digest in (code, layer, lost)] == [True, True, False]
    assert kept.exists()
    assert later.collect(named) == []


def test_a_digest_as_aws_writes_it():
    assert aws_digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") == (
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    )


def test_a_zip_from_a_path(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"x")
    assert read_local(tmp_path / "a.zip", public_only=False) == b"x"
    with pytest.raises(ArtefactRefused, match="No such file"):
        read_local(tmp_path / "b.zip", public_only=False)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ArtefactRefused, match=r"no regular file|Is a directory"):
            read_local(path, public_only=False)


def test_what_not_everybody_can_read_is_for_the_owner_alone():
    with tempfile.TemporaryDirectory() as folder:
        place, file, link = Path(folder), Path(folder) / "a.zip", Path(folder) / "link"
        file.write_bytes(b"x")
        link.symlink_to(file)
        for folder_mode, file_mode, allowed in ((0o755, 0o644, True), (0o700, 0o644, False), (0o755, 0o600, False)):
            place.chmod(folder_mode)
            file.chmod(file_mode)
            for path in (file, link):
                if allowed:
                    assert read_local(path, public_only=True) == b"x"
                else:
                    with pytest.raises(ArtefactRefused, match="sign requests"):
                        read_local(path, public_only=True)


NAMES = st.text(st.sampled_from("ab./~ \\é"), min_size=1, max_size=8)
MODES = st.sampled_from([0, FILE, LINK, FOLDER, stat.S_IFREG | 0o755, stat.S_IFREG | 0o600])


@given(st.lists(st.tuples(NAMES, MODES), max_size=6))
def test_a_plan_is_refused_or_has_nothing_outside_and_parents_first(entries):
    infos = []
    for name, mode in entries:
        info = zipfile.ZipInfo(name)
        info.external_attr, info.create_system = mode << 16, 3
        infos.append(info)
    try:
        planned = plan(infos)
    except ArtefactRefused:
        return
    seen: set[tuple[str, ...]] = set()
    for path, entry in planned.items():
        assert ".." not in path
        assert "" not in path
        assert path[:-1] in seen | {()}
        if entry.kind is Kind.DIRECTORY:
            seen.add(path)
    assert {path: entry for path, (_, entry) in merge([planned, planned]).items()} == planned


@given(st.lists(st.sampled_from(["..", "a", ".", "b"]), max_size=5), st.integers(1, 4))
def test_a_link_that_is_taken_stays_inside(target, depth):
    entry = Entry(("x",) * depth, Kind.LINK)
    try:
        check_link(entry, "/".join(target))
    except ArtefactRefused:
        return
    resolved = os.path.normpath("/".join(("root", *entry.path[:-1], *target)))
    assert resolved.split("/")[0] == "root"


def test_the_same_zip_at_the_same_time(store):
    content = zipped(*((f"{number}.py", "x", FILE) for number in range(200)))
    with ThreadPoolExecutor(4) as threads:
        made = set(threads.map(lambda _: store.add(content), range(8)))
    assert len(made) == 1
    assert len(list(store.path(made.pop().sha256).iterdir())) == 200


async def test_a_sweep_keeps_what_functions_versions_and_layers_name(tmp_path):
    clock = VirtualClock(SystemClock().now())
    store, client = Artefacts(tmp_path / "code", clock), FakeClient()
    code, old, layer, lost = (store.add(zipped((name, name, FILE))).sha256 for name in ("a", "b", "c", "d"))
    for resource, name, spec in (
        (FUNCTIONS, "a", {"code": {"sha256": code}, "layers": [{"sha256": layer}]}),
        (FUNCTIONS, "image", {"code": {"image": "a:1"}}),
        (FUNCTION_VERSIONS, "a.1", {"code": {"sha256": old}}),
        (FUNCTION_LAYERS, "l.1", {"code": {"sha256": layer}}),
    ):
        await client.create(resource, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    task = asyncio.create_task(sweeping.run(client, store, clock))
    await clock.advance(sweeping.PERIOD_SECONDS - 1)
    assert store.has(lost)
    assert await sweeping.sweep(client, Artefacts(store.root, VirtualClock(clock.now() + 601))) == [lost, f"{lost}.zip"]
    assert [store.has(digest) for digest in (code, old, layer, lost)] == [True, True, True, False]
    task.cancel()
