"""Remember which image each container's root was made of, so that nobody deletes its layers from under it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .image import Image

FILE = "image.json"


def record_use(root: Path, image: Image) -> None:
    """Note, in a container's directory below `data/rootfs`, the image that its root is mounted of."""
    (root / FILE).write_bytes(msgspec.json.encode(image, enc_hook=str))


def images_in_use(data: Path) -> Iterator[Image]:
    """The image of every container that has a root, running or not."""
    for file in (data / "rootfs").glob(f"*/{FILE}"):
        # A container that ends just now takes its file with it.
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            yield msgspec.json.decode(file.read_bytes(), type=Image, dec_hook=lambda kind, text: kind(text))
