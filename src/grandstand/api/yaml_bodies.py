"""Read YAML bodies as the JSON that they stand for."""

from __future__ import annotations

import math
from typing import Any

import yaml


class _Loader(yaml.CSafeLoader):
    """YAML without dates (JSON has none: they stay text)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load(body: bytes) -> Any:
    """Raises ValueError for what is no YAML, several documents, aliases, and values that JSON cannot have."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, Loader=yaml.CSafeLoader)):
            raise ValueError("aliases (*name) are not accepted: write the value out")
        value = yaml.load(body, Loader=_Loader)  # noqa: S506  (a safe loader of our own)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    _check(value)
    return value


def _check(value: Any) -> None:
    match value:
        case None | str() | bool() | int():
            return
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is no number of JSON")
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
