"""Take in an object that a client sent: its type, its fields, its name and namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grandstand.api.refusals import invalid
from grandstand.client import WriteOptions
from grandstand.errors import BadRequest, Cause
from grandstand.kinds import Object, Resource

if TYPE_CHECKING:
    from grandstand.api.schema import Schemas


@dataclass(frozen=True, slots=True)
class Write:
    """What every step of a write is told: which resource, by whom and how, and when.

    `subresource` is "" for the whole object.
    """

    schemas: Schemas
    resource: Resource
    options: WriteOptions
    now: float
    subresource: str = ""

    def warn(self, warning: str) -> None:
        if warning not in self.options.warnings:
            self.options.warnings.append(warning)


def admit(write: Write, obj: Object) -> Object:
    """A copy of what a client sent, with only the fields that the resource has.

    Raises BadRequest for another type, for fields of the wrong type and, with strict validation, for unknown ones.
    """
    resource = write.resource
    check_type(resource, obj)
    checked = write.schemas.check(resource, obj)
    if checked.invalid:
        raise BadRequest("; ".join(checked.invalid))
    complain(resource, write.options, tuple(f'unknown field "{path}"' for path in checked.unknown))
    admitted = checked.object
    metadata = admitted.get("metadata", {})
    return {**admitted, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def complain(resource: Resource, options: WriteOptions, complaints: tuple[str, ...]) -> None:
    """Refuse, warn of or ignore what `fieldValidation` is about: unknown and duplicate fields."""
    if not complaints:
        return
    match options.field_validation:
        case "Strict":
            kind, version = resource.kind, resource.version
            raise BadRequest(
                f'{kind} in version "{version}" cannot be handled as a {kind}: '
                f"strict decoding error: {', '.join(complaints)}"
            )
        case "Ignore":
            pass
        case _:
            options.warnings.extend(complaint for complaint in complaints if complaint not in options.warnings)


def check_type(resource: Resource, obj: Object) -> None:
    """Raise BadRequest where an object names another type than its address says; naming none is fine."""
    api_version = obj.get("apiVersion") or resource.api_version
    kind = obj.get("kind") or resource.kind
    if api_version != resource.api_version:
        raise BadRequest(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        raise BadRequest(
            f"the kind in the data ({kind}) does not match the expected kind ({resource.kind}): "
            f"send it to the address of its own resource"
        )
    if not isinstance(obj.get("metadata") or {}, dict):
        raise BadRequest("metadata must be an object")


def placed(resource: Resource, obj: Object, namespace: str) -> Object:
    """The object in the namespace that the request names. Raises BadRequest where the two differ."""
    metadata = obj["metadata"]
    own = metadata.get("namespace", "")
    if not resource.namespaced:
        if own:
            raise BadRequest(f"{resource.kind} is not namespaced: leave out metadata.namespace ({own!r})")
        return obj
    if own and namespace and own != namespace:
        raise BadRequest(
            f"the namespace of the provided object does not match the namespace sent on the request ({own} is not "
            f"{namespace})"
        )
    if not (own or namespace):
        raise BadRequest("an empty namespace may not be set during creation: name one in the address")
    return obj if own else {**obj, "metadata": {**metadata, "namespace": namespace}}


def check_name(obj: Object, name: str) -> None:
    """Raise BadRequest where an object's name is not the one in the address."""
    own = obj["metadata"].get("name", "")
    if own != name:
        raise BadRequest(f"the name of the object ({own}) does not match the name on the URL ({name})")


def require_name(resource: Resource, obj: Object) -> None:
    metadata = obj["metadata"]
    if not metadata.get("name") and not metadata.get("generateName"):
        cause = Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
        raise invalid(resource, "", [cause])
