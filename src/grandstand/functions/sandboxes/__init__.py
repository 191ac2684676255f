"""Sandboxes for functions: forked from warm parents, bound to a function later, frozen, ended, recovered."""

from .binding import Binding
from .control import Control
from .sandbox import Sandbox
from .sandboxes import Runtime, Sandboxes

__all__ = ["Binding", "Control", "Runtime", "Sandbox", "Sandboxes"]
