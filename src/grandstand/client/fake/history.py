"""Tell watches of the fake API what changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from grandstand import selectors
from grandstand.client import EventType, WatchEvent
from grandstand.kinds import Object, Resource, key_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One change in the history: the object after it, and before it."""

    revision: int
    resource: Resource
    type: EventType
    object: Object
    before: Object | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or watch is about. Raises BadRequest for selectors that are none."""

    labels: selectors.Selector
    fields: selectors.FieldSelector

    @classmethod
    def parse(cls, labels: str, fields: str) -> Selection:
        return cls(selectors.parse_labels(labels), selectors.parse_fields(fields, lambda path: True))

    def accepts(self, obj: Object) -> bool:
        matching = selectors.matches(self.labels, obj["metadata"].get("labels"))
        return matching and selectors.fields_match(self.fields, obj)


def event_of(entry: Entry, resource: Resource, namespace: str, selection: Selection) -> WatchEvent | None:
    """The event of a change for one watch; an object that begins or ceases to match is added or deleted."""
    if entry.resource is not resource or namespace not in ("", key_of(entry.object).namespace):
        return None
    was = entry.before is not None and selection.accepts(entry.before)
    now = entry.type is not EventType.DELETED and selection.accepts(entry.object)
    if now:
        return WatchEvent(EventType.MODIFIED if was else EventType.ADDED, entry.object)
    if not was or entry.before is None:
        return None
    if entry.type is EventType.DELETED:
        return WatchEvent(EventType.DELETED, entry.object)
    # It left the selection: the watcher gets it as it last matched, at the revision of the change.
    metadata = entry.before["metadata"] | {"resourceVersion": entry.object["metadata"]["resourceVersion"]}
    return WatchEvent(EventType.DELETED, entry.before | {"metadata": metadata})
