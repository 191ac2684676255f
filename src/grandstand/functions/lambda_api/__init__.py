"""Lambda's API on a port of its own: AWS's REST protocol, translated to Function objects."""

from __future__ import annotations

from .app import build
from .ports import Answer, Auth, InvokeKind, Invoker, LogEvent, LogQuery, Logs, LogStream, Settings

__all__ = [
    "Answer",
    "Auth",
    "InvokeKind",
    "Invoker",
    "LogEvent",
    "LogQuery",
    "LogStream",
    "Logs",
    "Settings",
    "build",
]
