"""Layers are unpacked as they say, and never reach out of their own root. Needs root (owners, whiteouts)."""

import hashlib
import io
import os
import stat
import tarfile

import pytest

from grandstand.node.images import UnsafeLayer
from grandstand.node.images.unpack import unpack_layer


def entry(name, kind=tarfile.REGTYPE, content=b"", **fields):
    member = tarfile.TarInfo(name)
    member.type = kind
    member.size = len(content)
    member.mode = fields.pop("mode", 0o755 if kind == tarfile.DIRTYPE else 0o644)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def layer(*entries):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in entries:
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


ROOM = 1 << 30


def unpack(directory, *entries):
    data = layer(*entries)
    assert unpack_layer(io.BytesIO(data), directory, ROOM) == f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def root(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("untouched")
    made = tmp_path / "root"
    made.mkdir()
    return made


def untouched(root):
    outside = root.parent / "outside"
    return [path.name for path in outside.iterdir()] == ["secret"] and (outside / "secret").read_text() == "untouched"


DIRECTORY, LINK, HARD, FIFO, DEVICE = (
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
)


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../outside/new", content=b"x")],
        [entry("a/../../outside/new", content=b"x")],
        [entry("", LINK, linkname="/")],
        [entry("./", LINK, linkname="../outside")],
        [entry("hard", HARD, linkname="../outside/secret")],
        [entry("hard", HARD, linkname="")],
        [entry("hard", HARD, linkname="missing/secret")],
        [entry("l", LINK, linkname="../outside"), entry("l/.wh.secret")],
        [entry("l", LINK, linkname="../outside"), entry("l/.wh..wh..opq")],
        [entry(".wh...")],
        [entry(".wh..")],
        [entry(".wh.")],
        [entry("file", content=b"x"), entry("file/below", content=b"x")],
        [entry("loop", LINK, linkname="loop"), entry("loop/below", content=b"x")],
        [entry("l", LINK, linkname="/proc/self/root"), entry("l/tmp/new", content=b"x")],
    ],
    ids=[
        "up", "up in the middle", "root is a link", "root is a link out", "hard link out", "hard link to the root",
        "hard link to nothing", "whiteout through a link", "opaque through a link", "whiteout of ..", "whiteout of .",
        "whiteout of nothing", "file as a directory", "links in a circle", "magic link",
    ],
)  # fmt: skip
def test_hostile_layers(root, entries):
    with pytest.raises(UnsafeLayer, match="layer"):
        unpack(root, *entries)
    assert untouched(root)


@pytest.mark.parametrize("target", ["/inside", "../../../../../inside", "inside"], ids=["absolute", "upwards", "plain"])
def test_links_are_followed_inside_the_root(root, target):
    unpack(root, entry("inside", DIRECTORY), entry("l", LINK, linkname=target), entry("l/new", content=b"x"))
    assert (root / "inside/new").read_text() == "x"


def test_a_directory_that_is_a_link_to_nothing_is_refused(root):
    outside = str(root.parent / "outside")
    with pytest.raises(UnsafeLayer, match="leads nowhere"):
        unpack(root, entry("l", LINK, linkname=outside), entry("l/new", content=b"x"))
    assert untouched(root)


def test_everything_that_an_honest_layer_holds(root):
    unpack(
        root,
        entry("./", DIRECTORY, mode=0o751, uid=3, gid=4),
        entry("bin", DIRECTORY, mode=0o755, mtime=1_000_000_000),
        entry("bin/sudo", content=b"#!", mode=0o4755, uid=0, gid=0, mtime=1_500_000_000),
        entry("bin/su", HARD, linkname="bin/sudo"),
        entry("/absolute", content=b"in the root"),
        entry("lib", LINK, linkname="usr/lib"),
        entry("pipe", FIFO, mode=0o600),
        entry("dev/null", DEVICE, devmajor=1, devminor=3),
        entry("file", content=b"first"),
        entry("file", content=b"last", uid=1000, gid=1001),
        entry(
            "cap",
            content=b"x",
            pax_headers={"SCHILY.xattr.user.note": "kept", "SCHILY.xattr.trusted.overlay.opaque": "y"},
        ),
    )
    assert stat.S_IMODE(root.stat().st_mode) == 0o751
    assert (root.stat().st_uid, root.stat().st_gid) == (3, 4)
    sudo = (root / "bin/sudo").stat()
    assert stat.S_IMODE(sudo.st_mode) == 0o4755
    assert (int(sudo.st_mtime), sudo.st_nlink) == (1_500_000_000, 2)
    assert int((root / "bin").stat().st_mtime) == 1_000_000_000
    assert (root / "absolute").read_text() == "in the root"
    assert str((root / "lib").readlink()) == "usr/lib"
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)
    assert not (root / "dev").exists()
    assert (root / "file").read_text() == "last"
    assert (root / "file").stat().st_gid == 1001
    assert os.listxattr(root / "cap") == ["user.note"]


def test_whiteouts_become_those_of_overlayfs(root):
    unpack(
        root, entry("etc/.wh.passwd"), entry("var/.wh..wh..opq"), entry("var/new", content=b"x"), entry(".wh..wh.plnk")
    )
    hidden = (root / "etc/passwd").lstat()
    assert stat.S_ISCHR(hidden.st_mode)
    assert hidden.st_rdev == os.makedev(0, 0)
    assert os.getxattr(root / "var", "trusted.overlay.opaque") == b"y"
    assert sorted(path.name for path in root.iterdir()) == ["etc", "var"]


def test_an_entry_beside_its_own_whiteout_stays(root):
    unpack(root, entry("a", content=b"new"), entry(".wh.a"), entry(".wh.b"), entry("b", content=b"new"))
    assert (root / "a").read_text() == (root / "b").read_text() == "new"
