"""Hold requests for a Service that has nobody to serve them, and let them through when there is somebody."""

from __future__ import annotations

from .activator import MOST_WAITING, Activator
from .failures import StartFailure
from .wakeable import ScaleTarget, wakeable_services

__all__ = ["MOST_WAITING", "Activator", "ScaleTarget", "StartFailure", "wakeable_services"]
