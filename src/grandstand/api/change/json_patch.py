"""Apply a JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
import re
from typing import Any

import msgspec

from grandstand.errors import BadRequest, Invalid, TooLarge
from grandstand.kinds import Object

MOST_OPERATIONS = 10_000
"""As many as Kubernetes allows."""

MOST_COPIED_BYTES = 3 * 2**20
"""By all `copy` operations together, as in Kubernetes: thirty that each double the object would make it a billion."""

_INDEX = re.compile(r"0|[1-9][0-9]*")
_NEEDS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}


def json_patch(obj: Object, operations: list[Object]) -> Object:
    """The object after all operations, in order.

    Raises BadRequest for a patch that is none, Invalid for one that does not fit the object (a missing path, a `test`
    that fails), TooLarge for too many operations.
    """
    if not isinstance(operations, list):
        raise BadRequest('a JSON patch is a list of operations such as {"op": "replace", "path": "/a", "value": 1}')
    if len(operations) > MOST_OPERATIONS:
        raise TooLarge(
            f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}: split it"
        )
    for operation in operations:
        _check(operation)
    document: Any = copy.deepcopy(obj)
    copied_bytes = 0
    for operation in operations:
        if operation["op"] == "copy":
            copied_bytes += _size_of_source(document, operation)
            if copied_bytes > MOST_COPIED_BYTES:
                raise TooLarge(
                    f"Unable to complete the copy, the accumulated size increase of copy is {copied_bytes}, "
                    f"exceeding the limit {MOST_COPIED_BYTES}"
                )
        document = _applied(document, operation)
    if not isinstance(document, dict):
        raise Invalid("the patch replaces the whole object by something that is no object")
    return document


def _check(operation: Any) -> None:
    """Raise BadRequest for anything that is no operation of RFC 6902."""
    if not isinstance(operation, dict) or operation.get("op") not in _NEEDS:
        raise BadRequest(f"{operation!r} is no operation of a JSON patch: op is one of {', '.join(_NEEDS)}")
    for member in _NEEDS[operation["op"]]:
        if member not in operation:
            raise BadRequest(f"{operation['op']} operation needs {member!r}")
        if member != "value":
            _tokens(operation[member])


def _tokens(pointer: Any) -> list[str]:
    """The parts of a JSON pointer (RFC 6901). Raises BadRequest."""
    if not isinstance(pointer, str) or (pointer and pointer[0] != "/") or re.search(r"~(?![01])", pointer):
        raise BadRequest(f"{pointer!r} is no JSON pointer: it begins with '/', and writes '~' as ~0 and '/' as ~1")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _applied(document: Any, operation: Object) -> Any:
    path = _tokens(operation["path"])
    try:
        match operation["op"]:
            case "add":
                return _added(document, path, copy.deepcopy(operation["value"]))
            case "remove":
                return _removed(document, path)
            case "replace":
                return _replaced(document, path, copy.deepcopy(operation["value"]))
            case "copy":
                return _added(document, path, copy.deepcopy(_found(document, _tokens(operation["from"]))))
            case "move":
                return _moved(document, _tokens(operation["from"]), path)
            case _:
                return _tested(document, operation)
    except (LookupError, TypeError):
        raise Invalid(
            f"{operation['op']} operation does not apply: doc is missing path: {operation.get('path')!r}"
            + (f" (from {operation['from']!r})" if "from" in operation else "")
        ) from None


def _size_of_source(document: Any, operation: Object) -> int:
    """What a `copy` adds, in bytes of JSON; 0 where its source is missing, which `_applied` says."""
    try:
        return len(msgspec.json.encode(_found(document, _tokens(operation["from"]))))
    except (LookupError, TypeError):
        return 0


def _found(document: Any, path: list[str]) -> Any:
    for token in path:
        document = document[_key(document, token)]
    return document


def _key(parent: Any, token: str, *, end: int = 0) -> Any:
    """The key or index that a token means in `parent`; an index must be below its length plus `end`."""
    if isinstance(parent, dict):
        return token
    if not isinstance(parent, list) or not _INDEX.fullmatch(token):
        raise LookupError(token)
    if len(token) > 10 or int(token) >= len(parent) + end:
        raise LookupError(token)
    return int(token)


def _added(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _found(document, path[:-1])
    if isinstance(parent, list):
        parent.insert(len(parent) if path[-1] == "-" else _key(parent, path[-1], end=1), value)
    else:
        parent[_key(parent, path[-1])] = value
    return document


def _removed(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _found(document, path[:-1])
    del parent[_key(parent, path[-1])]
    return document


def _replaced(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _found(document, path[:-1])
    key = _key(parent, path[-1])
    parent[key]  # must exist
    parent[key] = value
    return document


def _moved(document: Any, source: list[str], target: list[str]) -> Any:
    if target[: len(source)] == source and target != source:
        raise Invalid(f"move operation does not apply: {'/'.join(['', *source])!r} cannot be moved into itself")
    value = _found(document, source)
    return _added(_removed(document, source), target, value)


def _tested(document: Any, operation: Object) -> Any:
    if not _same(_found(document, _tokens(operation["path"])), operation["value"]):
        raise Invalid(f"testing value {operation['path']} failed")
    return document


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON: numbers by value, and true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)
