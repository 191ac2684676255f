"""Read YAML bodies as the JSON that they stand for."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

MOST_BYTES = 2**20
"""Reading YAML takes a second per megabyte, in which nobody else is served. Clients that write much send JSON."""

MOST_LEVELS = 100
"""libyaml takes a time that grows with the square of the depth: 1.5 MB of `[` were many minutes."""

_DATE, _INTEGER, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("timestamp", "int", "float"))
_LEAST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1


class _Loader(yaml.CSafeLoader):
    """YAML without dates and numbers of base 60 (`1:30`): JSON has neither, they stay text."""


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    """A number. The digits of base 60 would be added up in a time that grows with the square of their count."""
    if ":" in str(node.value):
        raise ValueError(f"{str(node.value)[:40]!r} is no number of JSON")
    construct = loader.construct_yaml_int if node.tag == _INTEGER else loader.construct_yaml_float
    return construct(node)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_DATE, _INTEGER, _FLOAT)]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _INTEGER,
    re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+)\Z", re.ASCII),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"(?:[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN))\Z",
        re.ASCII,
    ),
    list("-+0123456789."),
)
for _tag in (_INTEGER, _FLOAT):
    _Loader.add_constructor(_tag, _number)


def load(body: bytes) -> Any:
    """Raises ValueError for what is no YAML, several documents, aliases, and values that JSON cannot have."""
    if len(body) > MOST_BYTES:
        raise ValueError(f"a YAML body may have {MOST_BYTES} bytes: send JSON, which may have more")
    try:
        _check_events(body)
        value = yaml.load(body, Loader=_Loader)  # noqa: S506  (a safe loader of our own)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    _check(value)
    return value


def _check_events(body: bytes) -> None:
    """Read the document once without building it: what would take too long is refused where it begins."""
    level = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases (*name) are not accepted: write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
        if level > MOST_LEVELS:
            raise ValueError(f"it is nested too deeply: no object has more than {MOST_LEVELS} levels")


def _check(value: Any) -> None:
    match value:
        case None | str() | bool():
            return
        case int() | float():
            _check_number(value)
        case dict():
            for key, child in value.items():
                if not isinstance(key, str):
                    raise ValueError(f"the key {key!r} must be text: put it in quotes")
                _check(child)
        case list():
            for child in value:
                _check(child)
        case _:
            raise ValueError(f"a value of type {type(value).__name__} is not in JSON")


def _check_number(value: float) -> None:
    if isinstance(value, int):
        if not _LEAST_INTEGER <= value <= _LARGEST_INTEGER:
            raise ValueError("an integer has more than 64 bits: put it in quotes")
    elif not math.isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
