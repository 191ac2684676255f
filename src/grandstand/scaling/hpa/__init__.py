"""The HorizontalPodAutoscaler's algorithm, as Kubernetes 1.37 computes it."""

from .behavior import DEFAULT_DOWN, DEFAULT_UP, PolicyType, ScalingPolicy, ScalingRules, SelectPolicy
from .decide import ABLE_MESSAGES, LIMIT_MESSAGES, Able, Active, Decision, Limit, Memory, decide
from .metrics import NoMetrics, Tolerance, average_replicas, object_replicas, utilization_replicas
from .samples import PodSample, Readiness, Timing, sort_samples
from .spec import Metric, MetricKind, Spec, TargetType
from .wishes import CPU, Current, Measured, MetricFailure, MetricWish, Reading, Replicas, Samples, Unavailable

__all__ = [
    "ABLE_MESSAGES",
    "CPU",
    "DEFAULT_DOWN",
    "DEFAULT_UP",
    "LIMIT_MESSAGES",
    "Able",
    "Active",
    "Current",
    "Decision",
    "Limit",
    "Measured",
    "Memory",
    "Metric",
    "MetricFailure",
    "MetricKind",
    "MetricWish",
    "NoMetrics",
    "PodSample",
    "PolicyType",
    "Readiness",
    "Reading",
    "Replicas",
    "Samples",
    "ScalingPolicy",
    "ScalingRules",
    "SelectPolicy",
    "Spec",
    "TargetType",
    "Timing",
    "Tolerance",
    "Unavailable",
    "average_replicas",
    "decide",
    "object_replicas",
    "sort_samples",
    "utilization_replicas",
]
