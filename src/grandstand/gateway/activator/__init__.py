"""Hold requests for a Service that has nobody to serve them, and let them through when there is somebody."""

from __future__ import annotations

from .activator import Activator
from .failures import StartFailure
from .gates import Limits
from .wakeable import ScaleTarget, wakeable_services

__all__ = ["Activator", "Limits", "ScaleTarget", "StartFailure", "wakeable_services"]
