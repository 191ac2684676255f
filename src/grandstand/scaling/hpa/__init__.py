"""The HorizontalPodAutoscaler's algorithm, as Kubernetes 1.37 computes it."""

from .metrics import NoMetrics, Tolerance, average_replicas, object_replicas, utilization_replicas
from .samples import PodSample, Readiness, Timing, sort_samples

__all__ = [
    "NoMetrics",
    "PodSample",
    "Readiness",
    "Timing",
    "Tolerance",
    "average_replicas",
    "object_replicas",
    "sort_samples",
    "utilization_replicas",
]
