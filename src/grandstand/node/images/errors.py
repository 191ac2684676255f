"""What can go wrong with an image, with the reason that a Pod's status shows."""

from __future__ import annotations

from grandstand.errors import PeerError


class ImageError(PeerError):
    """An image cannot be had; `reason` is that of the container's Waiting state."""

    def __init__(self, message: str, reason: str = "ErrImagePull") -> None:
        super().__init__(message)
        self.reason = reason


class UnsafeLayer(ImageError):
    """A layer tries to reach out of its own root, or is not what its digest says."""
