"""Read the manifests and configurations of strangers: every field has its type before it is used. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from .errors import UnsafeLayer
from .image import ImageConfig

MOST_BYTES = 4 * 2**20
"""Registries refuse manifests of more."""

MOST_LAYERS = 400
"""overlayfs stacks 500 at most, and each takes a descriptor while a root is mounted."""

T = TypeVar("T")


class Descriptor(msgspec.Struct, frozen=True):
    digest: str
    size: int = 0


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """One image; a list of images has no `config`."""

    media_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of the layers, the lowest first."""
        return tuple(layer.digest for layer in self.layers)


class _Run(msgspec.Struct, frozen=True, rename="pascal"):
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    stop_signal: str | None = None
    volumes: dict[str, object] | None = None
    exposed_ports: dict[str, object] | None = None
    labels: dict[str, str] | None = None


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] | None = None


class Configuration(msgspec.Struct, frozen=True):
    config: _Run | None = None
    rootfs: _RootFs = _RootFs()
    created: str | None = None

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return self.rootfs.diff_ids or ()

    @property
    def how_to_run(self) -> ImageConfig:
        run = self.config or _Run()
        return ImageConfig(
            entrypoint=run.entrypoint or (),
            cmd=run.cmd or (),
            env=run.env or (),
            user=run.user or "",
            working_dir=run.working_dir or "",
            stop_signal=run.stop_signal or "",
            volumes=tuple(run.volumes or ()),
            exposed_ports=tuple(run.exposed_ports or ()),
            labels=run.labels or {},
        )


def manifest_in(data: bytes) -> Manifest:
    """Raises UnsafeLayer for what is no manifest, or one of more layers than can be mounted."""
    manifest = _read(data, Manifest, "manifest")
    if len(manifest.layers) > MOST_LAYERS:
        raise UnsafeLayer(f"The image has {len(manifest.layers)} layers, and at most {MOST_LAYERS} can be mounted.")
    return manifest


def configuration_in(data: bytes) -> Configuration:
    """Raises UnsafeLayer for what is no configuration of an image."""
    return _read(data, Configuration, "configuration")


def _read(data: bytes, kind: type[T], what: str) -> T:
    if len(data) > MOST_BYTES:
        raise UnsafeLayer(f"The image's {what} has {len(data)} bytes, and {MOST_BYTES} are the most; it is refused.")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnsafeLayer(f"The image's {what} cannot be read: {error}.") from error
