"""Unpack one layer into a directory of its own, whatever the archive tries.

Every path is resolved by the kernel inside the layer's root (openat2 with RESOLVE_IN_ROOT), never by joining
strings; whiteouts become overlayfs' own (a character device 0:0, `trusted.overlay.opaque`) and are never
looked up through links.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import IO, Final, cast

from grandstand.node.syscalls import open_in_root

from .errors import UnsafeLayer

WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
KEPT_ATTRIBUTES: Final = ("security.capability", "user.")

MOST_ENTRIES: Final = 1_000_000
MOST_STEPS: Final = 256
MOST_HEADER_BYTES: Final = 1 << 20
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY
_HEADERS: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"K")


def unpack_layer(stream: IO[bytes], target: Path, most_bytes: int) -> str:
    """Unpack an uncompressed layer into an empty directory; returns its diff id, `sha256:…` of what was read.

    Raises UnsafeLayer for an entry that no honest layer has and for files of more than `most_bytes` together,
    tarfile.TarError for a broken archive, OSError where the file system refuses.
    """
    hashed = _Hashed(stream)
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        writer = _LayerWriter(root, most_bytes)
        source = cast("IO[bytes]", hashed)
        with tarfile.open(fileobj=source, mode="r|", bufsize=1 << 18, tarinfo=_Entry) as archive:
            for count, member in enumerate(archive):
                if count >= MOST_ENTRIES:
                    raise UnsafeLayer(f"The layer holds more than {MOST_ENTRIES} entries; the image is refused.")
                writer.write(archive, member)
                archive.members.clear()  # type: ignore[attr-defined]  # never looked at again, and they add up
        writer.finish()
    except (OverflowError, ValueError, RecursionError) as error:
        raise UnsafeLayer(f"The layer holds an entry that makes no sense: {error}.") from error
    finally:
        os.close(root)
    while hashed.read(1 << 18):  # what follows the archive's end mark belongs to the digest
        pass
    return f"sha256:{hashed.digest.hexdigest()}"


class _Hashed:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.digest.update(data)
        return data


class _Entry(tarfile.TarInfo):
    """An entry whose long names and extended headers, which tarfile reads into memory, have a limit."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > MOST_HEADER_BYTES:
            raise UnsafeLayer(f"The layer holds a header of {self.size} bytes; the image is refused.")
        return cast("tarfile.TarInfo", super()._proc_member(archive))  # type: ignore[misc]


