"""Users and groups of an image, read without leaving it."""

from __future__ import annotations

import os

import pytest

from grandstand.errors import CreateContainerError
from grandstand.node.runtime import User, resolve_user

PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44::/:/bin/false\nbroken\nhalf:x:notanumber:1::/:\n1000:x:7:8::/:\n"
GROUP = "root:x:0:\nweb:x:44:\nlogs:x:50:web,other\nmedia:x:51:other,web\nodd:x:99999999999:web\n"


@pytest.fixture
def rootfs(tmp_path):
    etc = tmp_path / "rootfs" / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text(PASSWD)
    (etc / "group").write_text(GROUP)
    return tmp_path / "rootfs"


@pytest.mark.parametrize(
    ("text", "gid", "expected"),
    [
        ("", None, User(0, 0)),
        ("web", None, User(33, 44, (50, 51))),
        ("33", None, User(33, 44, (50, 51))),
        ("web:logs", None, User(33, 50, (51,))),
        ("web:7", None, User(33, 7, (50, 51))),
        ("4711", None, User(4711, 0)),
        ("4711:4712", None, User(4711, 4712)),
        ("web", 9, User(33, 9, (50, 51))),
        ("1000", None, User(7, 8)),
    ],
    ids=["root", "name", "uid", "name:group", "name:gid", "stranger", "strangers", "runAsGroup", "name of digits"],
)
def test_resolve_user(rootfs, text, gid, expected):
    assert resolve_user(rootfs, text, gid=gid) == expected


@pytest.mark.parametrize("text", ["nobody", "web:nogroup", "-1", "4294967296", "half", "²"])
def test_who_is_not_in_the_image_is_refused(rootfs, text):
    with pytest.raises(CreateContainerError):
        resolve_user(rootfs, text)


def test_an_image_without_accounts_has_numbers_only(tmp_path):
    assert resolve_user(tmp_path, "12:13") == User(12, 13)
    with pytest.raises(CreateContainerError, match="no user 'web'"):
        resolve_user(tmp_path, "web")


def test_a_missing_root_file_system_is_said_so(tmp_path):
    with pytest.raises(CreateContainerError, match="no root file system"):
        resolve_user(tmp_path / "none", "web")


def test_links_lead_nowhere_but_inside_the_image(rootfs, tmp_path):
    outside = tmp_path / "secret"
    outside.write_text("evil:x:1:1::/:\n")
    passwd = rootfs / "etc" / "passwd"
    for target in (outside, "../../secret", "/proc/self/root" + str(outside)):
        passwd.unlink()
        passwd.symlink_to(target)
        with pytest.raises(CreateContainerError):
            resolve_user(rootfs, "evil")
    (rootfs / "usr").mkdir()
    (rootfs / "usr" / "passwd").write_text("inner:x:5:6::/:\n")
    passwd.unlink()
    passwd.symlink_to("/usr/passwd")
    assert resolve_user(rootfs, "inner") == User(5, 6)


def test_a_fifo_does_not_hang_the_engine(rootfs):
    (rootfs / "etc" / "passwd").unlink()
    os.mkfifo(rootfs / "etc" / "passwd")
    with pytest.raises(CreateContainerError):
        resolve_user(rootfs, "web")
