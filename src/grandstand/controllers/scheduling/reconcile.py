"""Decide for all waiting Pods at once which node each goes to: so none is promised what another gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grandstand.controllers import status
from grandstand.kinds import Node, Object
from grandstand.kinds.resources import PODS
from grandstand.reconcile.actions import Action, Create, Emit, InBatches, Patch

from .fit import Cluster, Site, obstacles
from .needs import DEFAULT_SCHEDULER, Needs

SchedulingQueue = Sequence[Needs]


@dataclass(frozen=True, slots=True)
class Seen:
    """The nodes, the Pods on each by its name, and the labels of each namespace by its name."""

    nodes: Sequence[Node]
    assigned: Mapping[str, Sequence[Needs]]
    namespaces: Mapping[str, Mapping[str, str]]
    now: float


def reconcile(wanted: SchedulingQueue, seen: Seen) -> list[Action]:
    """Bind what fits somewhere, in the order of priority and age; say of the rest why it does not."""
    nodes = [node for node in seen.nodes if node.metadata.deletion_timestamp is None]
    sites = [Site(node) for node in nodes]
    for site in sites:
        for bound in seen.assigned.get(site.name, ()):
            site.add(bound)
    cluster = Cluster(sites, seen.namespaces)
    bindings: list[Create] = []
    waiting: list[Action] = []
    for pod in sorted(wanted, key=lambda pod: pod.order):
        if pod.scheduler != DEFAULT_SCHEDULER:
            continue  # another scheduler's
        if pod.gated:
            blocked = "Scheduling is blocked due to non-empty scheduling gates"
            waiting += _told(pod, "SchedulingGated", blocked, seen.now)
            continue
        found = {site.name: obstacles(pod, site, cluster) for site in sites}
        chosen = _best([site for site in sites if not found[site.name]])
        if chosen is None:
            waiting += _unschedulable(pod, explain(found.values()), seen.now)
        else:
            chosen.add(pod)
            bindings.append(_bind(pod, chosen.name))
    return [*([InBatches(tuple(bindings))] if bindings else []), *waiting]


def explain(obstacles_by_node: Iterable[Sequence[str]]) -> str:
    """The message that kubectl shows: `0/1 nodes are available: 1 Insufficient cpu.`"""
    every = list(obstacles_by_node)
    if not every:
        return "no nodes available to schedule pods"
    counted = Counter(reason for reasons in every for reason in reasons)
    texts = sorted(f"{count} {reason}" for reason, count in counted.items())
    return f"0/{len(every)} nodes are available: {', '.join(texts)}."


def _best(sites: Sequence[Site]) -> Site | None:
    """The node with the most free CPU, then with the fewest Pods."""
    return max(sites, key=lambda site: (site.free("cpu") or 0, -len(site.pods)), default=None)


def _bind(pod: Needs, node: str) -> Create:
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.key.name, "namespace": pod.key.namespace, "uid": pod.uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    scheduled = Emit(pod.raw, "Normal", "Scheduled", f"Successfully assigned {pod.key} to {node}")
    return Create(PODS, binding, pod.key.namespace, "binding", pod.key.name, announce=scheduled)


def _unschedulable(pod: Needs, message: str, now: float) -> list[Action]:
    told = _told(pod, "Unschedulable", message, now)
    return [*told, Emit(pod.raw, "Warning", "FailedScheduling", message)] if told else []


def _told(pod: Needs, reason: str, message: str, now: float) -> list[Patch]:
    """Say in the Pod's status why it waits, unless it is said there already."""
    before: Object = pod.raw.get("status") or {}
    known = before.get("conditions") or []
    conditions = status.with_condition(known, "PodScheduled", "False", reason, message, now)
    patch = {"status": {"conditions": conditions}}
    return [] if conditions == known else [Patch(PODS, pod.key, patch, subresource="status", uid=pod.uid)]
