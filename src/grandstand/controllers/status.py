"""Keep conditions, and write only what changed of a status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grandstand.clock import rfc3339
from grandstand.kinds import Meta, Object, Resource
from grandstand.reconcile.actions import Patch


def status_changes(resource: Resource, meta: Meta, before: Object, after: Object) -> list[Patch]:
    """The patch that turns one status into another, or nothing; fields that both leave out stay as they are.

    A value of None in `after` stands for a field that must not be there.
    """
    changes = {name: value for name, value in after.items() if before.get(name) != value}
    if not changes:
        return []
    return [Patch(resource, meta.key, {"status": changes}, subresource="status", uid=meta.uid)]


def counts(**numbers: int) -> Object:
    """Fields of a status that Kubernetes leaves out where they are zero."""
    return {name: number or None for name, number in numbers.items()}


def find(conditions: Iterable[Object], type_: str) -> Object | None:
    return next((condition for condition in conditions if condition["type"] == type_), None)


def without(conditions: Sequence[Object], type_: str) -> list[Object]:
    return [condition for condition in conditions if condition["type"] != type_]


def with_condition(
    conditions: Sequence[Object],
    type_: str,
    status: str,
    reason: str,
    message: str,
    now: float,
    *,
    touch: bool | None = None,
) -> list[Object]:
    """The conditions with one of them set; its transition time moves only when its status does.

    With `touch` it has a `lastUpdateTime` too, as a Deployment's conditions do: it moves when anything changes, and
    with `touch=True` even if nothing does.
    """
    known = find(conditions, type_)
    said = {"type": type_, "status": status, "reason": str(reason), "message": message}
    if known is not None and all(known.get(name) == value for name, value in said.items()) and not touch:
        return list(conditions)
    moved = known is None or known["status"] != status
    time = rfc3339(now)
    said["lastTransitionTime"] = time if moved or known is None else known.get("lastTransitionTime", time)
    if touch is not None:
        said["lastUpdateTime"] = time
    return [said if condition is known else condition for condition in conditions] + ([said] if known is None else [])
