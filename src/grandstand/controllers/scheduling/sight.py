"""What the runner has to know of scheduling: what it watches, and what it sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from grandstand.kinds import Key, Namespace, Node, Object, is_deleting
from grandstand.kinds.resources import NAMESPACES, NODES, PODS
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from .needs import Needs, needs_of
from .reconcile import Seen, reconcile


class Queue(StrEnum):
    """The one key: all waiting Pods are decided on together."""

    ALL = "all waiting Pods"


class Sight:
    """Keeps the needs of waiting and assigned Pods: read when a Pod comes, not in every pass."""

    def __init__(self, caches: Caches) -> None:
        self._nodes = caches.table(NODES, Node)
        self._namespaces = caches.table(NAMESPACES, Namespace)
        self._waiting: dict[Key, Needs] = {}
        self._assigned: dict[str, dict[Key, Needs]] = {}
        caches.informer(PODS).subscribe(self._take)

    async def look(self, key: Queue, now: float) -> tuple[Sequence[Needs], Seen] | None:
        if not self._waiting:
            return None
        assigned = {node: tuple(pods.values()) for node, pods in self._assigned.items()}
        namespaces = {each.metadata.name: each.metadata.labels for each in self._namespaces.all()}
        return tuple(self._waiting.values()), Seen(tuple(self._nodes.all()), assigned, namespaces, now)

    def of_pod(self, before: Object | None, after: Object | None) -> Iterable[Queue]:
        """A Pod that waits, or one that makes room for those that do."""
        arrived = after is not None and _is_waiting(after) and (before is None or before["spec"] != after["spec"])
        relevant = _occupies(before) != _occupies(after) or _labels(before) != _labels(after)
        return (Queue.ALL,) if arrived or (self._waiting and relevant) else ()

    def of_node(self, before: Object | None, after: Object | None) -> Iterable[Queue]:
        return (Queue.ALL,) if self._waiting and _offered(before) != _offered(after) else ()

    def of_namespace(self, before: Object | None, after: Object | None) -> Iterable[Queue]:
        return (Queue.ALL,) if self._waiting and _labels(before) != _labels(after) else ()

    def _take(self, key: Key, before: Object | None, after: Object | None) -> None:
        known = self._waiting.pop(key, None)
        for node in {node for node in (_occupies(before),) if node}:
            known = self._assigned.get(node, {}).pop(key, known)
        node_now = _occupies(after)
        if after is None or not (node_now or _is_waiting(after)):
            return
        fresh = known is None or node_now == "" or _labels(before) != _labels(after) or _requests_changed(before, after)
        needs = needs_of(after) if fresh or known is None else known
        if node_now:
            self._assigned.setdefault(node_now, {})[key] = needs
        else:
            self._waiting[key] = needs


def _is_waiting(pod: Object) -> bool:
    return not pod["spec"].get("nodeName") and not is_deleting(pod) and not _has_ended(pod)


def _occupies(pod: Object | None) -> str:
    """The node on which a Pod takes room, "" for none."""
    return "" if pod is None or _has_ended(pod) else str(pod["spec"].get("nodeName") or "")


def _has_ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _requests_changed(before: Object | None, after: Object) -> bool:
    """Whether a Pod was resized, or is another one of the same name; binding changes only the node's name."""
    return before is None or any(before["spec"].get(name) != after["spec"].get(name) for name in ("containers",))


def _labels(obj: Object | None) -> object:
    return None if obj is None else obj["metadata"].get("labels")


def _offered(node: Object | None) -> object:
    """What of a node matters for scheduling: not its heartbeats."""
    if node is None:
        return None
    return node.get("spec"), node["metadata"].get("labels"), (node.get("status") or {}).get("allocatable")


def controller(caches: Caches) -> Controller[Queue, Sequence[Needs], Seen]:
    """The description for the runner; one worker, so that passes do not overlap."""
    sight = Sight(caches)
    watches = {PODS: sight.of_pod, NODES: sight.of_node, NAMESPACES: sight.of_namespace}
    return Controller("scheduling", watches, sight.look, reconcile, workers=1)
