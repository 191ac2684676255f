"""What a request to the API does: read, create, change and delete objects, the same for HTTP and in process."""

from __future__ import annotations

from .registry import Deleted, Registry
from .writer import Written

__all__ = ["Deleted", "Registry", "Written"]
