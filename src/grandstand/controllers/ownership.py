"""Who owns what: references to owners, and claiming objects by selector and controller reference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec

from grandstand import selectors
from grandstand.kinds import Key, Meta, Object, OwnerReference, Resource
from grandstand.reconcile.actions import Patch
from grandstand.selectors import Selector


class HasMeta(Protocol):
    """A view of an object with metadata."""

    @property
    def metadata(self) -> Meta: ...


V = TypeVar("V", bound=HasMeta)


def controller_uid(obj: HasMeta) -> list[str]:
    """The uid of an object's controller, as the values of an index: one or none."""
    owner = obj.metadata.controller
    return [owner.uid] if owner is not None else []


def orphan_namespace(obj: HasMeta) -> list[str]:
    """The namespace of an object that has no controller, as the values of an index."""
    return [] if obj.metadata.controller is not None else [obj.metadata.namespace]


def controller_in(obj: Object | None, resource: Resource) -> Key | None:
    """The key of an object's controller, if it has one of that resource. Reads JSON: every change of a Pod asks."""
    if obj is None:
        return None
    meta = obj["metadata"]
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller") and owner["kind"] == resource.kind and owner["apiVersion"] == resource.api_version:
            return Key(meta.get("namespace", ""), owner["name"])
    return None


def is_orphan(obj: Object) -> bool:
    """Whether no controller manages an object."""
    return not any(owner.get("controller") for owner in obj["metadata"].get("ownerReferences") or ())


def controller_reference(resource: Resource, meta: Meta) -> Object:
    """The reference by which an object names its controller."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claim(
    owner: Resource, meta: Meta, selector: Selector, resource: Resource, candidates: Iterable[V]
) -> tuple[list[V], list[Patch]]:
    """Return the candidates that are the owner's, and the patches that adopt matching and release other ones.

    An orphan counts as owned only when it has been adopted, which the next look shows. An owner that is being deleted
    claims nothing new, and lets go of nothing: the garbage collector does that.
    """
    owned: list[V] = []
    patches: list[Patch] = []
    leaving = meta.deletion_timestamp is not None
    for candidate in candidates:
        of = candidate.metadata
        matching = selectors.matches(selector, of.labels)
        if of.controller is not None and of.controller.uid == meta.uid:
            if matching or leaving:
                owned.append(candidate)
            else:
                rest = [as_json(reference) for reference in of.owner_references if reference.uid != meta.uid]
                patches.append(_patch(resource, of, rest))
        elif of.controller is None and matching and not leaving and of.deletion_timestamp is None:
            everyone = [as_json(reference) for reference in of.owner_references]
            patches.append(_patch(resource, of, [*everyone, controller_reference(owner, meta)]))
    return owned, patches


def as_json(reference: OwnerReference) -> Object:
    """A reference as JSON, without what is false."""
    fields: Object = msgspec.to_builtins(reference)
    return {name: value for name, value in fields.items() if value is not False}


def _patch(resource: Resource, meta: Meta, references: list[Object]) -> Patch:
    # The version is a precondition: a list is replaced as a whole, and somebody else may be changing it too.
    changes = {"ownerReferences": references or None, "resourceVersion": meta.resource_version}
    return Patch(resource, meta.key, {"metadata": changes}, uid=meta.uid)
