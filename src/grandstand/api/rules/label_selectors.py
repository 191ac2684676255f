"""Check label selectors, and match them with the labels that they must find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grandstand.kinds import LabelSelector, Object, view
from grandstand.selectors import from_label_selector, matches

from . import names
from .fields import Causes, check_name, forbidden, indexed, invalid, items, part, required
from .meta import check_labels

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def check(selector: Object, path: str) -> Causes:
    yield from check_labels(part(selector, "matchLabels"), f"{path}.matchLabels")
    for where, expression in indexed(selector, "matchExpressions", path):
        yield from check_expression(expression, where)


def check_expression(expression: Object, path: str) -> Causes:
    operator, values = expression.get("operator") or "", items(expression, "values")
    if operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator not in _OPERATORS:
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    key = expression.get("key") or ""
    yield from check_name(f"{path}.key", key, names.qualified_name(key))
    for where, value in indexed(expression, "values", path):
        yield from check_name(where, value, names.label_value(value))


def is_empty(selector: Mapping[str, Any]) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def found_by(selector: Object, labels: Object) -> bool:
    """Whether a selector finds labels; one that `check` refuses finds nothing."""
    if any(check(selector, "")):
        return False
    return matches(from_label_selector(view(LabelSelector, selector)), labels)
