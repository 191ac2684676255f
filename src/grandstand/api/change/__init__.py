"""Change objects as clients ask for it: four kinds of patch, and who owns which field. Inputs stay as they are."""

from __future__ import annotations

from .json_patch import json_patch
from .merge_patch import merge_patch
from .server_side import server_side_apply, track
from .strategic import strategic_merge

__all__ = ["json_patch", "merge_patch", "server_side_apply", "strategic_merge", "track"]
