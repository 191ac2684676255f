"""Server-side apply, and the tracking of who set which field when objects are written otherwise.

    merged = live + applied - (what the manager applied before, applies no more, and nobody else set)

A field that another manager set to another value is a conflict, unless the caller forces: then it is taken over.
"""

from __future__ import annotations

from grandstand.api.schema import Schemas, Struct
from grandstand.clock import rfc3339
from grandstand.errors import BadRequest, Cause, Conflict, Invalid
from grandstand.kinds import Object, Resource

from .compare import Comparison, compare, fields_of, with_named_parents
from .fields import NOTHING, FieldPath, FieldSet, owns_below, text, to_json
from .managed_fields import APPLY, UPDATE, Entry, entries_of, in_order, owned, with_entries
from .merge_applied import merged, without

BEFORE_FIRST_APPLY = "before-first-apply"
"""Owns what an object that nobody tracked had when it was first applied to (as Kubernetes names it)."""


def server_side_apply(
    schemas: Schemas,
    resource: Resource,
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    subresource: str = "",
    now: float,
) -> Object:
    """The object after applying; equal to `live` where nothing changes.

    Raises Conflict with a cause for each field that others set, Invalid without a manager, BadRequest for an applied
    object that carries managedFields or list items that cannot be told apart.
    """
    _check(applied, manager)
    node = schemas.node_of(resource)
    before = _bare(live or {})
    wanted = _writable(resource, _bare(applied), subresource)
    entries = entries_of(live) or _untracked(node, resource, before)
    fields = fields_of(node, wanted)
    mine = Entry(manager, APPLY, resource.api_version, subresource, rfc3339(now), to_json(owned(fields)))
    last = next((entry for entry in entries if entry.same_manager(mine)), None)
    others = [entry for entry in entries if entry is not last]

    after = merged(node, before, wanted)
    if last:
        after = without(node, after, _abandoned(node, last.fields, fields.union(*(entry.fields for entry in others))))
    comparison = compare(node, before, after)
    if not force:
        _refuse_conflicts(others, comparison)
    others = [entry.without(comparison.set | comparison.removed) for entry in others]
    if last and not comparison and last.trie == mine.trie:
        mine = last  # nothing changed: not even the time
    return _with_managers(after, live, [*others, mine])


def track(
    schemas: Schemas,
    resource: Resource,
    before: Object | None,
    after: Object,
    *,
    manager: str,
    operation: str = UPDATE,
    subresource: str = "",
    now: float,
) -> Object:
    """`after` with managedFields that say who set what: changed fields now belong to `manager` alone.

    managedFields in `after` are taken over where they make sense; `[{}]` empties them, as in Kubernetes.
    """
    given = after.get("metadata", {}).get("managedFields")
    if given == [{}]:
        return with_entries(after, ())
    old, new = _bare(before or {}), _bare(after)
    comparison = compare(schemas.node_of(resource), old, new)
    gained = owned(comparison.set)
    mine = Entry(manager, operation, resource.api_version, subresource, rfc3339(now), to_json(gained))
    entries = [
        entry.without(comparison.set | comparison.removed) for entry in _known_entries(before, after, subresource)
    ]
    if gained:
        earlier = next((entry for entry in entries if entry.same_manager(mine)), None)
        entries = [entry for entry in entries if entry is not earlier]
        entries.append(mine.owning(gained | earlier.fields) if earlier else mine)
    return _with_managers(new, before, entries)


def _check(applied: Object, manager: str) -> None:
    if not manager:
        message = "is required for apply patch"
        raise Invalid(
            f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: {message}',
            (Cause("FieldValueRequired", f"Required value: {message}", "fieldManager"),),
        )
    if applied.get("metadata", {}).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil: leave it out of what you apply")


def _known_entries(before: Object | None, after: Object, subresource: str) -> list[Entry]:
    """The entries before a write: as the writer gives them, else as they were. Subresources cannot change them."""
    known, given = entries_of(before), entries_of(after)
    if subresource or not given or given == known:
        return known
    try:
        return [entry.owning(entry.fields) for entry in given]
    except BadRequest:
        return known


def _with_managers(obj: Object, live: Object | None, entries: list[Entry]) -> Object:
    """The object with these entries; with the very list of `live` where they are the same, so that a no-op is one."""
    entries = in_order(entry for entry in entries if entry.trie)
    if live is not None and in_order(entries_of(live)) == entries:
        listed = live["metadata"].get("managedFields")
        return {**obj, "metadata": {**obj["metadata"], **({"managedFields": listed} if listed else {})}}
    return with_entries(obj, entries)


def _bare(obj: Object) -> Object:
    """An object without managedFields, which nobody owns."""
    metadata = obj.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def _writable(resource: Resource, applied: Object, subresource: str) -> Object:
    """What an apply to an object or its status may change: the other half is ignored, as the API does for writes."""
    if subresource == "status":
        return {key: value for key, value in applied.items() if key != "spec"}
    if not subresource and "status" in resource.subresources:
        return {key: value for key, value in applied.items() if key != "status"}
    return applied


def _untracked(node: Struct, resource: Resource, live: Object) -> list[Entry]:
    fields = owned(compare(node, {}, live).added) if live else NOTHING
    return [Entry(BEFORE_FIRST_APPLY, UPDATE, resource.api_version, "", None, to_json(fields))] if fields else []


def _abandoned(node: Struct, last: FieldSet, kept: FieldSet) -> FieldSet:
    """What a manager applied before and nobody sets now: neither it nor anything in it is in `kept`."""
    return with_named_parents(node, last) - owns_below(kept)


def _refuse_conflicts(others: list[Entry], comparison: Comparison) -> None:
    conflicts: list[tuple[Entry, FieldPath]] = [
        (entry, path) for entry in others for path in sorted(entry.fields & comparison.set)
    ]
    if not conflicts:
        return
    causes = tuple(Cause("FieldManagerConflict", f"conflict with {entry}", text(path)) for entry, path in conflicts)
    raise Conflict(_conflict_message(conflicts), causes)


def _conflict_message(conflicts: list[tuple[Entry, FieldPath]]) -> str:
    if len(conflicts) == 1:
        entry, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {entry}: {text(path)}"
    by_manager: dict[str, list[str]] = {}
    for entry, path in conflicts:
        by_manager.setdefault(str(entry), []).append(f"- {text(path)}")
    lines = [line for name in sorted(by_manager) for line in (f"conflicts with {name}:", *by_manager[name])]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
