"""Lay an applied object over the live one, and take away fields: the two changes that server-side apply makes."""

from __future__ import annotations

import copy
from typing import Any

from grandstand.api.schema import Node

from .compare import is_granular, parts_of
from .fields import FieldPath, FieldSet, owns_below, step_of_item
from .order import applied_order


def merged(node: Node, live: Any, applied: Any) -> Any:
    """The live value with the applied one over it: granular parts merge, all others are replaced."""
    if not (is_granular(node, live) and is_granular(node, applied)) or type(live) is not type(applied):
        return copy.deepcopy(applied)
    if isinstance(applied, dict):
        result = {key: value for key, value in live.items() if key not in applied}
        result = {key: copy.deepcopy(value) for key, value in result.items()}
        overlaid = {key: merged(node.child(key), live.get(key), value) for key, value in applied.items()}
        return {key: overlaid[key] if key in overlaid else result[key] for key in (*live, *applied)}
    return _merged_list(node, live, applied)


def _merged_list(node: Node, live: list[Any], applied: list[Any]) -> list[Any]:
    try:
        before = parts_of(node, live)
    except ValueError:  # items without keys, stored before anybody applied: what is applied takes their place
        return copy.deepcopy(applied)
    wanted = parts_of(node, applied)
    element = node.element
    items = {step: copy.deepcopy(item) for step, (_, item) in before.items()}
    for step, (_, item) in wanted.items():
        items[step] = merged(element, items.get(step), item)
    return [items[step] for step in applied_order(list(before), list(wanted))]


def without(node: Node, obj: Any, removed: FieldSet) -> Any:
    """A copy of an object without some fields."""
    return _without(node, obj, (), removed, owns_below(removed))


def _without(node: Node, value: Any, path: FieldPath, removed: FieldSet, touched: FieldSet) -> Any:
    if (path and path not in touched) or not is_granular(node, value):
        return value
    if isinstance(value, dict):
        return {
            key: _without(node.child(key), inner, (*path, step), removed, touched)
            for key, inner in value.items()
            if (*path, step := f"f:{key}") not in removed
        }
    kept = ((step_of_item(node, item), item) for item in value)
    return [
        _without(node.element, item, (*path, step), removed, touched)
        for step, item in kept
        if (*path, step) not in removed
    ]
