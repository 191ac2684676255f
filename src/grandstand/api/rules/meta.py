"""Check and carry over the metadata that all kinds share."""

from __future__ import annotations

from grandstand.errors import Cause
from grandstand.kinds import Object

from . import names
from .fields import (
    IMMUTABLE,
    Causes,
    check_name,
    forbidden,
    indexed,
    invalid,
    items,
    part,
    required,
    shown,
    too_long,
)
from .names import NameRule

ANNOTATIONS_MAX = 256 * 1024

_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_PLAIN_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))


def check(meta: Object, path: str, name_rule: NameRule, *, namespaced: bool) -> Causes:
    """The metadata of an object of its own (not of a Pod template)."""
    yield from _check_names(meta, path, name_rule)
    yield from _check_namespace(meta, path, namespaced)
    yield from check_labels(part(meta, "labels"), f"{path}.labels")
    yield from check_annotations(part(meta, "annotations"), f"{path}.annotations")
    yield from _check_owners(meta, path)
    for where, finalizer in indexed(meta, "finalizers", path):
        yield from _check_finalizer(where, finalizer)


def _check_names(meta: Object, path: str, rule: NameRule) -> Causes:
    if prefix := meta.get("generateName"):
        # The generated suffix may make a prefix such as "web-" a fine name.
        yield from check_name(f"{path}.generateName", prefix, rule(f"{prefix[:-1]}a" if prefix[-1] == "-" else prefix))
    if name := meta.get("name"):
        yield from check_name(f"{path}.name", name, rule(name))
    else:
        yield required(f"{path}.name", "name or generateName is required")


def _check_namespace(meta: Object, path: str, namespaced: bool) -> Causes:
    namespace = meta.get("namespace") or ""
    if not namespaced:
        if namespace:
            yield forbidden(f"{path}.namespace", "not allowed on this type")
    elif not namespace:
        yield required(f"{path}.namespace")
    else:
        yield from check_name(f"{path}.namespace", namespace, names.dns_label(namespace))


def check_labels(labels: Object, path: str) -> Causes:
    for key, value in labels.items():
        yield from check_name(path, key, names.qualified_name(key))
        yield from check_name(path, value, names.label_value(value))


def check_annotations(annotations: Object, path: str) -> Causes:
    size = 0
    for key, value in annotations.items():
        # Kubernetes compares annotation keys in lower case: "My.Tool/x" is allowed although domains are lower case.
        yield from check_name(path, key, names.qualified_name(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_MAX:
        yield too_long(path, ANNOTATIONS_MAX)


def _check_owners(meta: Object, path: str) -> Causes:
    managing = []
    for where, owner in indexed(meta, "ownerReferences", path):
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield invalid(f"{where}.{key}", owner.get(key) or "", "must not be empty")
        if owner.get("controller"):
            managing.append(owner)
    if len(managing) > 1:
        first, second = (f"{owner.get('kind')}/{owner.get('name')}" for owner in managing[:2])
        yield invalid(
            f"{path}.ownerReferences",
            items(meta, "ownerReferences"),
            f'Only one reference can have Controller set to true. Found "true" in references for {first} and {second}',
        )


def _check_finalizer(where: str, finalizer: str) -> Causes:
    problems = names.qualified_name(finalizer)
    yield from check_name(where, finalizer, problems)
    if not problems and "/" not in finalizer and finalizer not in _PLAIN_FINALIZERS:
        yield invalid(where, finalizer, "name is neither a standard finalizer name nor is it fully qualified")


def check_update(new: Object, old: Object, path: str) -> Causes:
    """What may not change about an object's metadata."""
    for key in _IMMUTABLE:
        if (new.get(key) or None) != (old.get(key) or None):
            yield invalid(f"{path}.{key}", new.get(key), IMMUTABLE)
    if (cause := _added_finalizers(new, old, path)) is not None:
        yield cause


def _added_finalizers(new: Object, old: Object, path: str) -> Cause | None:
    if not old.get("deletionTimestamp"):
        return None
    added = sorted(set(items(new, "finalizers")) - set(items(old, "finalizers")))
    if not added:
        return None
    quoted = ", ".join(shown(finalizer) for finalizer in added)
    return forbidden(
        f"{path}.finalizers",
        f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{quoted}}}",
    )


def keep(new: Object, old: Object) -> None:
    """Carry over, into a copy that is the caller's own, what clients may leave out but not change."""
    for key in ("creationTimestamp", "generation", "deletionTimestamp"):
        if key in old:
            new[key] = old[key]
        elif key == "generation":
            new.pop(key, None)
    for key in ("uid", "deletionGracePeriodSeconds"):
        if not new.get(key) and key in old:
            new[key] = old[key]
