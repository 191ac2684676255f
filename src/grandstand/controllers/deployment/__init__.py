"""Roll a Deployment's Pods from one version to the next, through ReplicaSets."""

from .reconcile import Seen, failed, reconcile
from .sight import controller

__all__ = ["Seen", "controller", "failed", "reconcile"]