class _LayerWriter:
    def __init__(self, root: int, most_bytes: int) -> None:
        self._root = root
        self._left = most_bytes
        self._times: list[tuple[tuple[str, ...], int]] = []

    def write(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = _parts(member.name)
        if not parts:
            self._write_root(member)
            return
        name = parts[-1]
        if name.startswith(WHITEOUT):
            self._write_whiteout(parts)
        elif not (member.ischr() or member.isblk()):
            with self._opened(parts[:-1]) as parent:
                self._write_entry(archive, member, parent, parts)
        # Device nodes are left out: a container's /dev is made anew, and no image may bring one.

    def finish(self) -> None:
        """Set the times of directories, which writing into them has changed."""
        for parts, mtime in reversed(self._times):
            with self._opened(parts) as directory:
                os.utime(directory, (mtime, mtime))

    def _write_root(self, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            raise UnsafeLayer(f"The layer's root entry {member.name!r} is not a directory; the image is refused.")
        os.fchown(self._root, member.uid, member.gid)
        os.fchmod(self._root, stat.S_IMODE(member.mode))

    def _write_whiteout(self, parts: tuple[str, ...]) -> None:
        name = parts[-1]
        if name == OPAQUE:
            with self._opened(parts[:-1], follow=False) as parent:
                os.setxattr(parent, "trusted.overlay.opaque", b"y")
            return
        hidden = name.removeprefix(WHITEOUT)
        if hidden.startswith(WHITEOUT):
            return  # aufs' own bookkeeping
        if hidden in ("", ".", ".."):
            raise UnsafeLayer(f"The layer hides {'/'.join(parts)!r}, which names no file; the image is refused.")
        with self._opened(parts[:-1], follow=False) as parent, contextlib.suppress(FileExistsError):
            os.mknod(hidden, stat.S_IFCHR | 0o000, os.makedev(0, 0), dir_fd=parent)

    def _write_entry(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, parts: tuple[str, ...]
    ) -> None:
        name = parts[-1]
        if member.isdir():
            self._make_directory(member, parent, parts)
            return
        _remove(name, parent)
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
            os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
            os.utime(name, (member.mtime, member.mtime), dir_fd=parent, follow_symlinks=False)
        elif member.islnk():
            self._link(member, parent, name)
        elif member.isfifo():
            os.mkfifo(name, dir_fd=parent)
            os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
            os.chmod(name, stat.S_IMODE(member.mode), dir_fd=parent)
        elif member.isreg():
            self._write_file(archive, member, parent, name)
        else:
            raise UnsafeLayer(
                f"The layer holds {member.name!r} of the unknown type {member.type!r}; the image is refused."
            )

    def _make_directory(self, member: tarfile.TarInfo, parent: int, parts: tuple[str, ...]) -> None:
        name = parts[-1]
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                _remove(name, parent)
                os.mkdir(name, 0o700, dir_fd=parent)
        directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            _own(directory, member)
        finally:
            os.close(directory)
        self._times.append((parts, int(member.mtime)))

    def _write_file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str) -> None:
        self._left -= member.size
        if self._left < 0:
            raise UnsafeLayer(f"The layer unpacks to more than this machine's disk has room for: {member.name!r}.")
        source = archive.extractfile(member)
        assert source is not None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            shutil.copyfileobj(source, file, 1 << 18)
            file.flush()
            _own(file.fileno(), member)
            os.utime(file.fileno(), (member.mtime, member.mtime))

    def _link(self, member: tarfile.TarInfo, parent: int, name: str) -> None:
        target = _parts(member.linkname)
        if not target:
            raise UnsafeLayer(f"The layer links {member.name!r} to its own root; the image is refused.")
        with self._opened(target[:-1], make=False) as directory:
            os.link(target[-1], name, src_dir_fd=directory, dst_dir_fd=parent, follow_symlinks=False)

    def _opened(
        self, parts: tuple[str, ...], *, follow: bool = True, make: bool = True
    ) -> contextlib.closing[_Descriptor]:
        return contextlib.closing(_Descriptor(self._open(parts, follow=follow, make=make)))

    def _open(self, parts: tuple[str, ...], *, follow: bool, make: bool) -> int:
        try:
            return open_in_root(self._root, "/".join(parts) or ".", _DIRECTORY, follow_links=follow)
        except FileNotFoundError:
            if not make:
                raise UnsafeLayer(f"The layer links to {'/'.join(parts)!r}, which it does not hold.") from None
        except NotADirectoryError:
            raise UnsafeLayer(f"The layer uses {'/'.join(parts)!r} as a directory, but it is none.") from None
        except OSError as error:
            raise UnsafeLayer(f"The layer reaches {'/'.join(parts)!r} through links: {error.strerror}.") from error
        parent = self._open(parts[:-1], follow=follow, make=True)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(parts[-1], 0o755, dir_fd=parent)
        finally:
            os.close(parent)
        try:
            return open_in_root(self._root, "/".join(parts), _DIRECTORY, follow_links=follow)
        except OSError as error:
            raise UnsafeLayer(f"The layer's path {'/'.join(parts)!r} leads nowhere: {error.strerror}.") from error


class _Descriptor(int):
    """A file descriptor that contextlib.closing can close."""

    def close(self) -> None:
        os.close(self)


def _parts(name: str) -> tuple[str, ...]:
    """The steps of an archive path, relative to the root. Raises UnsafeLayer where one leads upwards."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or "\0" in name:
        raise UnsafeLayer(f"The layer holds the path {name!r}, which leads out of its root; the image is refused.")
    if len(parts) > MOST_STEPS:
        raise UnsafeLayer(f"The layer holds a path of {len(parts)} steps; the image is refused.")
    return parts


def _remove(name: str, parent: int) -> None:
    """Remove an earlier entry of the same name: the last one in a layer counts."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=parent)  # no deeper than a path of ours


def _own(descriptor: int, member: tarfile.TarInfo) -> None:
    """Give an entry its owner, then its mode (a change of owner clears setuid), then the attributes worth keeping."""
    os.fchown(descriptor, member.uid, member.gid)
    os.fchmod(descriptor, stat.S_IMODE(member.mode))
    for key, value in member.pax_headers.items():
        attribute = key.removeprefix("SCHILY.xattr.")
        if attribute != key and attribute.startswith(KEPT_ATTRIBUTES):
            os.setxattr(descriptor, attribute, value.encode("utf-8", "surrogateescape"))
