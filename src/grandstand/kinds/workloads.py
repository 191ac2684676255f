"""Typed views of Deployments, ReplicaSets, Namespaces and Nodes."""

from __future__ import annotations

from typing import Any

from .meta import Condition, LabelSelector, Meta, Object, View


class RollingUpdate(View, frozen=True):
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


class DeploymentStrategy(View, frozen=True):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(View, frozen=True):
    selector: LabelSelector
    template: Object
    replicas: int = 1
    strategy: DeploymentStrategy = DeploymentStrategy()
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    progress_deadline_seconds: int = 600
    paused: bool = False


class DeploymentStatus(View, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    collision_count: int | None = None
    conditions: list[Condition] = []


class Deployment(View, frozen=True):
    metadata: Meta
    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()


class ReplicaSetSpec(View, frozen=True):
    selector: LabelSelector
    template: Object = {}
    replicas: int = 1
    min_ready_seconds: int = 0


class ReplicaSetStatus(View, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: list[Condition] = []


class ReplicaSet(View, frozen=True):
    metadata: Meta
    spec: ReplicaSetSpec
    status: ReplicaSetStatus = ReplicaSetStatus()


class NamespaceSpec(View, frozen=True):
    finalizers: list[str] = []


class NamespaceStatus(View, frozen=True):
    phase: str = "Active"
    conditions: list[Condition] = []


class Namespace(View, frozen=True):
    metadata: Meta
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class Taint(View, frozen=True):
    key: str
    effect: str
    value: str = ""


class NodeSpec(View, frozen=True):
    unschedulable: bool = False
    taints: list[Taint] = []


class NodeStatus(View, frozen=True):
    capacity: dict[str, str | int] = {}
    allocatable: dict[str, str | int] = {}
    conditions: list[Condition] = []
    addresses: list[dict[str, Any]] = []


class Node(View, frozen=True):
    metadata: Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
