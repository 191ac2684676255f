"""Replace a version by the next, blue-green or as a canary, as Argo Rollouts does."""

from .reconcile import Seen, reconcile
from .sight import controller

__all__ = ["Seen", "controller", "reconcile"]
