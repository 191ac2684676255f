"""Bind Pods to Nodes that have room for them."""

from .reconcile import Seen, reconcile
from .sight import controller

__all__ = ["Seen", "controller", "reconcile"]
