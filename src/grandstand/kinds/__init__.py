"""Typed, read-only views of API objects, and the table of resources.

`view(Deployment, obj)` gives the typed view of an object that came as JSON. Everything that writes works on the JSON.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from .autoscaling import HorizontalPodAutoscaler, Scale, scale_in
from .functions import Function, FunctionLayer, FunctionTrigger, FunctionVersion
from .meta import Condition, Key, LabelSelector, Meta, Object, OwnerReference, View, is_deleting, key_of, uid_of
from .network import Endpoint, EndpointSlice, Ingress, Service, ServicePort
from .pods import Container, ContainerStatus, Pod, Probe
from .quantity import millicores, parse_quantity, whole_bytes
from .resources import BY_KIND, BY_PATH, RESOURCES, Resource
from .rollouts import AnalysisRun, Rollout
from .workloads import Deployment, Namespace, Node, ReplicaSet

V = TypeVar("V", bound=View)


def view(kind: type[V], obj: Object) -> V:
    """The typed view of an API object. Raises msgspec.ValidationError when a field has another type."""
    return msgspec.convert(obj, kind)


__all__ = [
    "BY_KIND",
    "BY_PATH",
    "RESOURCES",
    "AnalysisRun",
    "Condition",
    "Container",
    "ContainerStatus",
    "Deployment",
    "Endpoint",
    "EndpointSlice",
    "Function",
    "FunctionLayer",
    "FunctionTrigger",
    "FunctionVersion",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Key",
    "LabelSelector",
    "Meta",
    "Namespace",
    "Node",
    "Object",
    "OwnerReference",
    "Pod",
    "Probe",
    "ReplicaSet",
    "Resource",
    "Rollout",
    "Scale",
    "Service",
    "ServicePort",
    "View",
    "is_deleting",
    "key_of",
    "millicores",
    "parse_quantity",
    "scale_in",
    "uid_of",
    "view",
    "whole_bytes",
]
