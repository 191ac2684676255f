"""Decide what a delete request makes of an object. Pure: time is an argument.

Kubernetes deletes in steps. An object with finalizers, and a running Pod, is only marked (`deletionTimestamp`); it goes
when the last finalizer is removed, and a Pod when the node asks again with a grace of 0.
"""

from __future__ import annotations

from grandstand.client import DeleteOptions, Propagation
from grandstand.clock import parse_time, rfc3339
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import NAMESPACES, PODS

from .refusals import conflict

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
DEFAULT_GRACE_SECONDS = 30


def deleted(resource: Resource, obj: Object, options: DeleteOptions, now: float) -> Object | None:
    """The object as it is after the request, the same object when nothing changes, None when it is gone.

    Raises Conflict when a precondition does not hold.
    """
    check_preconditions(resource, obj, options)
    grace = grace_seconds(obj, options) if resource is PODS else 0
    finalizers = finalizers_after(obj["metadata"].get("finalizers", []), options.propagation)
    if "deletionTimestamp" in obj["metadata"]:
        return _deleted_again(resource, obj, options, finalizers)
    if grace == 0 and not _is_held(obj, finalizers):
        return None
    return _marked(resource, obj, finalizers, grace, now)


def check_preconditions(resource: Resource, obj: Object, options: DeleteOptions) -> None:
    meta = obj["metadata"]
    for field, label, wanted in (
        ("uid", "UID", options.uid),
        ("resourceVersion", "ResourceVersion", options.resource_version),
    ):
        if wanted is not None and wanted != meta.get(field):
            why = f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {meta.get(field)}"
            raise conflict(resource, meta["name"], why)


def grace_seconds(pod: Object, options: DeleteOptions) -> int:
    """How long a Pod may take to stop. One that runs nowhere, or runs no more, needs no time."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds = options.grace_seconds
    if seconds is None:
        seconds = int(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS))
    return seconds if seconds >= 0 else 1


def finalizers_after(finalizers: list[str], propagation: Propagation | None) -> list[str]:
    """The finalizers that hold an object which is being deleted with this propagation."""
    if propagation is None:
        return finalizers
    kept = [finalizer for finalizer in finalizers if finalizer not in (ORPHAN, FOREGROUND)]
    match propagation:
        case Propagation.ORPHAN:
            return [*kept, ORPHAN]
        case Propagation.FOREGROUND:
            return [*kept, FOREGROUND]
        case Propagation.BACKGROUND:
            return kept


def is_finished(obj: Object) -> bool:
    """Whether nothing holds a marked object any longer, so that the write which made it so removes it."""
    meta = obj["metadata"]
    if "deletionTimestamp" not in meta:
        return False
    return not _is_held(obj, meta.get("finalizers", [])) and not meta.get("deletionGracePeriodSeconds")


def _is_held(obj: Object, finalizers: list[str]) -> bool:
    return bool(finalizers) or bool(_namespace_finalizers(obj))


def _namespace_finalizers(obj: Object) -> list[str]:
    """A Namespace keeps its own finalizers in its spec; they go through the subresource `finalize`."""
    return list(obj.get("spec", {}).get("finalizers") or ()) if obj.get("kind") == NAMESPACES.kind else []


def _marked(resource: Resource, obj: Object, finalizers: list[str], grace: int, now: float) -> Object:
    meta = {
        **obj["metadata"],
        "deletionTimestamp": rfc3339(now + grace),
        "deletionGracePeriodSeconds": grace,
    }
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
    if meta.get("generation"):
        meta["generation"] += 1
    marked = {**obj, "metadata": meta}
    if resource is NAMESPACES:
        # Namespaces are marked without a grace period.
        del meta["deletionGracePeriodSeconds"]
        marked["status"] = {**obj.get("status", {}), "phase": "Terminating"}
    return marked


def _deleted_again(resource: Resource, obj: Object, options: DeleteOptions, finalizers: list[str]) -> Object | None:
    """A second request may shorten a Pod's grace, and change the propagation."""
    meta = dict(obj["metadata"])
    before = meta.get("deletionGracePeriodSeconds", 0)
    if resource is PODS and options.grace_seconds is not None and options.grace_seconds < before:
        grace = max(options.grace_seconds, 0)
        meta["deletionTimestamp"] = rfc3339(parse_time(meta["deletionTimestamp"]) - before + grace)
        meta["deletionGracePeriodSeconds"] = grace
    if finalizers != meta.get("finalizers", []):
        meta["finalizers"] = finalizers
        if not finalizers:
            del meta["finalizers"]
    if meta == obj["metadata"] and not is_finished(obj):
        return obj
    after = {**obj, "metadata": meta}
    return None if is_finished(after) else after
