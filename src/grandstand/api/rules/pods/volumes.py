"""Check a Pod's volumes, and where its containers mount them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from grandstand.api.rules import names
from grandstand.api.rules.fields import (
    Causes,
    check_name,
    check_optional_choice,
    duplicate,
    forbidden,
    indexed,
    invalid,
    items,
    not_found,
    part,
    required,
)
from grandstand.api.rules.quantities import check_quantity
from grandstand.kinds import Object

from .environment import check_field_reference, check_resource_reference

SUPPORTED = ("configMap", "downwardAPI", "emptyDir", "hostPath", "projected", "secret")
_HINTS = {
    "persistentVolumeClaim": "there is one machine and no volume claims: use hostPath for data that outlives the Pod",
    "image": "use an init container that copies the files into an emptyDir",
    "ephemeral": "use emptyDir",
}
_HOST_PATH_TYPES = (
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
_PROJECTIONS = ("configMap", "downwardAPI", "secret")
_PROJECTION_HINTS = {
    "serviceAccountToken": ("no service account tokens are issued: keep a token in a Secret, and project that"),
    "clusterTrustBundle": "keep the certificates in a ConfigMap, and project that",
    "podCertificate": "keep the certificate in a Secret, and project that",
}
_PROPAGATION = ("None", "HostToContainer", "Bidirectional")


def check_volumes(spec: Object, path: str) -> Causes:
    seen: set[str] = set()
    for where, volume in indexed(spec, "volumes", path):
        name = volume.get("name") or ""
        if not name:
            yield required(f"{where}.name")
        else:
            yield from check_name(f"{where}.name", name, names.dns_label(name))
        if name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)
        yield from _check_volume(volume, where)


def _check_volume(volume: Object, path: str) -> Causes:
    kinds = [kind for kind in volume if kind != "name" and volume[kind] is not None]
    if not kinds:
        yield required(path, "must specify a volume type")
    for kind in kinds[1:]:
        yield forbidden(f"{path}.{kind}", "may not specify more than 1 volume type")
    for kind in kinds:
        if kind not in SUPPORTED:
            hint = _HINTS.get(kind, f"use one of {', '.join(SUPPORTED)}")
            yield forbidden(f"{path}.{kind}", f"volumes of this type are not supported: {hint}")
    if kinds and kinds[0] in SUPPORTED:
        yield from _CHECKS[kinds[0]](volume[kinds[0]], f"{path}.{kinds[0]}")


def _check_empty_dir(source: Object, path: str) -> Causes:
    medium = source.get("medium") or ""
    if medium.startswith("HugePages"):
        yield forbidden(f"{path}.medium", "huge pages are not supported: use Memory")
    else:
        yield from check_optional_choice(source, "medium", path, ("Memory",))
    if source.get("mode") is not None:
        yield forbidden(
            f"{path}.mode", "the mode of an emptyDir is always 0777: set fsGroup, or chmod in an init container"
        )
    if source.get("sizeLimit") is not None:
        yield from check_quantity(source["sizeLimit"], f"{path}.sizeLimit")


def _check_host_path(source: Object, path: str) -> Causes:
    target = source.get("path") or ""
    if not target:
        yield required(f"{path}.path")
    elif ".." in target.split("/"):
        yield invalid(f"{path}.path", target, "must not contain '..'")
    elif not target.startswith("/"):
        yield invalid(f"{path}.path", target, "must be an absolute path")
    yield from check_optional_choice(source, "type", path, _HOST_PATH_TYPES)


def _check_secret(source: Object, path: str) -> Causes:
    if not source.get("secretName"):
        yield required(f"{path}.secretName")
    yield from _check_files(source, path)


def _check_config_map(source: Object, path: str) -> Causes:
    if not source.get("name"):
        yield required(f"{path}.name")
    yield from _check_files(source, path)


def _check_files(source: Object, path: str) -> Causes:
    """Which keys become which files, and with which mode."""
    yield from _check_mode(source, "defaultMode", path)
    for where, item in indexed(source, "items", path):
        if not item.get("key"):
            yield required(f"{where}.key")
        yield from _check_file_path(item.get("path") or "", f"{where}.path")
        yield from _check_mode(item, "mode", where)


def _check_downward(source: Object, path: str) -> Causes:
    yield from _check_mode(source, "defaultMode", path)
    for where, item in indexed(source, "items", path):
        yield from _check_file_path(item.get("path") or "", f"{where}.path")
        yield from _check_mode(item, "mode", where)
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None and resource is not None:
            yield invalid(where, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif field is not None:
            yield from check_field_reference(field, f"{where}.fieldRef")
        elif resource is not None:
            yield from check_resource_reference(resource, f"{where}.resourceFieldRef", needs_container=True)
        else:
            yield required(f"{where}.fieldRef", "one of fieldRef and resourceFieldRef is required")


def _check_projected(source: Object, path: str) -> Causes:
    yield from _check_mode(source, "defaultMode", path)
    taken: set[str] = set()
    for where, projection in indexed(source, "sources", path):
        kinds = [kind for kind in projection if projection[kind] is not None]
        if not kinds:
            yield required(where, f"must specify one of {', '.join(_PROJECTIONS)}")
        for kind in kinds[1:]:
            yield forbidden(f"{where}.{kind}", "may not specify more than 1 volume type")
        for kind in kinds:
            yield from _check_projection(kind, projection[kind], f"{where}.{kind}")
            for file, target in indexed(projection[kind], "items", f"{where}.{kind}"):
                target_path = target.get("path") or ""
                if target_path and target_path in taken:
                    yield invalid(f"{file}.path", target_path, "conflicting duplicate paths")
                taken.add(target_path)


def _check_projection(kind: str, source: Object, path: str) -> Causes:
    if kind in _PROJECTION_HINTS:
        yield forbidden(path, f"this projection is not supported: {_PROJECTION_HINTS[kind]}")
    elif kind == "downwardAPI":
        yield from _check_downward(source, path)
    else:
        yield from _check_config_map(source, path)


def _check_mode(source: Object, key: str, path: str) -> Causes:
    mode = source.get(key)
    if mode is not None and not 0 <= mode <= 0o777:
        yield invalid(f"{path}.{key}", mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _check_file_path(target: str, path: str) -> Causes:
    """A relative path that stays below the volume, and clear of the names that atomic updates use."""
    if not target:
        yield required(path)
    elif target.startswith("/"):
        yield invalid(path, target, "must be a relative path")
    elif ".." in target.split("/"):
        yield invalid(path, target, "must not contain '..'")
    elif target.startswith(".."):
        yield invalid(path, target, "must not start with '..'")


_CHECKS: dict[str, Callable[[Object, str], Causes]] = {
    "configMap": _check_config_map,
    "downwardAPI": _check_downward,
    "emptyDir": _check_empty_dir,
    "hostPath": _check_host_path,
    "projected": _check_projected,
    "secret": _check_secret,
}


def check_mounts(container: Object, path: str, volumes: Collection[str]) -> Causes:
    taken: set[str] = set()
    for where, mount in indexed(container, "volumeMounts", path):
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required(f"{where}.name")
        elif name not in volumes:
            yield not_found(f"{where}.name", name)
        if not target:
            yield required(f"{where}.mountPath")
        elif not target.startswith("/"):
            # Kubernetes leaves relative paths to the runtime, which then fails: say so at once.
            yield invalid(f"{where}.mountPath", target, "must be an absolute path")
        if target in taken:
            yield invalid(f"{where}.mountPath", target, "must be unique")
        taken.add(target)
        yield from _check_mount_options(mount, where, container)


def _check_mount_options(mount: Object, path: str, container: Object) -> Causes:
    for key in ("subPath", "subPathExpr"):
        yield from _check_sub_path(mount.get(key) or "", f"{path}.{key}")
    if mount.get("subPath") and mount.get("subPathExpr"):
        yield invalid(f"{path}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive")
    yield from check_optional_choice(mount, "mountPropagation", path, _PROPAGATION)
    if mount.get("mountPropagation") == "Bidirectional" and not _is_privileged(container):
        yield forbidden(
            f"{path}.mountPropagation", "Bidirectional mount propagation is available only to privileged containers"
        )
    if mount.get("recursiveReadOnly") == "Enabled":
        yield forbidden(
            f"{path}.recursiveReadOnly", "recursive read-only mounts are not supported: use readOnly, or IfPossible"
        )
    else:
        yield from check_optional_choice(mount, "recursiveReadOnly", path, ("Disabled", "IfPossible"))
    if mount.get("bindMountOptions"):
        yield forbidden(f"{path}.bindMountOptions", "mount options are not supported: leave them out")


def _is_privileged(container: Object) -> Any:
    return part(container, "securityContext").get("privileged")


def _check_sub_path(target: str, path: str) -> Causes:
    if target.startswith("/"):
        yield invalid(path, target, "must be a relative path")
    elif ".." in target.split("/"):
        yield invalid(path, target, "must not contain '..'")


def volume_names(spec: Object) -> frozenset[str]:
    return frozenset(volume.get("name") or "" for volume in items(spec, "volumes"))
