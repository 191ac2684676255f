"""Check a container's environment: names, and where values come from."""

from __future__ import annotations

import re

from grandstand.api.rules import names
from grandstand.api.rules.fields import (
    Causes,
    check_name,
    forbidden,
    indexed,
    invalid,
    items,
    not_supported,
    required,
)
from grandstand.api.rules.quantities import check_quantity
from grandstand.kinds import Object

_VARIABLE_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_FILE_FIELDS = ("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid")
_CONTAINER_RESOURCES = tuple(
    sorted(f"{which}.{name}" for which in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage"))
)
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_SUBSCRIPTED = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]", re.DOTALL)


def check_environment(container: Object, path: str) -> Causes:
    for where, variable in indexed(container, "env", path):
        name = variable.get("name") or ""
        if not name:
            yield required(f"{where}.name")
        else:
            yield from check_name(f"{where}.name", name, names.environment_name(name))
        yield from _check_value(variable, where)
    for where, source in indexed(container, "envFrom", path):
        yield from _check_bulk_source(source, where)


def _check_value(variable: Object, path: str) -> Causes:
    source, where = variable.get("valueFrom"), f"{path}.valueFrom"
    if source is None:
        return
    given = [kind for kind in _SOURCES if source.get(kind) is not None]
    if not given:
        kinds = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        yield invalid(where, "", f"must specify one of: {kinds}")
    elif variable.get("value"):
        yield invalid(where, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield invalid(where, "", "may not have more than one field specified at a time")
    for kind in given:
        yield from _check_source(kind, source[kind], f"{where}.{kind}")


def _check_source(kind: str, reference: Object, path: str) -> Causes:
    match kind:
        case "fieldRef":
            yield from check_field_reference(reference, path, _VARIABLE_FIELDS)
        case "resourceFieldRef":
            yield from check_resource_reference(reference, path, needs_container=False)
        case "fileKeyRef":
            yield forbidden(path, "values from files in volumes are not supported: use a ConfigMap or a Secret")
        case _:
            yield from _check_key_reference(reference, path)


def _check_key_reference(reference: Object, path: str) -> Causes:
    """`configMapKeyRef` and `secretKeyRef`."""
    if not reference.get("name"):
        yield required(f"{path}.name")
    key = reference.get("key") or ""
    if not key:
        yield required(f"{path}.key")
    else:
        yield from check_name(f"{path}.key", key, names.config_key(key))


def _check_bulk_source(source: Object, path: str) -> Causes:
    if prefix := source.get("prefix"):
        yield from check_name(f"{path}.prefix", prefix, names.environment_name(prefix))
    given = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
    if len(given) != 1:
        wrong = "must specify one of: `configMapRef` or `secretRef`"
        yield invalid(path, "", "may not have more than one field specified at a time" if given else wrong)
    for kind in given:
        if not source[kind].get("name"):
            yield required(f"{path}.{kind}.name")


def check_field_reference(reference: Object, path: str, fields: tuple[str, ...] = _FILE_FIELDS) -> Causes:
    """`fieldRef`: by default as a file of a downwardAPI volume may use it."""
    field = reference.get("fieldPath") or ""
    if not reference.get("apiVersion"):
        yield required(f"{path}.apiVersion")
    elif not field:
        yield required(f"{path}.fieldPath")
    elif reference["apiVersion"] != "v1":
        yield invalid(
            f"{path}.fieldPath", field, f"error converting fieldPath: unknown version {reference['apiVersion']}"
        )
    elif match := _SUBSCRIPTED.fullmatch(field):
        rule = names.qualified_name
        key = match[2].lower() if match[1].endswith("annotations") else match[2]
        yield from check_name(path, match[2], rule(key))
    elif field not in fields:
        yield not_supported(f"{path}.fieldPath", field, fields)


def check_resource_reference(reference: Object, path: str, *, needs_container: bool) -> Causes:
    """`resourceFieldRef`."""
    resource = reference.get("resource") or ""
    if needs_container and not reference.get("containerName"):
        yield required(f"{path}.containerName")
    elif not resource:
        yield required(f"{path}.resource")
    elif resource not in _CONTAINER_RESOURCES:
        yield not_supported(f"{path}.resource", resource, _CONTAINER_RESOURCES)
    if "divisor" in reference:
        yield from check_quantity(reference["divisor"], f"{path}.divisor")


def defined_twice(container: Object, path: str) -> list[str]:
    """Warnings for variables that hide an earlier one of the same name."""
    seen: set[str] = set()
    found = []
    for index, variable in enumerate(items(container, "env")):
        name = variable.get("name") or ""
        if name in seen:
            found.append(
                f'{path}.env[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
            )
        seen.add(name)
    return found
