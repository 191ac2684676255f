"""Images: named, checked, unpacked once, and mounted for each container (`node.rootfs`)."""

from __future__ import annotations

from .errors import ImageError, UnsafeLayer
from .images import Image, ImageConfig, Images
from .references import Reference, candidates, parse_reference

__all__ = [
    "Image",
    "ImageConfig",
    "ImageError",
    "Images",
    "Reference",
    "UnsafeLayer",
    "candidates",
    "parse_reference",
]
