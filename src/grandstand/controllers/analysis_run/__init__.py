"""Judge a new version by what the gateway measures: AnalysisRun, as Argo Rollouts has it."""

from .reconcile import Seen, reconcile
from .sight import controller

__all__ = ["Seen", "controller", "reconcile"]
