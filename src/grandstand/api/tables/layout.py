"""Describe the columns of a kind, and write the cells that several kinds share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from grandstand.kinds import Object

from .age import since

NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `wide` ones are shown by `kubectl get -o wide` only."""

    name: str
    description: str
    type: str = "string"
    wide: bool = False

    def definition(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": self.description,
            "priority": 1 if self.wide else 0,
        }


NAME = Column("Name", "Name must be unique within a namespace.")
AGE = Column("Age", "The time since the object was created.")
CONTAINERS = Column("Containers", "Names of each container in the template.", wide=True)
IMAGES = Column("Images", "Images referenced by each container in the template.", wide=True)
SELECTOR = Column("Selector", "The labels by which Pods are found.", wide=True)


@dataclass(frozen=True, slots=True)
class Layout:
    """How objects of one kind are shown: as many cells as columns."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, float], list[Any]]
    conditions: Callable[[Object], list[Object]] = lambda obj: []


def part(obj: Object, key: str) -> Object:
    return obj.get(key) or {}


def items(obj: Object, key: str) -> list[Any]:
    return obj.get(key) or []


def name_of(obj: Object) -> str:
    return part(obj, "metadata").get("name") or ""


def age_of(obj: Object, now: float) -> str:
    return since(part(obj, "metadata").get("creationTimestamp"), now)


def labels_text(labels: Object) -> str:
    """Labels as a selector: `app=web,tier=front`."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


def selector_text(selector: Object) -> str:
    """A LabelSelector in one line: `app=web,tier in (a,b),!old`."""
    clauses = {key: f"{key}={value}" for key, value in part(selector, "matchLabels").items()}
    for expression in items(selector, "matchExpressions"):
        key, values = expression.get("key") or "", ",".join(sorted(items(expression, "values")))
        match expression.get("operator"):
            case "Exists":
                clauses[key] = key
            case "DoesNotExist":
                clauses[key] = f"!{key}"
            case operator:
                clauses[key] = f"{key} {str(operator).lower()} ({values})"
    return ",".join(clause for _, clause in sorted(clauses.items())) or NONE


def containers_cells(spec: Object) -> list[str]:
    """Names and images of a template's containers."""
    containers = items(part(part(spec, "template"), "spec"), "containers")
    return [",".join(container.get(key) or "" for container in containers) for key in ("name", "image")]


def shortened(texts: Iterable[str], most: int, *, nothing: str) -> str:
    """The first few of a list, and how many more there are."""
    texts = list(texts)
    shown = ",".join(texts[:most])
    return f"{shown} + {len(texts) - most} more..." if len(texts) > most else shown or nothing
