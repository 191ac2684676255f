"""Images: named, checked, unpacked once, and mounted for each container (`node.rootfs`)."""

from __future__ import annotations

from .errors import ImageError, UnsafeLayer
from .image import Image, ImageConfig
from .images import Images
from .in_use import images_in_use, record_use
from .references import Reference, candidates, parse_reference

__all__ = [
    "Image",
    "ImageConfig",
    "ImageError",
    "Images",
    "Reference",
    "UnsafeLayer",
    "candidates",
    "images_in_use",
    "parse_reference",
    "record_use",
]
