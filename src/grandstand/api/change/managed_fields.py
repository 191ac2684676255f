"""Read and write `metadata.managedFields`: who set which field, how and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from grandstand.kinds import Object

from .fields import NOTHING, FieldSet, contains, from_json, to_json

APPLY = "Apply"
UPDATE = "Update"
MOST_UPDATERS = 10
"""More managers than these that only updated become one entry, so that no object grows without end (as Kubernetes)."""

OLDEST = "ancient-changes"

# Identity and bookkeeping belong to the server: nobody owns them.
_UNOWNED = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            *("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation"),
            *("managedFields", "resourceVersion"),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields that one manager set by one kind of operation."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str | None
    trie: dict[str, Any]
    """FieldsV1: read only where it must be, because most writes touch few fields of few entries."""

    @property
    def fields(self) -> FieldSet:
        """The fields as a set. Raises BadRequest where they are no FieldsV1."""
        return from_json(self.trie)

    def same_manager(self, other: Entry) -> bool:
        """Whether two entries are one manager's; whoever applies is the same in all API versions."""
        return (self.manager, self.operation, self.subresource) == (
            other.manager,
            other.operation,
            other.subresource,
        ) and (self.operation == APPLY or self.api_version == other.api_version)

    def without(self, fields: FieldSet) -> Entry:
        touched = any(contains(self.trie, path) for path in fields)
        return self.owning(self.fields - fields) if touched else self

    def owning(self, fields: FieldSet) -> Entry:
        return replace(self, trie=to_json(fields))

    def __str__(self) -> str:
        """The manager as messages name it."""
        name = f'"{self.manager}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        if self.operation != UPDATE:
            return name
        return f"{name} using {self.api_version}" + (f" at {self.time}" if self.time else "")


def owned(fields: FieldSet) -> FieldSet:
    """Those of a set that a manager can own."""
    return fields - _UNOWNED


def entries_of(obj: Object | None) -> list[Entry]:
    """What `managedFields` holds."""
    listed = ((obj or {}).get("metadata") or {}).get("managedFields") or ()
    return [
        Entry(
            item.get("manager", ""),
            item.get("operation", UPDATE),
            item.get("apiVersion", ""),
            item.get("subresource", ""),
            item.get("time"),
            item.get("fieldsV1") or {},
        )
        for item in listed
        if item
    ]


def with_entries(obj: Object, entries: Iterable[Entry]) -> Object:
    """The object (copied where it changes) with these entries; those that own nothing are left out."""
    kept = _capped([entry for entry in entries if entry.trie])
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    if kept:
        metadata["managedFields"] = [_to_json(entry) for entry in in_order(kept)]
    return {**obj, "metadata": metadata}


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Entries as Kubernetes lists them: applied ones first, each kind by time."""
    return sorted(entries, key=_order)


def _order(entry: Entry) -> tuple[str, str, str, str, str]:
    return entry.operation, entry.time or "", entry.manager, entry.api_version, entry.subresource


def _to_json(entry: Entry) -> dict[str, Any]:
    return {
        "manager": entry.manager,
        "operation": entry.operation,
        "apiVersion": entry.api_version,
        **({"time": entry.time} if entry.time else {}),
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.trie,
        **({"subresource": entry.subresource} if entry.subresource else {}),
    }


def _capped(entries: list[Entry]) -> list[Entry]:
    """At most `MOST_UPDATERS` entries of updates: the oldest become one."""
    updates = in_order(entry for entry in entries if entry.operation == UPDATE)
    excess = len(updates) - MOST_UPDATERS
    if excess <= 0:
        return entries
    merged = updates[: excess + 1]
    fields = NOTHING.union(*(entry.fields for entry in merged))
    oldest = replace(merged[-1].owning(fields), manager=OLDEST, subresource="")
    return [*(entry for entry in entries if entry not in merged), oldest]
