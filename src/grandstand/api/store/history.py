"""The committed objects, with enough history to say what they were and how they changed. Pure: memory only.

History keeps JSON, not dictionaries: parsed, a Pod takes about five times as much memory, and few changes are
ever looked at again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from grandstand.client import EventType
from grandstand.errors import Expired

from .records import Change, Stored, StoreKey, decode

HISTORY_BYTES = 32 * 2**20
"""At most so much JSON is kept as history, however few changes that is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of the past; `before` is the JSON of the state that it replaced."""

    type: EventType
    key: StoreKey
    revision: int
    encoded: bytes
    before: bytes | None

    def change(self) -> Change:
        before = None if self.before is None else decode(self.key, self.before).object
        after = decode(self.key, self.encoded).object
        return Change(self.type, self.key, after, before, self.revision, self.encoded)

    def concerns(self, resource: str, namespace: str) -> bool:
        return self.key.resource == resource and namespace in ("", self.key.namespace)


@dataclass(slots=True)
class _Shelf:
    """The objects of one resource; `order` is their keys, sorted."""

    objects: dict[StoreKey, Stored] = field(default_factory=dict)
    order: list[StoreKey] = field(default_factory=list)

    def keys(self, resource: str, namespace: str) -> list[StoreKey]:
        if not namespace:
            return self.order
        # No namespace contains "\0", so this is the first key that can follow those of the namespace.
        first = bisect_left(self.order, StoreKey(resource, namespace, ""))
        return self.order[first : bisect_left(self.order, StoreKey(resource, namespace + "\0", ""))]


class History:
    """The newest committed state, and the changes that led to it since revision `compacted`."""

    def __init__(
        self, stored: Iterable[Stored] = (), revision: int = 0, *, entries: int, size: int = HISTORY_BYTES
    ) -> None:
        self.revision = revision
        self.compacted = revision
        self._shelves: dict[str, _Shelf] = {}
        self._entries: deque[Entry] = deque()
        self._most_entries = entries
        self._most_bytes = size
        self._bytes = 0
        for item in sorted(stored, key=lambda item: item.key):
            shelf = self._shelves.setdefault(item.key.resource, _Shelf())
            shelf.objects[item.key] = item
            shelf.order.append(item.key)

    def get(self, key: StoreKey) -> Stored | None:
        shelf = self._shelves.get(key.resource)
        return None if shelf is None else shelf.objects.get(key)

    def apply(self, change: Change) -> None:
        """Take in a change. Its revision must be newer than every other."""
        assert change.revision > self.revision, "changes come in the order of their revisions"
        shelf = self._shelves.setdefault(change.key.resource, _Shelf())
        before = shelf.objects.get(change.key)
        if change.type is EventType.DELETED:
            del shelf.objects[change.key]
            del shelf.order[bisect_left(shelf.order, change.key)]
        else:
            shelf.objects[change.key] = Stored(change.key, change.object, change.revision, change.encoded)
            if before is None:
                insort(shelf.order, change.key)
        self.revision = change.revision
        self._remember(
            Entry(change.type, change.key, change.revision, change.encoded, None if before is None else before.encoded)
        )

    def list(self, resource: str, namespace: str, at: int | None) -> StoredList:
        """The objects of a resource, sorted, as of revision `at` (None: now). Raises Expired."""
        shelf = self._shelves.get(resource)
        if shelf is None:
            shelf = _Shelf()
        if at is None or at == self.revision:
            return [shelf.objects[key] for key in shelf.keys(resource, namespace)]
        objects = {key: shelf.objects[key] for key in shelf.keys(resource, namespace)}
        undone: dict[StoreKey, bytes | None] = {}
        for entry in self.since(at, resource, namespace):
            undone.setdefault(entry.key, entry.before)
        for key, before in undone.items():
            if before is None:
                objects.pop(key, None)
            else:
                objects[key] = decode(key, before)
        return [objects[key] for key in sorted(objects)]

    def since(self, revision: int, resource: str, namespace: str) -> EntryList:
        """The changes of a resource after a revision, in order. Raises Expired."""
        self._check(revision)
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if entry.revision <= revision:
                break
            if entry.concerns(resource, namespace):
                found.append(entry)
        found.reverse()
        return found

    def _check(self, revision: int) -> None:
        if revision < self.compacted:
            raise Expired(f"too old resource version: {revision} ({self.compacted}): list again, and watch from there")
        if revision > self.revision:
            # Every revision that was ever told is committed, so this one comes from another store: one since deleted.
            raise Expired(f"unknown resource version: {revision}, the newest is {self.revision}: list again")

    def _remember(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._bytes += len(entry.encoded)
        while len(self._entries) > self._most_entries or self._bytes > self._most_bytes:
            oldest = self._entries.popleft()
            self._bytes -= len(oldest.encoded)
            self.compacted = oldest.revision


# Inside the class, `list` is the method.
StoredList = list[Stored]
EntryList = list[Entry]
