"""What each volume of a Pod is made of: directories, and files from ConfigMaps, Secrets and the Pod itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from grandstand.kinds import Object, Pod, whole_bytes
from grandstand.kinds.pods import ResourceFieldSelector
from grandstand.node.environment import MissingSource, Sources, config_map_contents, secret_contents
from grandstand.node.fields import NoSuchField, Place, field_value, resource_value

DEFAULT_MODE = 0o644


class Unsupported(ValueError):
    """A volume of a kind, or with a setting, that this node does not have; the message says which ones it has."""


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    mode: int = DEFAULT_MODE


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """A directory that lives as long as the Pod."""

    in_memory: bool = False
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class HostPath:
    """A path of the machine; `type` is Kubernetes', e.g. `DirectoryOrCreate`, "" for no check."""

    path: Path
    type: str = ""


@dataclass(frozen=True, slots=True)
class Generated:
    """Files by relative path, replaced all at once when their sources change."""

    files: Mapping[str, File]
    in_memory: bool = False


Source = EmptyDir | HostPath | Generated

KINDS = ("emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected")


def kind_of(volume: Object) -> str:
    """The one of `KINDS` that a volume is. Raises Unsupported for any other."""
    found = [key for key in volume if key != "name"]
    if not found:
        return "emptyDir"
    if found[0] not in KINDS:
        raise Unsupported(f"volume {volume['name']!r}: {found[0]} is not supported; this node has {', '.join(KINDS)}")
    return found[0]


def source_of(volume: Object, pod: Pod, sources: Sources, place: Place) -> Source:
    """What a volume is made of now. Raises Unsupported, MissingSource (it may come) and NoSuchField."""
    kind = kind_of(volume)
    given: Object = volume.get(kind) or {}
    match kind:
        case "emptyDir":
            return _empty_dir(volume["name"], given)
        case "hostPath":
            return HostPath(Path(given["path"]), given.get("type") or "")
        case "projected":
            files = _projected(given, pod, sources, place)
            return Generated(files, in_memory=any("secret" in part for part in given.get("sources", [])))
        case _:
            return Generated(_files(kind, given, given.get("defaultMode"), pod, sources, place), kind == "secret")


def _empty_dir(name: str, given: Object) -> EmptyDir:
    medium = given.get("medium") or ""
    if medium not in ("", "Memory"):
        raise Unsupported(f"volume {name!r}: emptyDir.medium {medium} is not supported; use Memory, or leave it out")
    limit = given.get("sizeLimit")
    return EmptyDir(medium == "Memory", None if limit is None else whole_bytes(limit) or None)


def _projected(given: Object, pod: Pod, sources: Sources, place: Place) -> dict[str, File]:
    files: dict[str, File] = {}
    for part in given.get("sources", []):
        for kind, details in part.items():
            files |= _files(kind, details, given.get("defaultMode"), pod, sources, place)
    return files


def _files(kind: str, given: Object, mode: int | None, pod: Pod, sources: Sources, place: Place) -> dict[str, File]:
    default = DEFAULT_MODE if mode is None else mode
    match kind:
        case "configMap":
            name = given.get("name") or ""
            return _selected("configmap", name, given, sources.config_maps, config_map_contents, default)
        case "secret":
            name = given.get("secretName") or given.get("name") or ""
            return _selected("secret", name, given, sources.secrets, secret_contents, default)
        case "downwardAPI":
            return {
                _safe(item["path"]): File(_told(item, pod, place).encode(), item.get("mode") or default)
                for item in given.get("items", [])
            }
    raise Unsupported(f"projected.sources.{kind} is not supported; this node has configMap, secret and downwardAPI")


def _told(item: Object, pod: Pod, place: Place) -> str:
    if "fieldRef" in item:
        return field_value(pod, place, item["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in item:
        return resource_value(pod, place, msgspec.convert(item["resourceFieldRef"], ResourceFieldSelector), None)
    raise NoSuchField(f"downwardAPI item {item['path']!r} needs a fieldRef or a resourceFieldRef")


def _selected(
    kind: str,
    name: str,
    given: Object,
    objects: Mapping[str, Object | None],
    contents: Callable[[Object], dict[str, bytes]],
    mode: int,
) -> dict[str, File]:
    """All keys of a ConfigMap or Secret, or those that `items` names, under the paths that it gives."""
    obj = objects.get(name)
    if obj is None:
        if given.get("optional"):
            return {}
        raise MissingSource(f'{kind} "{name}" not found')
    values = contents(obj)
    if not given.get("items"):
        return {_safe(key): File(value, mode) for key, value in values.items()}
    files = {}
    for item in given["items"]:
        if item["key"] in values:
            files[_safe(item["path"])] = File(values[item["key"]], item.get("mode") or mode)
        elif not given.get("optional"):
            raise MissingSource(f"references non-existent {kind} key: {item['key']}")
    return files


def _safe(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise Unsupported(f"the path {path!r} of a volume's file must be relative, without ..")
    return str(PurePosixPath(path))


def referenced(volumes: Iterable[Object]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the ConfigMaps and of the Secrets that volumes need."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for volume in volumes:
        for part in (volume, *(volume.get("projected") or {}).get("sources", [])):
            if part.get("configMap"):
                config_maps.add(part["configMap"].get("name") or "")
            if part.get("secret"):
                secrets.add(part["secret"].get("secretName") or part["secret"].get("name") or "")
    return frozenset(config_maps), frozenset(secrets)
