"""Keep replicas at what CPU, memory and requests ask for: HorizontalPodAutoscaler v2.

`readings` gets what is measured, `grandstand.scaling.hpa` decides, `reconcile` says what to write.
"""

from .readings import Reader
from .sight import controller

__all__ = ["Reader", "controller"]
