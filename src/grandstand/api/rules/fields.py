"""Say what is wrong with a field, in the words of Kubernetes 1.37."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from grandstand.errors import Cause
from grandstand.kinds import Object

Causes = Iterator[Cause]

IMMUTABLE = "field is immutable"

_JSON = msgspec.json.Encoder(order="sorted")


def shown(value: Any) -> str:
    """A value as Kubernetes 1.34 and later print it: JSON with sorted keys, `null` for what is missing."""
    return _JSON.encode(value).decode()


def required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", _joined("Required value", detail), path)


def invalid(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", _joined(f"Invalid value: {shown(value)}", detail), path)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    values = ", ".join(shown(text) for text in supported)
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {values}", path)


def forbidden(path: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", _joined("Forbidden", detail), path)


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", path)


def not_found(path: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {shown(value)}", path)


def too_long(path: str, limit: int) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", path)


def too_many(path: str, count: int, limit: int) -> Cause:
    return Cause("FieldValueTooMany", f"Too many: {count}: must have at most {limit} items", path)


def _joined(what: str, detail: str) -> str:
    return f"{what}: {detail}" if detail else what


# Reading: Go gives an absent list, map or string its empty value; so do these.


def items(obj: Object, key: str) -> list[Any]:
    return obj.get(key) or []


def part(obj: Object, key: str) -> Object:
    return obj.get(key) or {}


def at(path: str, key: str) -> str:
    """The path of a field; "" is the object itself."""
    return f"{path}.{key}" if path else key


def indexed(obj: Object, key: str, path: str) -> Iterator[tuple[str, Any]]:
    """The elements of a list field, each with its path: `("spec.containers[0]", {...})`."""
    return ((f"{at(path, key)}[{index}]", item) for index, item in enumerate(items(obj, key)))


# Rules that many fields share.


def check_name(path: str, value: str, problems: Iterable[str]) -> Causes:
    """A cause per problem that a function of `names` found."""
    return (invalid(path, value, problem) for problem in problems)


def check_choice(obj: Object, key: str, path: str, choices: Iterable[str]) -> Causes:
    """The field is one of a few words."""
    value = obj.get(key) or ""
    choices = tuple(choices)
    if not value:
        yield required(at(path, key), f"must be one of {', '.join(choices)}")
    elif value not in choices:
        yield not_supported(at(path, key), value, choices)


def check_optional_choice(obj: Object, key: str, path: str, choices: Iterable[str]) -> Causes:
    if obj.get(key):
        yield from check_choice(obj, key, path, choices)


def check_non_negative(obj: Object, path: str, *keys: str) -> Causes:
    for key in keys:
        value = obj.get(key)
        if value is not None and value < 0:
            yield invalid(at(path, key), value, "must be greater than or equal to 0")


def check_required(obj: Object, path: str, *keys: str) -> Causes:
    for key in keys:
        if not obj.get(key):
            yield required(at(path, key))


def check_range(path: str, value: int, least: int, most: int) -> Causes:
    if not least <= value <= most:
        yield invalid(path, value, f"must be between {least} and {most}, inclusive")


def check_port_number(path: str, value: int) -> Causes:
    return check_range(path, value, 1, 65535)


def check_unchanged(new: Object, old: Object, path: str, *keys: str) -> Causes:
    """The fields are as they were when the object was created."""
    for key in keys:
        if (new.get(key) or None) != (old.get(key) or None):
            yield invalid(at(path, key), new.get(key), IMMUTABLE)


# Defaulting, on a copy that is the caller's own.


def fill(obj: Object, **defaults: Any) -> None:
    """Set fields that are absent or hold Go's zero value ("", 0): those that are no pointers in Kubernetes' types."""
    for key, value in defaults.items():
        if not obj.get(key):
            obj[key] = value


def copied(value: Any) -> Any:
    """A deep copy of JSON; ten times faster than `copy.deepcopy`, which every write of the API would feel."""
    if type(value) is dict:
        return {key: copied(item) if type(item) in _CONTAINERS else item for key, item in value.items()}
    if type(value) is list:
        return [copied(item) if type(item) in _CONTAINERS else item for item in value]
    return value


_CONTAINERS = frozenset((dict, list))
