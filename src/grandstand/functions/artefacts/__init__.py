"""Keep the code of functions by the hash of its zip: unpacked once, read-only, collected when nobody names it.

Below the data directory: `<sha256>.zip`, `<sha256>/` (unpacked), and `layers/<hash of their hashes>/` for layers merged
in order. Whatever lies there under its own name is whole: it is made beside, and renamed. Calls block: make them in a
thread.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grandstand.clock import Clock
from grandstand.errors import ArtefactRefused, NotFound
from grandstand.node.trees import remove_tree
from grandstand.private_files import make_directory, write_private

from .entries import MOST_UNZIPPED_BYTES, MOST_ZIPPED_BYTES, merge, plan, too_large
from .unpack import open_zip, write_tree

YOUNG_SECONDS = 600.0
"""How long an artefact may lie here before a Function names it."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A zip that is here: `sha256` in hexadecimal digits, sizes of the zip and of what is in it."""

    sha256: str
    size_bytes: int
    unzipped_bytes: int


class Artefacts:
    """The store of one engine."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self._layers = root / "layers"
        self._clock = clock
        self._changing = threading.Lock()
        make_directory(root)
        make_directory(self._layers)
        for left in [*root.glob(".new-*"), *self._layers.glob(".new-*")]:
            _remove(left)  # of an engine that was killed

    def add(self, content: bytes) -> Artefact:
        """Check a zip, unpack and keep it; one that is here already is not unpacked again. Raises ArtefactRefused."""
        digest = hashlib.sha256(content).hexdigest()
        tree, archive = self.path(digest), self.zip_path(digest)
        with open_zip(content) as opened:
            entries = plan(opened.infolist())
            with self._changing:
                if not tree.exists():
                    write_private(archive, content)
                    whole = {path: (0, entry) for path, entry in entries.items()}
                    self._make(tree, lambda new: write_tree(new, whole, [opened]))
                os.utime(tree)
        return Artefact(digest, len(content), sum(entry.size_bytes for entry in entries.values()))

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_dir()

    def find(self, sha256: str) -> Artefact:
        """What is known of an artefact. Raises NotFound."""
        if not self.has(sha256):
            raise NotFound(f"There is no code with the hash {sha256} here: upload it again.")
        content = self.zip_path(sha256).read_bytes()
        with open_zip(content) as opened:
            return Artefact(sha256, len(content), sum(info.file_size for info in opened.infolist()))

    def check_size(self, digests: Sequence[str]) -> None:
        """Raise ArtefactRefused where code and layers are larger than 250 MB together."""
        if sum(self.find(digest).unzipped_bytes for digest in digests) > MOST_UNZIPPED_BYTES:
            raise ArtefactRefused(f"Function code combined with layers exceeds the maximum allowed size. {too_large()}")

    def path(self, sha256: str) -> Path:
        """Where the code lies, unpacked."""
        return self.root / sha256

    def zip_path(self, sha256: str) -> Path:
        return self.root / f"{sha256}.zip"

    def merged(self, layers: Sequence[str]) -> Path:
        """A directory with these layers over each other, the last on top, as /opt shows them."""
        place = self._layers / layers_key(layers)
        with self._changing:
            self._merge(place, layers)
            os.utime(place)
        return place

    def _merge(self, place: Path, layers: Sequence[str]) -> None:
        if not place.exists():
            zips = [open_zip(self.zip_path(self.find(layer).sha256).read_bytes()) for layer in layers]
            entries = merge(plan(opened.infolist()) for opened in zips)
            self._make(place, lambda new: write_tree(new, entries, zips))

    def collect(self, named: Iterable[Sequence[str]]) -> list[str]:
        """Remove what nobody names, and is not young; gives the names of what went.

        `named`: of each function and version its code, then its layers in order; of each layer itself.
        """
        named = [tuple(digests) for digests in named]
        code = {digest for digests in named for digest in digests}
        sets = {layers_key(digests[1:]) for digests in named}
        with self._changing:
            gone = [*self._unnamed(self._layers, sets), *self._unnamed(self.root, code | {"layers"})]
            for path in gone:
                _remove(path)
        return sorted(path.name for path in gone)

    def _unnamed(self, folder: Path, kept: Collection[str]) -> list[Path]:
        """Trees before zips: a zip without a tree is an artefact that is not there."""
        found = [path for path in folder.iterdir() if path.name.removesuffix(".zip") not in kept]
        old = [path for path in found if self._clock.now() - path.stat().st_mtime > YOUNG_SECONDS]
        return sorted(old, key=lambda path: path.suffix)

    def _make(self, place: Path, write: Callable[[Path], None]) -> None:
        new = place.with_name(f".new-{self._clock.suffix(10)}")
        try:
            write(new)
            new.rename(place)
        except BaseException:
            if new.exists():
                _remove(new)
            raise


def layers_key(layers: Sequence[str]) -> str:
    """The name of the directory of layers in this order."""
    return hashlib.sha256("\n".join(layers).encode()).hexdigest()


def aws_digest(sha256: str) -> str:
    """A digest in base64, as AWS's CodeSha256."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def read_local(path: Path, *, public_only: bool) -> bytes:
    """A zip from a path of this machine. Raises ArtefactRefused.

    `public_only`: only what every user of the machine could read, for whoever asks need not be this engine's owner.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would be waited for
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ArtefactRefused(f"{path} is no regular file.")
            if public_only and not _is_public(file.fileno()):
                raise ArtefactRefused(f"{path} cannot be read by every user: send it as ZipFile, or sign requests.")
            return file.read(MOST_ZIPPED_BYTES + 1)
    except OSError as error:
        raise ArtefactRefused(f"{path} cannot be read: {error.strerror}.") from error


def _is_public(descriptor: int) -> bool:
    """Whether everybody may read a file, and enter every directory above it; links to it do not matter."""
    real = Path(f"/proc/self/fd/{descriptor}").readlink()
    readable = os.fstat(descriptor).st_mode & stat.S_IROTH
    return bool(readable) and all(parent.stat().st_mode & stat.S_IXOTH for parent in real.parents)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


__all__ = ["Artefact", "Artefacts", "aws_digest", "layers_key", "read_local"]
