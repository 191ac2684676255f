"""Check amounts of CPU, memory and storage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from grandstand.kinds import Object, parse_quantity

from . import names
from .fields import Causes, check_name, forbidden, invalid, not_supported, part

SUPPORTED = ("cpu", "memory", "ephemeral-storage")

_QUANTITY_WRONG = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$': write 500m or 128Mi"
)


def quantity(value: Any) -> Decimal | None:
    """The number, or None where the text is no quantity."""
    try:
        return parse_quantity(value)
    except ValueError:
        return None


def check_quantity(value: Any, path: str) -> Causes:
    """A quantity that is not negative."""
    amount = quantity(value)
    if amount is None:
        yield invalid(path, value, _QUANTITY_WRONG)
    elif amount < 0:
        yield invalid(path, str(value), "must be greater than or equal to 0")


def check_positive_quantity(value: Any, path: str) -> Causes:
    amount = quantity(value)
    if amount is None:
        yield invalid(path, value, _QUANTITY_WRONG)
    elif amount <= 0:
        yield invalid(path, str(value), "must be positive")


def check_requirements(resources: Object, path: str) -> Causes:
    """The `resources` of a container."""
    limits, requests = part(resources, "limits"), part(resources, "requests")
    for which, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            where = f"{path}.{which}[{name}]"
            yield from _check_resource_name(name, where)
            yield from check_quantity(value, where)
    for name, value in requests.items():
        yield from _check_request(name, value, limits, path)
    if resources.get("claims"):
        yield forbidden(f"{path}.claims", "resource claims are not supported: use cpu and memory requests and limits")


def _check_resource_name(name: str, path: str) -> Causes:
    problems = names.qualified_name(name)
    yield from check_name(path, name, problems)
    if problems or name in SUPPORTED:
        return
    if name.startswith("hugepages-"):
        yield forbidden(path, "huge pages are not supported: request memory instead")
    elif "/" in name:
        yield forbidden(path, f"this node has no {name}: devices and other extended resources are not supported")
    else:
        yield not_supported(path, name, SUPPORTED)


def _check_request(name: str, value: Any, limits: Object, path: str) -> Causes:
    if name not in limits:
        return
    request, limit = quantity(value), quantity(limits[name])
    if request is not None and limit is not None and request > limit:
        yield invalid(f"{path}.requests", str(value), f"must be less than or equal to {name} limit of {limits[name]}")
