"""Apply a strategic merge patch: lists merge by the keys that the schema names.

Directives: `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/FIELD`, `$deleteFromPrimitiveList/FIELD`.
Specified in "Strategic Merge Patch" of the Kubernetes API conventions.
"""

from __future__ import annotations

import copy
from typing import Any

from grandstand.api.schema import Node, Schemas
from grandstand.errors import BadRequest
from grandstand.kinds import Object, Resource

from .order import interleaved

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
ELEMENT_ORDER = "$setElementOrder/"
DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge(schemas: Schemas, resource: Resource, obj: Object, patch: Object) -> Object:
    """The object after the patch. Raises BadRequest for directives that mean nothing."""
    if not isinstance(patch, dict):
        raise BadRequest("a strategic merge patch is a JSON object that holds the fields to change")
    return _merged_map(schemas.node_of(resource), obj, patch)


def _merged_map(node: Node, before: Object, patch: Object) -> Object:
    match patch.get(DIRECTIVE):
        case "replace":
            replaced: Object = _plain(patch)
            return replaced
        case "delete":
            return {}
        case "merge" | None:
            pass
        case other:
            raise BadRequest(f"unknown patch directive {other!r}: $patch is replace, delete or merge")
    result = copy.deepcopy(_retained(before, patch))
    for key, value in patch.items():
        if key.startswith(DELETE_PRIMITIVES):
            _delete_primitives(result, key.removeprefix(DELETE_PRIMITIVES), value)
    for key, value in patch.items():
        if not _is_directive(key):
            _merge_field(node, result, key, value)
    for key, order in patch.items():
        if key.startswith(ELEMENT_ORDER):
            _set_order(node, before, result, key.removeprefix(ELEMENT_ORDER), order)
    return result


def _is_directive(key: str) -> bool:
    return key in (DIRECTIVE, RETAIN_KEYS) or key.startswith((ELEMENT_ORDER, DELETE_PRIMITIVES))


def _merge_field(node: Node, result: Object, key: str, value: Any) -> None:
    child = node.child(key)
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict) and not child.patch.replace:
        current = result.get(key)
        result[key] = _merged_map(child, current if isinstance(current, dict) else {}, value)
    elif isinstance(value, list) and child.patch.merge:
        current = result.get(key)
        result[key] = _merged_list(child, current if isinstance(current, list) else [], value)
    else:
        result[key] = _plain(value)


def _merged_list(node: Node, before: list[Any], patch: list[Any]) -> list[Any]:
    key = node.patch.merge_key
    if not key:
        return [*before, *(copy.deepcopy(item) for item in patch if item not in before)]
    for item in patch:
        if not isinstance(item, dict):
            raise BadRequest(f"a list that merges by {key!r} holds objects, not {item!r}")
    directives = [item for item in patch if item.get(DIRECTIVE) in ("replace", "delete")]
    if any(item[DIRECTIVE] == "replace" for item in directives):
        return [_plain(item) for item in patch if DIRECTIVE not in item]
    deleted = [_key_of(item, key) for item in directives]
    result = [item for item in before if not (isinstance(item, dict) and item.get(key) in deleted)]
    for item in patch:
        if item.get(DIRECTIVE) == "delete":
            continue
        wanted = _key_of(item, key)
        place = next((i for i, old in enumerate(result) if isinstance(old, dict) and old.get(key) == wanted), None)
        if place is None:
            result.append(_merged_map(node.element, {}, item))
        else:
            result[place] = _merged_map(node.element, result[place], item)
    return result


def _key_of(item: Object, key: str) -> Any:
    if item.get(key) is None:
        raise BadRequest(f"map: {item!r} does not contain declared merge key: {key}")
    return item[key]


def _plain(value: Any) -> Any:
    """A value that nothing is merged with: without nulls and directives."""
    if isinstance(value, dict):
        kept = ((key, inner) for key, inner in value.items() if inner is not None and not _is_directive(key))
        return {key: _plain(inner) for key, inner in kept}
    if isinstance(value, list):
        return [
            _plain(item)
            for item in value
            if not (isinstance(item, dict) and item.get(DIRECTIVE) in ("delete", "replace") and len(item) <= 2)
        ]
    return value


def _retained(before: Object, patch: Object) -> Object:
    if RETAIN_KEYS not in patch:
        return before
    keep = patch[RETAIN_KEYS]
    if not isinstance(keep, list):
        raise BadRequest(f"{RETAIN_KEYS} is a list of field names, not {keep!r}")
    for key, value in patch.items():
        if value is not None and not _is_directive(key) and key not in keep:
            raise BadRequest(f"{RETAIN_KEYS} directive must contain the field {key!r} that the patch sets")
    return {key: value for key, value in before.items() if key in keep}


def _delete_primitives(result: Object, key: str, values: Any) -> None:
    if not isinstance(values, list):
        raise BadRequest(f"{DELETE_PRIMITIVES}{key} is a list of values, not {values!r}")
    if isinstance(result.get(key), list):
        result[key] = [item for item in result[key] if item not in values]


def _set_order(node: Node, before: Object, result: Object, key: str, order: Any) -> None:
    """Put the listed items into the wanted order; others keep their place before what they stood before."""
    if not isinstance(order, list):
        raise BadRequest(f"{ELEMENT_ORDER}{key} is a list, not {order!r}")
    items = result.get(key)
    if not isinstance(items, list):
        return
    merge_key = node.child(key).patch.merge_key
    wanted = [_identity(item, merge_key) for item in order]
    server = [_identity(item, merge_key) for item in before.get(key) or ()]
    names = [_identity(item, merge_key) for item in items]

    def precedes(first: int, second: int) -> bool:
        known = names[first] in server and names[second] in server
        return known and server.index(names[first]) < server.index(names[second])

    # By place, not by key: two ports may share a number and differ in their protocol.
    listed = [place for place, name in enumerate(names) if name in wanted]
    others = [place for place, name in enumerate(names) if name not in wanted]
    listed.sort(key=lambda place: wanted.index(names[place]))
    result[key] = [items[place] for place in interleaved(listed, others, precedes)]


def _identity(item: Any, merge_key: str) -> Any:
    return item.get(merge_key) if merge_key and isinstance(item, dict) else item
