"""What a schema says about one value: its type, how lists and maps merge. Built once, walked for every object."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple


class Scalar(Enum):
    """The scalars that the API tells apart; the value is the type's name in Go, for error messages."""

    STRING = "string"
    BYTES = "[]uint8"
    TIME = "v1.Time"
    MICRO_TIME = "v1.MicroTime"
    INT32 = "int32"
    INT64 = "int64"
    DOUBLE = "float64"
    BOOL = "bool"
    INT_OR_STRING = "intstr.IntOrString"
    QUANTITY = "resource.Quantity"


class Ownership(Enum):
    """How server-side apply treats a list or map."""

    ATOMIC = auto()
    """one field, with one owner"""
    SET = auto()
    """a list of different scalars, each with its own owners"""
    KEYED = auto()
    """a list of objects that `map_keys` tell apart"""
    GRANULAR = auto()
    """a map or struct whose entries have their own owners"""


class PatchStrategy(NamedTuple):
    """How a strategic merge patch treats a field; `merge_key` tells the objects of a list apart."""

    merge: bool = False
    replace: bool = False
    merge_key: str = ""


REPLACED = PatchStrategy()
"""The usual strategy: structs and maps merge, lists are replaced."""


@dataclass(slots=True, eq=False)
class Node:
    """Any value. What a property says beside its reference (`patch`, `ownership`) stands in a node of its own."""

    go_type: str = "interface {}"
    patch: PatchStrategy = REPLACED
    ownership: Ownership = Ownership.GRANULAR
    map_keys: tuple[str, ...] = ()

    def child(self, key: str) -> Node:
        """The node of a field or map entry; below what the schema leaves open, anything."""
        return FREE

    @property
    def element(self) -> Node:
        """The node of the items of a list."""
        return FREE


@dataclass(slots=True, eq=False)
class Free(Node):
    """A value that the schema leaves open: kept as it is."""


@dataclass(slots=True, eq=False)
class Leaf(Node):
    """A scalar."""

    scalar: Scalar = Scalar.STRING
    ownership: Ownership = Ownership.ATOMIC


@dataclass(slots=True, eq=False)
class ListNode(Node):
    """A list."""

    items: Node = field(default_factory=Free)
    ownership: Ownership = Ownership.ATOMIC

    @property
    def element(self) -> Node:
        return self.items


@dataclass(slots=True, eq=False)
class MapNode(Node):
    """A map with keys of the user's choice."""

    values: Node = field(default_factory=Free)

    def child(self, key: str) -> Node:
        return self.values


@dataclass(slots=True, eq=False)
class Struct(Node):
    """An object with named fields; `open` keeps fields that it does not name."""

    fields: dict[str, Node] = field(default_factory=dict)
    open: bool = False

    def child(self, key: str) -> Node:
        return self.fields.get(key, FREE)


FREE = Free()
