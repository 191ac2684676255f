"""Answer lists as tables, with the columns that `kubectl get` shows. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grandstand.kinds import Object, Resource, resources

from . import cluster, functions, network, pods, workloads
from .age import human_duration
from .layout import NAME, Column, Layout, name_of, part


def _plain(obj: Object, now: float) -> list[Any]:
    return [name_of(obj), part(obj, "metadata").get("creationTimestamp") or ""]


_PLAIN = Layout((NAME, Column("Created At", "When the object was created.", "date")), _plain)

_LAYOUTS: dict[Resource, Layout] = {
    resources.ANALYSIS_RUNS: workloads.ANALYSIS_RUNS,
    resources.ANALYSIS_TEMPLATES: workloads.ANALYSIS_TEMPLATES,
    resources.CLUSTER_ANALYSIS_TEMPLATES: workloads.ANALYSIS_TEMPLATES,
    resources.CONFIG_MAPS: cluster.CONFIG_MAPS,
    resources.DEPLOYMENTS: workloads.DEPLOYMENTS,
    resources.ENDPOINT_SLICES: network.ENDPOINT_SLICES,
    resources.EVENTS: cluster.EVENTS,
    resources.FUNCTIONS: functions.FUNCTIONS,
    resources.FUNCTION_LAYERS: functions.LAYERS,
    resources.FUNCTION_TRIGGERS: functions.TRIGGERS,
    resources.FUNCTION_VERSIONS: functions.VERSIONS,
    resources.HORIZONTAL_POD_AUTOSCALERS: workloads.AUTOSCALERS,
    resources.INGRESSES: network.INGRESSES,
    resources.LEASES: cluster.LEASES,
    resources.NAMESPACES: cluster.NAMESPACES,
    resources.NODES: cluster.NODES,
    resources.PODS: pods.PODS,
    resources.REPLICA_SETS: workloads.REPLICA_SETS,
    resources.ROLLOUTS: workloads.ROLLOUTS,
    resources.SECRETS: cluster.SECRETS,
    resources.SERVICES: network.SERVICES,
    resources.SERVICE_ACCOUNTS: cluster.SERVICE_ACCOUNTS,
}


def table(
    resource: Resource,
    objects: Iterable[Object],
    *,
    resource_version: str,
    include: str,
    now: float,
    continue_token: str = "",
    remaining: int | None = None,
) -> Object:
    """A `meta.k8s.io/v1` Table of objects; `include` is as in `row`."""
    meta: Object = {"resourceVersion": resource_version}
    if continue_token:
        meta["continue"] = continue_token
    if remaining is not None:
        meta["remainingItemCount"] = remaining
    layout = _LAYOUTS.get(resource, _PLAIN)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [column.definition() for column in layout.columns],
        "rows": [row(resource, obj, include, now) for obj in objects],
    }


def row(resource: Resource, obj: Object, include: str, now: float) -> Object:
    """One line: its cells, and the object with it, as far as `include` says: `Metadata`, `Object` or `None`."""
    layout = _LAYOUTS.get(resource, _PLAIN)
    line: Object = {"cells": layout.cells(obj, now)}
    if conditions := layout.conditions(obj):
        line["conditions"] = conditions
    if include == "Object":
        line["object"] = obj
    elif include == "Metadata":
        line["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": part(obj, "metadata"),
        }
    else:
        line["object"] = None
    return line


__all__ = ["human_duration", "row", "table"]
