"""Delete what belongs to owners that are gone, and end owners that wait for what belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from grandstand.client import Client, Propagation
from grandstand.errors import NotFound
from grandstand.kinds import Key, Object, Resource, is_deleting, key_of, uid_of
from grandstand.kinds.resources import BY_KIND, RESOURCES
from grandstand.reconcile.actions import Action, Delete, InBatches, Patch
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
ABSENT_REMEMBERED = 10_000


class Node(NamedTuple):
    """One object of any resource."""

    resource: Resource
    key: Key

    def __str__(self) -> str:
        return f"{self.resource.qualified} {self.key}"


@dataclass(frozen=True, slots=True)
class Dependent:
    node: Node
    object: Object


@dataclass(frozen=True, slots=True)
class Seen:
    """`gone`: uids of owners that exist no more, asked of the API itself. `waiting`: uids of owners that end as soon as
    their dependents have. Owners in neither live, or are of a kind that nobody here knows."""

    node: Node
    gone: frozenset[str]
    waiting: frozenset[str]
    dependents: Sequence[Dependent]


def reconcile(wanted: Object, seen: Seen) -> list[Action]:
    """First what the object asks for by its own finalizers, then what its owners' ends mean for it."""
    if is_deleting(wanted):
        finalizers = wanted["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            return [*_orphaned(wanted, seen), _without_finalizer(wanted, seen.node, ORPHAN)]
        if FOREGROUND in finalizers and not any(_blocks(each.object, uid_of(wanted)) for each in seen.dependents):
            return [_without_finalizer(wanted, seen.node, FOREGROUND)]
        return []
    owners = owners_of(wanted)
    lost = [owner for owner in owners if owner["uid"] in seen.gone | seen.waiting]
    if not lost:
        return []
    if len(lost) < len(owners):
        return [_disowned(wanted, seen.node, frozenset(owner["uid"] for owner in lost))]
    waited_for = any(owner["uid"] in seen.waiting for owner in owners)
    foreground = waited_for and bool(seen.dependents)
    propagation = Propagation.FOREGROUND if foreground else _asked(wanted)
    return [Delete(seen.node.resource, seen.node.key, uid_of(wanted), propagation=propagation)]


def owners_of(obj: Object) -> list[Object]:
    return list(obj["metadata"].get("ownerReferences") or ())


def is_waiting(obj: Object) -> bool:
    """Whether an owner is to end as soon as its dependents have."""
    return is_deleting(obj) and FOREGROUND in (obj["metadata"].get("finalizers") or ())


def _blocks(dependent: Object, owner_uid: str) -> bool:
    return any(o["uid"] == owner_uid and o.get("blockOwnerDeletion") for o in owners_of(dependent))


def _asked(obj: Object) -> Propagation:
    """How the object itself asks to be deleted."""
    finalizers = obj["metadata"].get("finalizers") or []
    if ORPHAN in finalizers:
        return Propagation.ORPHAN
    return Propagation.FOREGROUND if FOREGROUND in finalizers else Propagation.BACKGROUND


def _orphaned(owner: Object, seen: Seen) -> list[Action]:
    gone = frozenset((uid_of(owner),))
    patches = tuple(_disowned(each.object, each.node, gone) for each in seen.dependents)
    return [InBatches(patches)] if patches else []


def _disowned(obj: Object, node: Node, uids: frozenset[str]) -> Patch:
    rest = [owner for owner in owners_of(obj) if owner["uid"] not in uids]
    changes = {"ownerReferences": rest or None, "resourceVersion": obj["metadata"]["resourceVersion"]}
    return Patch(node.resource, node.key, {"metadata": changes}, uid=uid_of(obj))


def _without_finalizer(obj: Object, node: Node, finalizer: str) -> Patch:
    rest = [name for name in obj["metadata"].get("finalizers") or () if name != finalizer]
    changes = {"finalizers": rest or None, "resourceVersion": obj["metadata"]["resourceVersion"]}
    return Patch(node.resource, node.key, {"metadata": changes}, uid=uid_of(obj))


class Graph:
    """Who depends on whom, over all resources."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._informers = {resource: caches.informer(resource) for resource in RESOURCES}
        self._dependents: dict[str, set[Node]] = {}
        self._absent: dict[str, None] = {}
        for resource, informer in self._informers.items():
            informer.subscribe(partial(self._take, resource))

    async def look(self, node: Node, now: float) -> tuple[Object, Seen] | None:
        wanted = self._object(node)
        if wanted is None:
            return None
        owners = owners_of(wanted)
        gone = [owner["uid"] for owner in owners if await self._is_gone(owner, node)]
        waiting = []
        for owner in owners:
            known = self._owner(owner, node)
            if known is not None and is_waiting(known):
                waiting.append(owner["uid"])
        return wanted, Seen(node, frozenset(gone), frozenset(waiting), self._dependents_of(uid_of(wanted)))

    def concerned(self, resource: Resource, before: Object | None, after: Object | None) -> Iterable[Node]:
        """The object itself when its owners or its end are news, and its dependents when it ends."""
        if after is None:
            ended = before or {}
            yield from self._dependents.get(uid_of(ended), ())
            yield from self._blocked(resource, ended)
            return
        if _about_owning(before) == _about_owning(after):
            return
        node = Node(resource, key_of(after))
        if is_deleting(after) or any(self._is_news(owner, node) for owner in owners_of(after)):
            yield node
        if is_waiting(after):
            yield from self._dependents.get(uid_of(after), ())
        if before is not None:
            yield from self._blocked(resource, before)

    def _blocked(self, resource: Resource, obj: Object) -> Iterable[Node]:
        """The owners of an object that may have waited for it."""
        for owner in owners_of(obj):
            node = self._node_of(owner, Node(resource, key_of(obj)))
            known = self._object(node) if node is not None else None
            if node is not None and known is not None and is_deleting(known):
                yield node

    def _is_news(self, owner: Object, node: Node) -> bool:
        known = self._owner(owner, node)
        return known is None or is_waiting(known)

    async def _is_gone(self, owner: Object, node: Node) -> bool:
        """Caches of different resources are filled at different times: that an owner is gone, the API has to say."""
        at = self._node_of(owner, node)
        if at is None or self._owner(owner, node) is not None:
            return False
        uid = str(owner["uid"])
        if uid not in self._absent:
            try:
                found = await self._client.get(at.resource, at.key.namespace, at.key.name)
                if uid_of(found) == uid:
                    return False
            except NotFound:
                pass
            if len(self._absent) >= ABSENT_REMEMBERED:
                del self._absent[next(iter(self._absent))]
            self._absent[uid] = None
        return True

    def _node_of(self, owner: Object, dependent: Node) -> Node | None:
        """Where an owner is to be found; None when its kind is not known here."""
        resource = BY_KIND.get((owner["apiVersion"], owner["kind"]))
        if resource is None:
            return None
        return Node(resource, Key(dependent.key.namespace if resource.namespaced else "", owner["name"]))

    def _owner(self, owner: Object, dependent: Node) -> Object | None:
        node = self._node_of(owner, dependent)
        known = self._object(node) if node is not None else None
        return known if known is not None and uid_of(known) == owner["uid"] else None

    def _object(self, node: Node) -> Object | None:
        return self._informers[node.resource].get(node.key)

    def _dependents_of(self, uid: str) -> list[Dependent]:
        found = ((node, self._object(node)) for node in self._dependents.get(uid, ()))
        return [Dependent(node, obj) for node, obj in found if obj is not None]

    def _take(self, resource: Resource, key: Key, before: Object | None, after: Object | None) -> None:
        node = Node(resource, key)
        was = {owner["uid"] for owner in owners_of(before)} if before else set()
        now = {owner["uid"] for owner in owners_of(after)} if after else set()
        for uid in was - now:
            self._dependents[uid].discard(node)
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in now - was:
            self._dependents.setdefault(uid, set()).add(node)


def _about_owning(obj: Object | None) -> tuple[object, ...] | None:
    if obj is None:
        return None
    meta = obj["metadata"]
    return meta["uid"], meta.get("ownerReferences"), meta.get("finalizers"), is_deleting(obj)


def controller(client: Client, caches: Caches) -> Controller[Node, Object, Seen]:
    """The description for the runner. Many workers: what they wait for is the API, which commits in groups."""
    graph = Graph(client, caches)
    watches: dict[Resource, Callable[[Object | None, Object | None], Iterable[Node]]] = {
        resource: partial(graph.concerned, resource) for resource in RESOURCES
    }
    return Controller("garbage-collector", watches, graph.look, reconcile, workers=32)
