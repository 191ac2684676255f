"""The informers of one process, and typed, indexed tables over them: what controllers see."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.kinds import Key, Object, Resource, View, view

from .informer import Informer

V = TypeVar("V", bound=View)
I = TypeVar("I", bound=Hashable)  # noqa: E741 - the type of an index's values

Values = Callable[[V], Iterable[Hashable]]


class Table(Generic[V]):
    """Typed views of an informer's objects, decoded once per change, and found by key or through an index."""

    def __init__(self, informer: Informer, kind: type[V]) -> None:
        self.resource = informer.resource
        self._informer = informer
        self._kind = kind
        self._views: dict[Key, V] = {}
        self._indexes: list[Index[V, Any]] = []
        informer.subscribe(self._take)

    def get(self, key: Key) -> V | None:
        return self._views.get(key)

    def object(self, key: Key) -> Object | None:
        """The whole object, of which the view shows a part."""
        return self._informer.get(key)

    def all(self) -> Iterable[V]:
        return self._views.values()

    def index(self, values: Callable[[V], Iterable[I]]) -> Index[V, I]:
        """An index by what `values` says of each object."""
        index: Index[V, I] = Index(values)
        for key, known in self._views.items():
            index.take(key, None, known)
        self._indexes.append(index)
        return index

    def _take(self, key: Key, before: Object | None, after: Object | None) -> None:
        old = self._views.pop(key, None)
        new = None if after is None else view(self._kind, after)
        if new is not None:
            self._views[key] = new
        for index in self._indexes:
            index.take(key, old, new)


class Index(Generic[V, I]):
    """The views of a table by some value of theirs, e.g. Pods by the uid of their controller."""

    def __init__(self, values: Callable[[V], Iterable[I]]) -> None:
        self._values = values
        self._found: dict[I, dict[Key, V]] = {}

    def __getitem__(self, value: I) -> list[V]:
        return list(self._found.get(value, {}).values())

    def __contains__(self, value: I) -> bool:
        return value in self._found

    def count(self, value: I) -> int:
        return len(self._found.get(value, {}))

    def take(self, key: Key, old: V | None, new: V | None) -> None:
        kept = set(self._values(new)) if new is not None else set()
        for value in self._values(old) if old is not None else ():
            if value not in kept and value in self._found:
                self._found[value].pop(key, None)
                if not self._found[value]:
                    del self._found[value]
        if new is not None:
            for value in kept:
                self._found.setdefault(value, {})[key] = new


class Caches:
    """One informer per resource and one table per kind, shared by all controllers of a process."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._informers: dict[Resource, Informer] = {}
        self._tables: dict[tuple[Resource, type[View]], Table[Any]] = {}

    @property
    def informers(self) -> tuple[Informer, ...]:
        return tuple(self._informers.values())

    def informer(self, resource: Resource) -> Informer:
        if resource not in self._informers:
            self._informers[resource] = Informer(self._client, resource, clock=self._clock)
        return self._informers[resource]

    def table(self, resource: Resource, kind: type[V]) -> Table[V]:
        if (resource, kind) not in self._tables:
            self._tables[resource, kind] = Table(self.informer(resource), kind)
        return self._tables[resource, kind]

    def remember(self, resource: Resource, obj: Object) -> None:
        """Take in the result of an own write, where the resource is watched."""
        if resource in self._informers:
            self._informers[resource].remember(obj)

    def forget(self, resource: Resource, key: Key, uid: str) -> None:
        """Take in an own deletion, where the resource is watched."""
        if resource in self._informers:
            self._informers[resource].forget(key, uid)
