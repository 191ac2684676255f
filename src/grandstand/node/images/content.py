"""Blobs by digest, unpacked layers by diff id, and the index of names: what lies in `data/images`.

Several processes use it at once (the engine, the command line): whoever changes the index holds the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import os
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast

import msgspec

from grandstand.node.trees import remove_tree

from .documents import MOST_BYTES, Configuration, Manifest, configuration_in, manifest_in
from .errors import ImageError, UnsafeLayer
from .unpack import unpack_layer

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
KEPT_FREE = 20
"""An image may not fill the disk: a twentieth stays free, for the store and for logs."""


class Content:
    """The image store of one data directory. All paths are made when they are needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for part in ("blobs", "layers", "tmp"):
            (directory / part).mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock for changing the index; blocks while another process holds it."""
        with (self._directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def temporary(self) -> Iterator[str]:
        """A directory on the same file system, removed at the end whatever was unpacked into it."""
        made = tempfile.mkdtemp(dir=self._directory / "tmp")
        try:
            yield made
        finally:
            remove_tree(Path(made))

    def room(self) -> int:
        """How many bytes an image may still take: what the file system has, but for a part that it keeps."""
        status = os.statvfs(self._directory)
        return max(0, (status.f_bavail - status.f_blocks // KEPT_FREE) * status.f_frsize)

    def index(self) -> dict[str, str]:
        """Names -> manifest digests."""
        try:
            return cast("dict[str, str]", msgspec.json.decode((self._directory / "index.json").read_bytes()))
        except FileNotFoundError:
            return {}

    def save_index(self, index: Mapping[str, str]) -> None:
        """Replace the index in one durable step; the caller holds the lock."""
        path = self._directory / "index.json"
        written = path.with_suffix(".new")
        with written.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(index)))
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)

    def blob(self, digest: str) -> Path:
        return self._directory / "blobs" / hex_of(digest)

    def layer(self, diff_id: str) -> Path:
        return self._directory / "layers" / hex_of(diff_id)

    def manifest(self, digest: str) -> Manifest:
        """Raises ImageError when it is missing, and UnsafeLayer when it is none."""
        return manifest_in(self._document(digest))

    def configuration(self, digest: str) -> Configuration:
        """Raises ImageError when it is missing, and UnsafeLayer when it is none."""
        return configuration_in(self._document(digest))

    def _document(self, digest: str) -> bytes:
        try:
            with self.blob(digest).open("rb") as file:
                return file.read(MOST_BYTES + 1)
        except FileNotFoundError as error:
            raise ImageError(f"The image store lacks {digest}. Load or pull the image again.") from error

    def add_blob(self, source: Path, digest: str) -> None:
        """Move a file in under its digest. Raises UnsafeLayer when its content has another."""
        with source.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != hex_of(digest):
            raise UnsafeLayer(
                f"A blob of the image should be {digest}, but is sha256:{found}: it is damaged or forged."
            )
        source.replace(self.blob(digest))

    def add_layer(self, digest: str, diff_id: str) -> None:
        """Unpack a blob as the layer of this diff id, unless it is there. Raises UnsafeLayer when it is another."""
        target = self.layer(diff_id)
        if target.exists():
            return
        with self.temporary() as made:
            directory = Path(made) / "layer"
            directory.mkdir(mode=0o755)
            with uncompressed(self.blob(digest)) as stream:
                found = unpack_layer(stream, directory, self.room())
            if found != diff_id:
                raise UnsafeLayer(f"A layer of the image should unpack to {diff_id}, but gives {found}.")
            # Renaming fails when another process was faster: its copy is the same.
            with contextlib.suppress(OSError):
                directory.rename(target)

    def sweep(self, blobs: set[str], layers: set[str]) -> None:
        """Remove what no image uses; `blobs` and `layers` are the digests to keep. The caller holds the lock."""
        for folder, keep in (("blobs", blobs), ("layers", layers)):
            kept = {hex_of(digest) for digest in keep}
            for path in (self._directory / folder).iterdir():
                if path.name not in kept:
                    path.unlink() if path.is_file() else remove_tree(path)


def hex_of(digest: str) -> str:
    """The hex part of a `sha256:…` digest. Raises UnsafeLayer for anything else: it becomes a file's name."""
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise UnsafeLayer(f"{digest!r} is no sha256 digest; the image is refused.")
    return value


@contextlib.contextmanager
def uncompressed(path: Path) -> Iterator[IO[bytes]]:
    """Read a blob that may be gzip, zstd or plain. Raises UnsafeLayer when the compressed data is broken."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        try:
            if magic.startswith(GZIP_MAGIC):
                with gzip.open(file) as stream:
                    yield cast("IO[bytes]", stream)
            elif magic == ZSTD_MAGIC:
                with _zstd(file) as stream:
                    yield stream
            else:
                yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnsafeLayer(f"A layer of the image is cut off or damaged: {error}.") from error


@contextlib.contextmanager
def _zstd(file: IO[bytes]) -> Iterator[IO[bytes]]:
    try:
        process = subprocess.Popen(["zstd", "-dc"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise ImageError("The image is compressed with zstd, which is not installed: `apt-get install zstd`.") from None
    with process:
        assert process.stdout is not None
        yield process.stdout
    if process.returncode:
        raise UnsafeLayer("A layer of the image is no valid zstd stream.")
