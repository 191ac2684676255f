"""The only place that knows HAProxy: its configuration, its runtime commands, its process."""

from __future__ import annotations

from .configuration import ACTIVATOR, ACTIVATOR_SOCKET, EMPTY_DIRECTORY, NO_ENDPOINT, RELEASED_SOCKET, Layout, Settings
from .process import Home
from .proxy import Place, Proxy, Wanted
from .statistics import Counters, Look

__all__ = [
    "ACTIVATOR",
    "ACTIVATOR_SOCKET",
    "EMPTY_DIRECTORY",
    "NO_ENDPOINT",
    "RELEASED_SOCKET",
    "Counters",
    "Home",
    "Layout",
    "Look",
    "Place",
    "Proxy",
    "Settings",
    "Wanted",
]
