"""Turn OpenAPI definitions into nodes, each when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from .nodes import FREE, Leaf, ListNode, MapNode, Node, Ownership, PatchStrategy, Scalar, Struct

PREFIX = "#/components/schemas/"
_FORMATS = {
    "byte": Scalar.BYTES,
    "date-time": Scalar.TIME,
    "int32": Scalar.INT32,
    "int64": Scalar.INT64,
    "int-or-string": Scalar.INT_OR_STRING,
}
_TYPES = {
    "string": Scalar.STRING,
    "integer": Scalar.INT64,
    "number": Scalar.DOUBLE,
    "boolean": Scalar.BOOL,
}
_SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Scalar.QUANTITY,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Scalar.INT_OR_STRING,
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": Scalar.TIME,
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": Scalar.MICRO_TIME,
}


_SPELLED = {
    "ref": "$ref",
    "all_of": "allOf",
    "additional": "additionalProperties",
    "list_type": "x-kubernetes-list-type",
    "list_map_keys": "x-kubernetes-list-map-keys",
    "map_type": "x-kubernetes-map-type",
    "patch_strategy": "x-kubernetes-patch-strategy",
    "patch_merge_key": "x-kubernetes-patch-merge-key",
    "int_or_string": "x-kubernetes-int-or-string",
    "preserve_unknown": "x-kubernetes-preserve-unknown-fields",
    "group_version_kind": "x-kubernetes-group-version-kind",
}


class Schema(msgspec.Struct, rename=_SPELLED.get):
    """The part of an OpenAPI schema that means something to us; descriptions are not even read."""

    type: str = ""
    format: str = ""
    ref: str = ""
    all_of: list[Schema] = []
    properties: dict[str, Schema] = {}
    items: Schema | None = None
    additional: Schema | bool | None = None
    list_type: str = ""
    list_map_keys: list[str] = []
    map_type: str = ""
    patch_strategy: str = ""
    patch_merge_key: str = ""
    int_or_string: bool = False
    preserve_unknown: bool = False
    group_version_kind: list[dict[str, str]] = []


class Compiler:
    """Builds nodes from raw definitions, and keeps what it has built."""

    def __init__(self, definitions: Mapping[str, msgspec.Raw]) -> None:
        self._definitions = definitions
        self._decoder = msgspec.json.Decoder(Schema)
        self._built: dict[str, Node] = {}

    def definition(self, name: str) -> Node:
        """The node of a named definition. Raises KeyError when there is none of that name."""
        if name in self._built:
            return self._built[name]
        if name in _SPECIAL:
            node: Node = _leaf(_SPECIAL[name])
        else:
            schema = self._decoder.decode(self._definitions[name])
            node = self._empty(schema, _go_type(name))
            self._built[name] = node  # before its fields, so that a definition may contain itself
            self._fill(node, schema)
        self._built[name] = node
        return node

    def _node(self, schema: Schema) -> Node:
        reference = schema.ref or next((part.ref for part in schema.all_of if part.ref), "")
        if reference:
            return _annotated(self.definition(reference.removeprefix(PREFIX)), schema)
        node = self._empty(schema, "")
        self._fill(node, schema)
        return node

    def _empty(self, schema: Schema, go_type: str) -> Node:
        """A node of the right class, with nothing in it yet."""
        if schema.int_or_string:
            return _leaf(Scalar.INT_OR_STRING)
        match schema.type:
            case "object" if schema.properties:
                node: Node = Struct(go_type or "struct", open=schema.preserve_unknown)
            case "object" if isinstance(schema.additional, Schema):
                node = MapNode()
            case "array":
                node = ListNode()
            case "" | "object":
                return FREE
            case type_:
                node = _leaf(_FORMATS.get(schema.format) or _TYPES[type_])
        return _annotated(node, schema)

    def _fill(self, node: Node, schema: Schema) -> None:
        match node:
            case Struct():
                node.fields.update((name, self._node(inner)) for name, inner in schema.properties.items())
            case MapNode() if isinstance(schema.additional, Schema):
                node.values = self._node(schema.additional)
                node.go_type = f"map[string]{node.values.go_type}"
            case ListNode() if schema.items is not None:
                node.items = self._node(schema.items)
                node.go_type = f"[]{node.items.go_type}"


def _leaf(scalar: Scalar) -> Leaf:
    return Leaf(scalar.value, scalar=scalar)


def _go_type(definition: str) -> str:
    """`v1.Container` for `io.k8s.api.core.v1.Container`."""
    return ".".join(definition.split(".")[-2:])


def _annotated(node: Node, schema: Schema) -> Node:
    """The node with what a schema says of merging and ownership; a copy where that differs."""
    changes: dict[str, Any] = {}
    if schema.patch_strategy or schema.patch_merge_key:
        strategies = schema.patch_strategy.split(",")
        changes["patch"] = PatchStrategy("merge" in strategies, "replace" in strategies, schema.patch_merge_key)
    match schema.list_type, schema.map_type:
        case ("atomic", _) | (_, "atomic"):
            changes["ownership"] = Ownership.ATOMIC
        case ("set", _):
            changes["ownership"] = Ownership.SET
        case ("map", _):
            changes |= {"ownership": Ownership.KEYED, "map_keys": tuple(schema.list_map_keys)}
        case (_, "granular"):
            changes["ownership"] = Ownership.GRANULAR
    return replace(node, **changes) if changes else node
