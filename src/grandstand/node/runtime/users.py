"""Find the user that an image or a Pod names, in the image's own passwd and group files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from grandstand.errors import CreateContainerError
from grandstand.node.syscalls import open_in_root

from .spec import User

LARGEST_ID = 2**31 - 1
# A passwd of an image is data of a stranger: read no more of it than any real one has.
LARGEST_FILE = 1024 * 1024


def resolve_user(rootfs: Path, text: str, *, gid: int | None = None) -> User:
    """The user for an image's `User`: `name`, `uid`, `name:group`, `uid:gid` or nothing (root).

    `gid` replaces the group, as `runAsGroup` does. Additional groups are those that `etc/group` lists the user in.
    Raises CreateContainerError for a name that the image does not have.
    """
    user_text, _, group_text = text.partition(":")
    accounts = list(_entries(rootfs, "passwd"))
    groups = list(_entries(rootfs, "group"))
    name, uid, primary = _find_user(user_text or "0", accounts)
    if gid is None:
        gid = _find_group(group_text, groups) if group_text else primary
    return User(uid, gid, tuple(sorted({int(row[2]) for row in groups if name and name in row[3].split(",")} - {gid})))


def _find_user(text: str, accounts: list[list[str]]) -> tuple[str | None, int, int]:
    """Name, uid and primary gid. A number need not be in the file: it then has no name, and the group 0."""
    for row in accounts:
        if text in (row[0], row[2]) and row[3].isdecimal():
            return row[0], int(row[2]), int(row[3])
    return None, _number(text, "user", "etc/passwd"), 0


def _find_group(text: str, groups: list[list[str]]) -> int:
    for row in groups:
        if text in (row[0], row[2]):
            return int(row[2])
    return _number(text, "group", "etc/group")


def _number(text: str, what: str, file: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise CreateContainerError(f"the image has no {what} {text!r} in its {file}; name one that it has, or a number")
    if int(text) > LARGEST_ID:
        raise CreateContainerError(f"the {what} id {text} is larger than {LARGEST_ID}")
    return int(text)


def _entries(rootfs: Path, name: str) -> Iterator[list[str]]:
    """Lines of `etc/<name>` with at least four fields and a number in the third, as passwd(5) and group(5) have."""
    for line in _read_inside(rootfs, name).decode(errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) >= 4 and fields[2].isascii() and fields[2].isdecimal() and int(fields[2]) <= LARGEST_ID:
            yield fields


def _read_inside(rootfs: Path, name: str) -> bytes:
    """`etc/<name>` of the image, or nothing. Links lead nowhere but inside the image."""
    try:
        root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise CreateContainerError(f"there is no root file system at {rootfs}; mount the image first") from None
    try:
        # A fifo in an image would otherwise block the engine for ever.
        with os.fdopen(open_in_root(root, f"etc/{name}", os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return file.read(LARGEST_FILE) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(root)
