"""Sets of fields, and their text in `managedFields` (the `FieldsV1` format).

A field is a path of steps as FieldsV1 writes them: `f:spec` for a field or map key, `k:{"name":"web"}` for a list item
by its keys, `v:"text"` for an item of a set. A set of fields is a frozenset of paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from grandstand.api.schema import Node, Ownership
from grandstand.errors import BadRequest

FieldPath = tuple[str, ...]
FieldSet = frozenset[FieldPath]

NOTHING: FieldSet = frozenset()
# Keys that may be left out of a list item; the published schemas do not carry their defaults.
KEY_DEFAULTS = {"protocol": "TCP"}


def to_json(fields: FieldSet) -> dict[str, Any]:
    """The FieldsV1 object of a set."""
    root: dict[str, Any] = {}
    for path in sorted(fields):
        place = root
        for step in path:
            place = place.setdefault(step, {})
        place["."] = {}
    return _without_lonely_dots(root)


def _without_lonely_dots(trie: dict[str, Any]) -> dict[str, Any]:
    """A field without fields below it is written as an empty object, not as one with a dot."""
    if trie.keys() == {"."}:
        return {}
    return {step: _without_lonely_dots(inner) if step != "." else {} for step, inner in trie.items()}


def from_json(trie: Any) -> FieldSet:
    """The set of a FieldsV1 object. Raises BadRequest where it is none."""
    return frozenset(_paths(trie, ()))


def _paths(trie: Any, prefix: FieldPath) -> Iterable[FieldPath]:
    if not isinstance(trie, dict):
        raise BadRequest(f"fieldsV1 holds objects only, not {trie!r}")
    for step, inner in trie.items():
        if step == ".":
            yield prefix
        elif step[:2] not in ("f:", "k:", "v:", "i:"):
            raise BadRequest(f"missing or unknown type of path element in fieldsV1: {step!r}")
        elif inner:
            yield from _paths(inner, (*prefix, step))
        else:
            yield (*prefix, step)


def contains(trie: dict[str, Any], path: FieldPath) -> bool:
    """Whether a FieldsV1 object names a field itself, not only fields in it."""
    for step in path:
        if step not in trie:
            return False
        trie = trie[step]
    return not trie or "." in trie


def step_of_item(node: Node, item: Any) -> str:
    """The step to an item of a list that is a set or has keys. Raises ValueError where the item lacks its keys."""
    if node.ownership is Ownership.SET:
        return "v:" + msgspec.json.encode(item, order="sorted").decode()
    if not isinstance(item, dict):
        raise ValueError(f"an item of a list with keys is an object, not {item!r}")
    keys = {}
    for key in node.map_keys:
        value = item.get(key)
        if value is None:
            value = KEY_DEFAULTS.get(key)
        if value is None:
            raise ValueError(f'associative list with keys has an element that omits key field "{key}"')
        keys[key] = value
    return "k:" + msgspec.json.encode(keys, order="sorted").decode()


def text(path: FieldPath) -> str:
    """A path as Kubernetes shows it to people: `.spec.containers[name="web"].image`."""
    return "".join(_step_text(step) for step in path)


def _step_text(step: str) -> str:
    kind, rest = step[:2], step[2:]
    match kind:
        case "f:":
            return f".{rest}"
        case "k:":
            keys = msgspec.json.decode(rest)
            return "[" + ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in keys.items()) + "]"
        case "v:":
            return f"[={rest}]"
    return f"[{rest}]"


def owns_below(fields: FieldSet) -> FieldSet:
    """Every path of a set and every prefix of one: what has an owner somewhere at or below it."""
    return frozenset(path[:length] for path in fields for length in range(1, len(path) + 1))
