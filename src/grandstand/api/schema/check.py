"""Check an object against its node: prune what the schema does not know, and say what has the wrong type."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grandstand.kinds import Object

from .nodes import Leaf, ListNode, MapNode, Node, Scalar, Struct
from .scalars import canonical_quantity, canonical_time, check_base64

Path = tuple[Any, ...]
"""A chain from the innermost part outwards: (parent path, part), where a part is a field, a key or an index."""

_RANGES = {Scalar.INT32: 2**31, Scalar.INT64: 2**63}
_ZEROS: dict[Scalar, Any] = {
    Scalar.STRING: "",
    Scalar.BYTES: "",
    Scalar.INT32: 0,
    Scalar.INT64: 0,
    Scalar.DOUBLE: 0,
    Scalar.BOOL: False,
    Scalar.INT_OR_STRING: 0,
    Scalar.QUANTITY: "0",
}
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class Checked:
    """An object as it may be stored, the paths of fields that were left out because no schema knows them, and errors.

    Where `invalid` is not empty, `object` is not to be used.
    """

    object: Object
    unknown: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()


@dataclass(slots=True)
class _Findings:
    unknown: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


def check(node: Struct, obj: Object) -> Checked:
    """A pruned deep copy of an object, without nulls, and what was found on the way."""
    findings = _Findings()
    if not isinstance(obj, dict):
        _mismatch(findings, node, "", (), obj)
        return Checked({}, (), tuple(findings.invalid))
    checked = _struct(node, obj, (), node.go_type, findings)
    return Checked(checked, tuple(findings.unknown), tuple(findings.invalid))


def _struct(node: Struct, value: dict[str, Any], path: Path, owner: str, findings: _Findings) -> dict[str, Any]:
    result = {}
    fields = node.fields
    owner = node.go_type
    for key, inner in value.items():
        known = fields.get(key)
        if known is None:
            if node.open:
                result[key] = copy.deepcopy(inner)
            else:
                findings.unknown.append(dotted((path, key)))
        elif inner is None:
            continue
        elif type(known) is Leaf and type(inner) is str and known.scalar is Scalar.STRING:
            result[key] = inner  # most values are plain text: spare them two calls
        else:
            result[key] = _value(known, inner, (path, key), owner, findings)
    return result


def _value(node: Node, value: Any, path: Path, owner: str, findings: _Findings) -> Any:
    match node:
        case Leaf():
            return _leaf(node, value, path, owner, findings)
        case Struct() if isinstance(value, dict):
            return _struct(node, value, path, owner, findings)
        case ListNode() if isinstance(value, list):
            items = node.items
            return [
                _zero(items) if item is None else _value(items, item, (path, index), owner, findings)
                for index, item in enumerate(value)
            ]
        case MapNode() if isinstance(value, dict):
            values = node.values
            return {
                key: _zero(values) if item is None else _value(values, item, (path, key), owner, findings)
                for key, item in value.items()
            }
        case Struct() | ListNode() | MapNode():
            _mismatch(findings, node, owner, path, value)
            return None
    return copy.deepcopy(value)


def _zero(node: Node) -> Any:
    """What Go makes of a null where it cannot leave the value out: in a list or map."""
    match node:
        case Leaf():
            return _ZEROS.get(node.scalar)
        case ListNode():
            return []
    return {}


def _leaf(node: Leaf, value: Any, path: Path, owner: str, findings: _Findings) -> Any:
    scalar = node.scalar
    kind = type(value)
    if scalar in _RANGES:
        if kind is int and -_RANGES[scalar] <= value < _RANGES[scalar]:
            return value
    elif scalar is Scalar.BOOL:
        if kind is bool:
            return value
    elif scalar is Scalar.DOUBLE:
        if kind in (int, float):
            return value
    elif scalar is Scalar.INT_OR_STRING:
        if kind is str or (kind is int and -(2**31) <= value < 2**31):
            return value
    elif kind is str or (scalar is Scalar.QUANTITY and kind in (int, float)):
        return _text(scalar, value, path, findings)
    _mismatch(findings, node, owner, path, value)
    return None


def _text(scalar: Scalar, value: Any, path: Path, findings: _Findings) -> Any:
    reader = _READERS.get(scalar)
    if reader is None:
        return value
    try:
        return reader(value)
    except (ValueError, OverflowError) as error:
        findings.invalid.append(f"{error} (at {dotted(path)})")
        return None


def _base64(value: str) -> str:
    check_base64(value)
    return value


_READERS: dict[Scalar, Callable[[Any], str]] = {
    Scalar.QUANTITY: canonical_quantity,
    Scalar.BYTES: _base64,
    Scalar.TIME: canonical_time,
    Scalar.MICRO_TIME: lambda value: canonical_time(value, micro=True),
}


def _mismatch(findings: _Findings, node: Node, owner: str, path: Path, value: Any) -> None:
    """Note a wrong type in the words of Go's JSON decoder."""
    numeric = isinstance(node, Leaf) and (node.scalar in _RANGES or node.scalar is Scalar.INT_OR_STRING)
    go_type = "int32" if isinstance(node, Leaf) and node.scalar is Scalar.INT_OR_STRING else node.go_type
    fields = ".".join(part for part in parts(path) if isinstance(part, str))
    where = f"struct field {owner.rpartition('.')[2]}.{fields}" if fields else "value"
    findings.invalid.append(f"json: cannot unmarshal {_name(value, numeric)} into Go {where} of type {go_type}")


def _name(value: Any, numeric: bool) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return f"number {value}" if numeric else "number"
        case str():
            return "string"
        case list():
            return "array"
        case None:
            return "null"
    return "object"


def parts(path: Path) -> list[str | int]:
    """The parts of a path, outermost first."""
    found: list[str | int] = []
    while path:
        path, part = path
        found.append(part)
    return found[::-1]


def dotted(path: Path) -> str:
    """A path as Kubernetes writes it: `spec.containers[0].image`."""
    text = ""
    for part in parts(path):
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
