"""Check what may change about a Pod that exists, and name what may not."""

from __future__ import annotations

from grandstand.api.rules.comparison import differences
from grandstand.api.rules.fields import Causes, copied, forbidden, indexed, invalid, items
from grandstand.kinds import Object

_MUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_pod_update(new: Object, old: Object) -> Causes:
    spec, old_spec = new.get("spec") or {}, old.get("spec") or {}
    for key in ("containers", "initContainers"):
        if len(items(spec, key)) != len(items(old_spec, key)):
            yield forbidden(f"spec.{key}", "pod updates may not add or remove containers")
            return
    yield from _check_deadline(spec, old_spec)
    yield from _check_tolerations(spec, old_spec)
    for key in ("containers", "initContainers"):
        for where, container in indexed(spec, key, "spec"):
            if not container.get("image"):
                yield invalid(f"{where}.image", "", "must not be empty")
    changed = list(differences(_without_mutable(spec, old_spec), old_spec, "spec"))
    if changed:
        yield forbidden("spec", f"{_MUTABLE}; changed: {', '.join(changed)}; delete the Pod and create another")


def _check_deadline(spec: Object, old_spec: Object) -> Causes:
    new, old = spec.get("activeDeadlineSeconds"), old_spec.get("activeDeadlineSeconds")
    if new is None and old is not None:
        yield invalid("spec.activeDeadlineSeconds", None, "must not update from a positive integer to nil value")
    elif new is not None and old is not None and new > old:
        yield invalid("spec.activeDeadlineSeconds", new, "must be less than or equal to previous value")


def _check_tolerations(spec: Object, old_spec: Object) -> Causes:
    new = items(spec, "tolerations")
    # Only how long a known toleration holds may change.
    kinds = [_without(toleration, "tolerationSeconds") for toleration in new]
    for toleration in items(old_spec, "tolerations"):
        if _without(toleration, "tolerationSeconds") not in kinds:
            yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
            return


def _without(obj: Object, key: str) -> Object:
    return {name: value for name, value in obj.items() if name != key}


def _without_mutable(spec: Object, old_spec: Object) -> Object:
    """The new spec with every field that may change put back to what it was."""
    spec = copied(spec)
    for key in ("activeDeadlineSeconds", "tolerations"):
        _put_back(spec, old_spec, key)
    if spec.get("terminationGracePeriodSeconds") == 1 and old_spec.get("terminationGracePeriodSeconds", 0) < 0:
        _put_back(spec, old_spec, "terminationGracePeriodSeconds")
    for key in ("containers", "initContainers"):
        for container, old in zip(items(spec, key), items(old_spec, key), strict=True):
            _put_back(container, old, "image")
    return spec


def _put_back(obj: Object, old: Object, key: str) -> None:
    if key in old:
        obj[key] = old[key]
    else:
        obj.pop(key, None)
