"""What the store holds and tells: keys, stored objects, changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from grandstand.client import EventType
from grandstand.kinds import Object

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Object).decode


class StoreKey(NamedTuple):
    """`resource` is `Resource.qualified`, e.g. "deployments.apps"; `namespace` is "" for cluster-wide objects."""

    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as of a revision. `object` is shared and read-only; `encoded` is the same as compact JSON."""

    key: StoreKey
    object: Object
    revision: int
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change. For DELETED, `object` is the last state, with the deletion's resourceVersion."""

    type: EventType
    key: StoreKey
    object: Object
    before: Object | None
    revision: int
    encoded: bytes


def decode(key: StoreKey, encoded: bytes) -> Stored:
    """A stored object from its JSON. Raises ValueError or KeyError when that is not an object with a version."""
    obj = _decode(encoded)
    return Stored(key, obj, int(obj["metadata"]["resourceVersion"]), encoded)


def stamp(key: StoreKey, obj: Object, revision: int) -> Stored:
    """The object as of a revision, on copies of itself and its metadata: what the caller holds stays as it is."""
    metadata = {**obj.get("metadata", {}), "resourceVersion": str(revision)}
    stamped = {**obj, "metadata": metadata}
    return Stored(key, stamped, revision, encode(stamped))


def same(one: Object, other: Object) -> bool:
    """Whether two objects are the same JSON but for the resourceVersion.

    `==` comes first because it mostly says no at once; but it takes 1 for True and 1.0, which JSON does not.
    """
    if one is other:
        return True
    one, other = _unversioned(one), _unversioned(other)
    return one == other and msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def _unversioned(obj: Object) -> Object:
    metadata = {name: value for name, value in obj.get("metadata", {}).items() if name != "resourceVersion"}
    return {**obj, "metadata": metadata}
