"""Find the fields of an object, and what differs between two, with the granularity that the schema gives.

The semantics are those of Kubernetes' structured merge: an atomic list or map is one field; items of other lists and
entries of other maps are fields of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from grandstand.api.schema import MapNode, Node, Ownership, Struct
from grandstand.errors import BadRequest

from .fields import FieldPath, FieldSet, step_of_item, text

# Structs and lists that Go's JSON writes even when they are empty: they never come or go, so nobody owns them as such.
_ALWAYS_THERE = frozenset(
    "f:" + name
    for name in (
        *("metadata", "spec", "status", "template", "strategy", "resources", "containers", "state", "lastState"),
        *("loadBalancer", "involvedObject", "source", "scaleTargetRef", "nodeInfo", "daemonEndpoints"),
        "kubeletEndpoint",
    )
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fields that came, changed their value, or went."""

    added: FieldSet
    modified: FieldSet
    removed: FieldSet

    @property
    def set(self) -> FieldSet:
        return self.added | self.modified

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)


def is_granular(node: Node, value: Any) -> bool:
    """Whether the parts of a value are fields of their own."""
    if isinstance(value, dict):
        return node.ownership is not Ownership.ATOMIC
    return isinstance(value, list) and node.ownership in (Ownership.SET, Ownership.KEYED)


def parts_of(node: Node, value: Any) -> dict[str, tuple[Node, Any]]:
    """The parts of a granular value by step; of list items with the same keys, the last. Raises ValueError."""
    if isinstance(value, dict):
        return {f"f:{key}": (node.child(key), inner) for key, inner in value.items()}
    return {step_of_item(node, item): (node.element, item) for item in value}


def fields_of(node: Node, obj: Any) -> FieldSet:
    """The fields that an applied object sets. Raises BadRequest for list items that cannot be told apart."""
    found: set[FieldPath] = set()
    _collect(node, obj, (), found)
    return frozenset(found)


def _collect(node: Node, value: Any, path: FieldPath, found: set[FieldPath]) -> None:
    if not is_granular(node, value):
        found.add(path)
        return
    try:
        parts = parts_of(node, value)
    except ValueError as error:
        raise BadRequest(f"failed to create typed patch object: {text(path)}: {error}") from None
    if isinstance(value, list) and len(parts) != len(value):
        raise BadRequest(f"failed to create typed patch object: {text(path)}: {_twice(node, value)}")
    for step, (child, inner) in parts.items():
        _collect(child, inner, (*path, step), found)
        # Entries of lists and maps are fields themselves; structs are only where they are empty.
        if not isinstance(node, Struct) or inner == {}:
            found.add((*path, step))


def _twice(node: Node, items: list[Any]) -> str:
    steps = [step_of_item(node, item) for item in items]
    step = next(step for step in steps if steps.count(step) > 1)
    return f"duplicate entries for key {text((step,))}"


def compare(node: Node, before: Any, after: Any) -> Comparison:
    """What differs between two objects."""
    walk = _Walk()
    walk.visit(node, before, after, ())
    return Comparison(frozenset(walk.added), frozenset(walk.modified), frozenset(walk.removed))


@dataclass(slots=True)
class _Walk:
    added: set[FieldPath] = field(default_factory=set)
    modified: set[FieldPath] = field(default_factory=set)
    removed: set[FieldPath] = field(default_factory=set)

    def visit(self, node: Node, before: Any, after: Any, path: FieldPath) -> None:
        """Compare two values of which at most one is None: not there."""
        if before is after:
            return
        deep = all(value is None or is_granular(node, value) for value in (before, after))
        if not deep or not (before or after) or _other_type(before, after):
            self._leaf(before, after, path)
            return
        try:
            old, new = (parts_of(node, value or {}) for value in (before, after))
        except ValueError:  # an item without its keys, stored before anybody applied: one field as a whole
            self._leaf(before, after, path)
            return
        for step in (*old, *(step for step in new if step not in old)):
            child = (new.get(step) or old[step])[0]
            self.visit(child, old.get(step, _GONE)[1], new.get(step, _GONE)[1], (*path, step))
        if path and path[-1] not in _ALWAYS_THERE:
            self._container(before, after, path)

    def _container(self, before: Any, after: Any, path: FieldPath) -> None:
        if before is None:
            self.added.add(path)
        elif after is None:
            self.removed.add(path)

    def _leaf(self, before: Any, after: Any, path: FieldPath) -> None:
        if before is None:
            self.added.add(path)
        elif after is None:
            self.removed.add(path)
        elif before != after or isinstance(before, bool) is not isinstance(after, bool):
            self.modified.add(path)


_GONE: tuple[None, None] = (None, None)


def _other_type(before: Any, after: Any) -> bool:
    return before is not None and after is not None and isinstance(before, dict) is not isinstance(after, dict)


def with_named_parents(node: Node, fields: FieldSet) -> FieldSet:
    """A set, and the struct fields that its fields lie in: they go when nothing is left in them."""
    found: set[FieldPath] = set(fields)
    for path in fields:
        place: Node = node
        for length, step in enumerate(path[:-1], 1):
            if step.startswith("f:"):
                if isinstance(place, Struct):
                    found.add(path[:length])
                place = place.child(step[2:])
            else:
                place = place.element
    return frozenset(found)


__all__ = ["Comparison", "MapNode", "compare", "fields_of", "is_granular", "parts_of", "with_named_parents"]
