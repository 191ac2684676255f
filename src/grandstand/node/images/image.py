"""What an image is: its identity, its layers, and how it wants to be run."""

from __future__ import annotations

from pathlib import Path

import msgspec


class ImageConfig(msgspec.Struct, frozen=True):
    """How an image wants to be run, as its Containerfile says."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    labels: dict[str, str] = {}


class Image(msgspec.Struct, frozen=True):
    """One image: `id` is the digest of its configuration, `digest` that of its manifest; layers lowest first."""

    id: str
    digest: str
    references: tuple[str, ...]
    config: ImageConfig
    layers: tuple[Path, ...]
    size_bytes: int
    created: str
