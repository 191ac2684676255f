"""Read a patch as its media type says, and apply it to an object. Pure."""

from __future__ import annotations

from grandstand.api.change import json_patch, merge_patch, server_side_apply, strategic_merge
from grandstand.api.refusals import conflict, invalid
from grandstand.client import PatchType
from grandstand.errors import BadRequest, Cause
from grandstand.kinds import Object

from .intake import Write, admit, check_type

MOST_OPERATIONS = 10_000


def patched(write: Write, live: Object, patch: Object | list[Object], kind: PatchType) -> Object:
    """The object after a JSON, merge or strategic merge patch, with only fields that the resource has."""
    if kind is PatchType.JSON:
        if not isinstance(patch, list):
            raise BadRequest("a JSON patch is a list of operations: send [...] or another patch type")
        if len(patch) > MOST_OPERATIONS:
            raise BadRequest(f"a JSON patch may have {MOST_OPERATIONS} operations, this has {len(patch)}")
        result = json_patch(live, patch)
    elif not isinstance(patch, dict):
        raise BadRequest("the patch must be an object")
    elif kind is PatchType.MERGE:
        result = merge_patch(live, patch)
    else:
        result = strategic_merge(write.schemas, write.resource, live, patch)
    if not isinstance(result, dict):
        raise BadRequest("the patch does not leave an object")
    new = admit(write, result)
    _check_identity(write, new, live)
    return new


def applied(write: Write, live: Object | None, configuration: Object) -> Object:
    """The object after a server-side apply, managedFields included. Raises Conflict where others own a field."""
    version = configuration["metadata"].get("resourceVersion")
    if version and (live is None or version != live["metadata"]["resourceVersion"]):
        raise conflict(write.resource, configuration["metadata"].get("name", ""))
    return server_side_apply(
        write.schemas,
        write.resource,
        live,
        configuration,
        manager=write.options.manager,
        force=write.options.force,
        subresource=write.subresource,
        now=write.now,
    )


def check_configuration(write: Write, configuration: object) -> Object:
    """What a client applies, with only fields that the resource has."""
    if not isinstance(configuration, dict):
        raise BadRequest("what is applied must be an object")
    check_type(write.resource, configuration)
    if (configuration.get("metadata") or {}).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    for field in ("apiVersion", "kind"):
        if not configuration.get(field):
            raise BadRequest(f"what is applied must say its {field}")
    return admit(write, configuration)


def _check_identity(write: Write, new: Object, live: Object) -> None:
    for field in ("name", "namespace"):
        sent = new["metadata"].get(field)
        if sent != live["metadata"].get(field):
            cause = Cause(
                "FieldValueInvalid", f'Invalid value: "{sent or ""}": field is immutable', f"metadata.{field}"
            )
            raise invalid(write.resource, live["metadata"]["name"], [cause])
