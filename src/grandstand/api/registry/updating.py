"""Make what an update request makes of an object. Pure."""

from __future__ import annotations

from grandstand.api import addresses, rules
from grandstand.api.change import track
from grandstand.api.deletion import is_finished
from grandstand.api.refusals import conflict, invalid
from grandstand.errors import BadRequest, Cause
from grandstand.kinds import Object
from grandstand.kinds.resources import EVENTS, LEASES, NAMESPACES, SERVICES

from .intake import Write

KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion")
"""Metadata that an update cannot change."""

CREATED_ON_UPDATE = (EVENTS, LEASES, SERVICES)
"""Resources whose update creates what is not there, as in Kubernetes."""

VERSION_REQUIRED = (LEASES,)
"""Resources that are only updated with the resourceVersion at hand: a lease that two take at once has no holder."""


def updated(write: Write, sent: Object, old: Object, *, tracked: bool = False) -> Object | None:
    """The object as it will be stored, or None where this update removes the last that held a deleted one.

    Raises Conflict when it was changed since, Invalid when the result is not what the resource may be.
    """
    resource, name = write.resource, old["metadata"]["name"]
    check_current(write, sent, old)
    new = {**sent, "metadata": _metadata(sent, old)}
    if resource is SERVICES and not write.subresource:
        new = addresses.carried_over(new, old)
    new = _prepared(write, new, old)
    if causes := _causes(write, new, old):
        raise invalid(resource, name, causes)
    for warning in rules.warnings(resource, new) if not write.subresource else ():
        write.warn(warning)
    if not tracked:
        new = track(
            write.schemas,
            resource,
            old,
            new,
            manager=write.options.manager,
            operation="Update",
            subresource=write.subresource,
            now=write.now,
        )
    return None if is_finished(new) else new


def check_current(write: Write, sent: Object, old: Object) -> None:
    """Raise Conflict where an update was made from another version, or of another object of this name."""
    metadata, current = sent["metadata"], old["metadata"]
    name = current["name"]
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if uid and uid != current["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {current['uid']}"
        raise conflict(write.resource, name, why)
    if not version and write.resource in VERSION_REQUIRED:
        cause = Cause(
            "FieldValueInvalid", "Invalid value: 0x0: must be specified for an update", "metadata.resourceVersion"
        )
        raise invalid(write.resource, name, [cause])
    if version and version != current["resourceVersion"]:
        raise conflict(write.resource, name)


def finalized(sent: Object, old: Object) -> Object | None:
    """A Namespace with the finalizers of its spec replaced (subresource `finalize`), None when that removes it."""
    finalizers = sent.get("spec", {}).get("finalizers", [])
    if not isinstance(finalizers, list):
        raise BadRequest("spec.finalizers must be a list of strings")
    new = {**old, "spec": {**old.get("spec", {}), "finalizers": finalizers}}
    if not finalizers:
        del new["spec"]["finalizers"]
    return None if is_finished(new) else new


def _prepared(write: Write, new: Object, old: Object) -> Object:
    if write.subresource == "status":
        return rules.prepare_status(write.resource, new, old)
    prepared = rules.prepare_update(write.resource, new, old, write.now)
    if write.resource is NAMESPACES and "finalizers" in old.get("spec", {}):
        prepared = {**prepared, "spec": {**prepared.get("spec", {}), "finalizers": old["spec"]["finalizers"]}}
    return prepared


def _metadata(sent: Object, old: Object) -> Object:
    """The metadata that was sent, but for what the server alone decides."""
    current = old["metadata"]
    metadata = {name: value for name, value in sent["metadata"].items() if name not in KEPT}
    metadata |= {name: current[name] for name in KEPT if name in current}
    if "managedFields" not in metadata and "managedFields" in current:
        metadata["managedFields"] = current["managedFields"]
    for name in ("namespace", "generateName"):
        if name in current:
            metadata.setdefault(name, current[name])
    return metadata


def _causes(write: Write, new: Object, old: Object) -> tuple[Cause, ...]:
    """What is wrong with the result. A status is not held up by rules that the rest of the object now breaks."""
    if write.subresource == "status":
        return _finalizers_added(new, old)
    return (*_finalizers_added(new, old), *rules.validate(write.resource, new, old))


def _finalizers_added(new: Object, old: Object) -> tuple[Cause, ...]:
    if "deletionTimestamp" not in old["metadata"]:
        return ()
    before = old["metadata"].get("finalizers", [])
    added = [finalizer for finalizer in new["metadata"].get("finalizers", []) if finalizer not in before]
    if not added:
        return ()
    shown = ", ".join(f'"{finalizer}"' for finalizer in added)
    message = (
        "Forbidden: no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{shown}}}"
    )
    return (Cause("FieldValueForbidden", message, "metadata.finalizers"),)
