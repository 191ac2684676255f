"""Find the images in OCI layouts, OCI archives and `docker save` archives, as sources that skopeo reads."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .content import GZIP_MAGIC, ZSTD_MAGIC, hex_of, uncompressed
from .documents import MOST_BYTES
from .errors import ImageError

NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


@dataclass(frozen=True, slots=True)
class Source:
    """An image in an archive: how skopeo names it, and the name that the archive gives it (None: none)."""

    transport: str
    name: str | None


class _Listed(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _Index(msgspec.Struct):
    """The index.json of an OCI layout."""

    manifests: list[_Listed] = []


class _Saved(msgspec.Struct):
    """An image in the manifest.json of `docker save`."""

    names: tuple[str, ...] | None = msgspec.field(name="RepoTags", default=None)


def plain(path: Path, workspace: Path) -> Path:
    """The archive itself, or where it is compressed (which skopeo 1.9 cannot read) an unpacked copy in `workspace`."""
    if path.is_dir():
        return path
    with path.open("rb") as file:
        if not file.read(4).startswith((GZIP_MAGIC, ZSTD_MAGIC)):
            return path
    copy = workspace / "archive.tar"
    with uncompressed(path) as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return copy


def images_in(path: Path) -> list[Source]:
    """Every image in an archive or layout. Raises ImageError when there is none."""
    if path.is_dir():
        if not (path / "index.json").exists():
            raise ImageError(f"{path} is no OCI layout: it has no index.json.")
        sources = list(_of_layout("oci", path, _json(_beginning(path / "index.json"), path)))
    else:
        sources = list(_of_archive(path))
    if not sources:
        raise ImageError(f"{path} holds no image.")
    return sources


def _of_archive(path: Path) -> Iterator[Source]:
    try:
        with tarfile.open(path) as archive:
            names = {member.name.removeprefix("./"): member for member in archive}
            for name in ("index.json", "manifest.json"):
                if name in names and (file := archive.extractfile(names[name])) is not None:
                    found = _json(file.read(MOST_BYTES), path)
                    # Newer `docker save` writes both; without blobs of an OCI layout only manifest.json counts.
                    if name == "index.json" and "oci-layout" in names:
                        yield from _of_layout("oci-archive", path, found)
                        return
                    if name == "manifest.json":
                        yield from _of_docker(path, found)
                        return
    except (tarfile.TarError, EOFError) as error:
        raise ImageError(f"{path} is no tar archive: {error}.") from error
    raise ImageError(f"{path} holds neither an OCI layout nor a `docker save` archive.")


def _of_layout(transport: str, path: Path, index: Any) -> Iterator[Source]:
    try:
        manifests = msgspec.convert(index, _Index).manifests
    except msgspec.ValidationError as error:
        raise ImageError(f"{path} holds no valid index: {error}.") from error
    for manifest in manifests:
        annotations = manifest.annotations or {}
        reference = annotations.get("org.opencontainers.image.ref.name")
        name = next((annotations[a] for a in NAME_ANNOTATIONS if a in annotations), None)
        if reference is None and len(manifests) > 1:
            raise ImageError(f"{path} holds several images, some without a name; save them one by one.")
        # A bare tag ("latest", "v1") is no name of an image.
        named = name if name is not None and (":" in name or "/" in name) else None
        yield Source(f"{transport}:{path}" + (f":{reference}" if reference else ""), named)


def _of_docker(path: Path, manifest: Any) -> Iterator[Source]:
    try:
        entries = msgspec.convert(manifest, list[_Saved])
    except msgspec.ValidationError as error:
        raise ImageError(f"{path} holds no valid manifest.json: {error}.") from error
    for position, entry in enumerate(entries):
        for name in entry.names or (None,):
            yield Source(f"docker-archive:{path}:@{position}", name)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def _json(data: bytes, path: Path) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ImageError(f"{path} holds no valid list of images: {error}.") from error


def manifest_digest(layout: Path) -> str:
    """The digest of the manifest in a `dir:` layout of skopeo."""
    return f"sha256:{hashlib.sha256((layout / 'manifest.json').read_bytes()).hexdigest()}"


def blob_name(digest: str) -> str:
    """The file of a blob in a `dir:` layout of skopeo."""
    return hex_of(digest)
