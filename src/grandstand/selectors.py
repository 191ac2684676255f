"""Match objects by label and by field, from text (`a=b,c in (d,e)`) and from objects (`matchExpressions`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import BadRequest
from .kinds.meta import LabelSelector


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One clause: the label `key` must stand in the relation `operator` to `values`."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None


Selector = tuple[Requirement, ...]
"""Requirements that must all hold; the empty selector matches everything."""

EVERYTHING: Selector = ()


def matches(selector: Selector, labels: Mapping[str, str] | None) -> bool:
    """Whether labels satisfy every requirement."""
    return all(requirement.matches(labels or {}) for requirement in selector)


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """The selector that asks for exactly these labels, as a Service's `spec.selector` does."""
    return tuple(Requirement(key, Operator.IN, frozenset((value,))) for key, value in (labels or {}).items())


def from_label_selector(selector: LabelSelector) -> Selector:
    """The selector of a `LabelSelector` object. Raises ValueError for an unknown operator."""
    expressions = (Requirement(e.key, Operator(e.operator), frozenset(e.values)) for e in selector.match_expressions)
    return (*from_labels(selector.match_labels), *expressions)


_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_SET_CLAUSE = re.compile(rf"({_NAME})\s+(in|notin)\s*\(([^()]*)\)")
_EQUALITY_CLAUSE = re.compile(rf"({_NAME})\s*(==|=|!=)\s*({_NAME}|)")
_EXISTS_CLAUSE = re.compile(rf"(!?)\s*({_NAME})")


def parse_labels(text: str) -> Selector:
    """Parse a `labelSelector` query parameter. Raises BadRequest for text that is none."""
    return tuple(_requirement(clause.strip()) for clause in _clauses(text) if clause.strip())


def _clauses(text: str) -> list[str]:
    """Split at the commas outside parentheses."""
    return re.split(r",(?![^(]*\))", text)


def _requirement(clause: str) -> Requirement:
    if match := _SET_CLAUSE.fullmatch(clause):
        key, operator, values = match.groups()
        wanted = frozenset(value.strip() for value in values.split(","))
        return Requirement(key, Operator.IN if operator == "in" else Operator.NOT_IN, wanted)
    if match := _EQUALITY_CLAUSE.fullmatch(clause):
        key, operator, value = match.groups()
        return Requirement(key, Operator.NOT_IN if operator == "!=" else Operator.IN, frozenset((value,)))
    if match := _EXISTS_CLAUSE.fullmatch(clause):
        absent, key = match.groups()
        return Requirement(key, Operator.DOES_NOT_EXIST if absent else Operator.EXISTS)
    raise BadRequest(
        f"unable to parse requirement {clause!r}: "
        "write key=value, key!=value, key in (a,b), key notin (a,b), key or !key"
    )


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One clause of a field selector: the field at `path`, e.g. `("metadata", "name")`, equals `value` or not."""

    path: tuple[str, ...]
    value: str
    negated: bool = False

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return (_field(obj, self.path) == self.value) is not self.negated


FieldSelector = tuple[FieldRequirement, ...]


def parse_fields(text: str, supported: Callable[[str], bool]) -> FieldSelector:
    """Parse a `fieldSelector` query parameter; `supported` says which paths the resource has.

    Raises BadRequest for text that is no selector, and for a field that cannot be selected by.
    """
    return tuple(_field_requirement(clause.strip(), supported) for clause in text.split(",") if clause.strip())


def _field_requirement(clause: str, supported: Callable[[str], bool]) -> FieldRequirement:
    match = re.fullmatch(r"([A-Za-z0-9_.\[\]/-]+)\s*(==|=|!=)\s*(.*)", clause)
    if match is None:
        raise BadRequest(f"invalid field selector {clause!r}: write path=value or path!=value")
    path, operator, value = match.groups()
    if not supported(path):
        raise BadRequest(f'field label not supported: "{path}"')
    return FieldRequirement(tuple(path.split(".")), value, operator == "!=")


def fields_match(selector: FieldSelector, obj: Mapping[str, Any]) -> bool:
    """Whether an object satisfies every requirement of a field selector."""
    return all(requirement.matches(obj) for requirement in selector)


def _field(obj: Any, path: tuple[str, ...]) -> str:
    """The field as text; "" where it is absent, as Kubernetes compares."""
    for step in path:
        obj = obj.get(step) if isinstance(obj, Mapping) else None
    if obj is None:
        return ""
    return str(obj).lower() if isinstance(obj, bool) else str(obj)
