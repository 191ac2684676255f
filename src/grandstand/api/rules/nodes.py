"""What the API does with Nodes."""

from __future__ import annotations

from grandstand.kinds import Object

from . import names
from .fields import Causes, check_choice, check_name, duplicate, forbidden, indexed, part
from .kind_rules import KindRules
from .quantities import check_quantity

_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")


def _default(node: Object) -> None:
    node.setdefault("spec", {})


def _registered_status(node: Object) -> Object:
    """A Node comes with its status: the agent that creates it has measured the machine."""
    return part(node, "status")


def _check(node: Object) -> Causes:
    seen: set[tuple[str, str]] = set()
    for where, taint in indexed(part(node, "spec"), "taints", "spec"):
        key, value, effect = taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
        yield from check_name(f"{where}.key", key, names.qualified_name(key))
        yield from check_name(f"{where}.value", value, names.label_value(value))
        yield from check_choice(taint, "effect", where, _EFFECTS)
        if (key, effect) in seen:
            yield duplicate(where, {"key": key, "effect": effect})
        seen.add((key, effect))
    for which in ("capacity", "allocatable"):
        for name, amount in part(part(node, "status"), which).items():
            yield from check_quantity(amount, f"status.{which}[{name}]")


def _check_update(new: Object, old: Object) -> Causes:
    spec, old_spec = part(new, "spec"), part(old, "spec")
    for key in ("podCIDR", "podCIDRs", "providerID"):
        if old_spec.get(key) and spec.get(key) != old_spec[key]:
            yield forbidden(f"spec.{key}", "node updates may only change labels, taints, or capacity")


RULES = KindRules(
    default=_default,
    check=_check,
    check_update=_check_update,
    initial_status=_registered_status,
)
