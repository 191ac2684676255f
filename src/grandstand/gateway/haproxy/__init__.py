"""The only place that knows HAProxy: its configuration, its runtime commands, its process."""

from __future__ import annotations

from .configuration import Layout, Settings
from .process import Home
from .proxy import Place, Proxy, Wanted
from .statistics import Counters

__all__ = ["Counters", "Home", "Layout", "Place", "Proxy", "Settings", "Wanted"]
