"""What each resource's objects look like: check and prune them, and find how their lists and maps merge.

The schemas are those of Kubernetes (`api/data/definitions.json`) and any that are given in addition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources

import msgspec

from grandstand.errors import NotFound
from grandstand.kinds import Object, Resource

from . import argo, functions, metrics
from .check import Checked, check
from .compile import PREFIX, Compiler
from .nodes import Leaf, ListNode, MapNode, Node, Ownership, PatchStrategy, Scalar, Struct


class _Marked(msgspec.Struct):
    """Only the kinds that a definition describes."""

    kinds: list[dict[str, str]] = msgspec.field(name="x-kubernetes-group-version-kind", default_factory=list)


class Schemas:
    """The definitions of all kinds, as JSON text; each becomes a node when it is first asked for.

    Kept as text because the parsed documents would take some ten times the memory.
    """

    def __init__(self, definitions: Mapping[str, msgspec.Raw], kinds: Mapping[tuple[str, str], str]) -> None:
        self.definitions = definitions
        self._kinds = kinds
        self._compiler = Compiler(definitions)

    @classmethod
    def load(
        cls, definitions: Mapping[str, Object] | None = None, kinds: Mapping[tuple[str, str], str] | None = None
    ) -> Schemas:
        """The schemas of Kubernetes, its metrics, Argo and Functions, with `definitions` added (OpenAPI v3, by name).

        Kinds are found by the definitions' `x-kubernetes-group-version-kind`; `kinds` adds
        (apiVersion, kind) -> definition for those that have none.
        """
        text = resources.files("grandstand.api").joinpath("data/definitions.json").read_bytes()
        found = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        added = argo.definitions() | functions.definitions() | metrics.definitions() | dict(definitions or {})
        found |= {name: msgspec.Raw(msgspec.json.encode(schema)) for name, schema in added.items()}
        return cls(found, {**dict(_kinds(found)), **(kinds or {})})

    def definition_of(self, api_version: str, kind: str) -> str:
        """The name of the definition of a kind. Raises NotFound."""
        name = self._kinds.get((api_version, kind))
        if name is None:
            raise NotFound(
                f'no kind "{kind}" is registered for version "{api_version}"; `kubectl api-resources` lists all'
            )
        return name

    def node(self, api_version: str, kind: str) -> Struct:
        """What a kind looks like. Raises NotFound."""
        node = self._compiler.definition(self.definition_of(api_version, kind))
        assert isinstance(node, Struct)
        return node

    def node_of(self, resource: Resource) -> Struct:
        """What the objects of a resource look like. Raises NotFound."""
        return self.node(resource.api_version, resource.kind)

    def at(self, resource: Resource, path: tuple[str, ...]) -> Node:
        """The node at a path of fields; lists are passed through to their items."""
        node: Node = self.node_of(resource)
        for key in path:
            while isinstance(node, ListNode):
                node = node.element
            node = node.child(key)
        return node

    def check(self, resource: Resource, obj: Object) -> Checked:
        """A pruned copy of an object, what its schema does not know, and what has the wrong type."""
        return self.check_kind(resource.api_version, resource.kind, obj)

    def check_kind(self, api_version: str, kind: str, obj: Object) -> Checked:
        """As `check`, for bodies that are no resource's objects: Scale, Eviction, DeleteOptions, reviews."""
        checked = check(self.node(api_version, kind), obj)
        if not checked.invalid:
            return checked
        prefix = f'{kind} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {kind}: '
        return Checked(checked.object, checked.unknown, tuple(prefix + message for message in checked.invalid))


def _kinds(definitions: Mapping[str, msgspec.Raw]) -> Iterator[tuple[tuple[str, str], str]]:
    decoder = msgspec.json.Decoder(_Marked)
    for name, raw in definitions.items():
        for marker in decoder.decode(raw).kinds:
            version = "/".join(filter(None, (marker["group"], marker["version"])))
            yield (version, marker["kind"]), name


__all__ = [
    "PREFIX",
    "Checked",
    "Leaf",
    "ListNode",
    "MapNode",
    "Node",
    "Ownership",
    "PatchStrategy",
    "Scalar",
    "Schemas",
    "Struct",
]
