"""Where each resource lives in the API, and how options are said in a query."""

from __future__ import annotations

from urllib.parse import quote

from grandstand.errors import BadRequest, NotFound
from grandstand.kinds import Object, Resource

from . import DeleteOptions, PatchType, WriteOptions


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of a collection (no name), an object or a subresource."""
    parts = [f"api/{resource.version}" if not resource.group else f"apis/{resource.group}/{resource.version}"]
    if resource.namespaced and namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts += [resource.plural, *(quote(part, safe="") for part in (name, subresource) if part)]
    return "/" + "/".join(parts)


def object_path(resource: Resource, namespace: str, name: str, subresource: str = "") -> str:
    """The path of one object. Raises BadRequest where it is not named in full: that would be the path of them all."""
    require_name(resource, namespace, name)
    return path_of(resource, namespace, name, subresource)


def require_name(resource: Resource, namespace: str, name: str) -> None:
    """Raise BadRequest where an object is not named in full."""
    if not name:
        raise BadRequest(f"which {resource.kind}? Its name is missing")
    if resource.namespaced and not namespace:
        raise BadRequest(f"{resource.kind} {name!r} lives in a namespace: name it")


def require_subresource(resource: Resource, subresource: str) -> None:
    """Raise NotFound where a resource has no such subresource ("" is the object itself)."""
    if subresource and subresource not in resource.subresources:
        raise NotFound(f"{resource.qualified} have no subresource {subresource}")


def list_query(labels: str, fields: str, **more: str | int | bool) -> dict[str, str]:
    """The query of a list or watch; what is empty, 0 or False is left out."""
    return _query({"labelSelector": labels, "fieldSelector": fields, **more})


def write_query(options: WriteOptions, patch: PatchType | None = None) -> dict[str, str]:
    return _query(
        {
            "fieldManager": options.manager,
            "fieldValidation": options.field_validation,
            "dryRun": "All" if options.dry_run else "",
            "force": options.force and patch is PatchType.APPLY,
        }
    )


def delete_body(options: DeleteOptions) -> Object:
    preconditions = {"uid": options.uid, "resourceVersion": options.resource_version}
    preconditions = {name: value for name, value in preconditions.items() if value is not None}
    body: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if options.grace_seconds is not None:
        body["gracePeriodSeconds"] = options.grace_seconds
    if preconditions:
        body["preconditions"] = preconditions
    if options.propagation is not None:
        body["propagationPolicy"] = options.propagation.value
    if options.dry_run:
        body["dryRun"] = ["All"]
    return body


def _query(values: dict[str, str | int | bool]) -> dict[str, str]:
    return {name: "true" if value is True else str(value) for name, value in values.items() if value}
