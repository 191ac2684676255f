"""What the API does with ConfigMaps."""

from __future__ import annotations

from grandstand.kinds import Object

from . import names
from .fields import Causes, check_name, forbidden, invalid, part, too_long
from .kind_rules import KindRules

SIZE_MAX = 1024 * 1024


def _check(config_map: Object) -> Causes:
    data, binary = part(config_map, "data"), part(config_map, "binaryData")
    for field, values in (("data", data), ("binaryData", binary)):
        for key in values:
            yield from check_name(f"{field}[{key}]", key, names.config_key(key))
    for key in data.keys() & binary.keys():
        yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    size = sum(len(value.encode()) for value in data.values()) + sum(decoded_size(value) for value in binary.values())
    if size > SIZE_MAX:
        yield too_long("", SIZE_MAX)


def decoded_size(text: str) -> int:
    """The length of the bytes that base64 text stands for."""
    return len(text) * 3 // 4 - text.count("=", -2)


def check_immutable(new: Object, old: Object, *fields: str) -> Causes:
    """An immutable ConfigMap or Secret stays immutable, and keeps its data."""
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", "field is immutable when `immutable` is set")
    for field in fields:
        if part(new, field) != part(old, field):
            yield forbidden(field, "field is immutable when `immutable` is set")


def _check_update(new: Object, old: Object) -> Causes:
    return check_immutable(new, old, "data", "binaryData")


RULES = KindRules(check=_check, check_update=_check_update)
