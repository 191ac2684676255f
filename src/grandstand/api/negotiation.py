"""Read what clients send, and which shape they accept answers in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from grandstand.client import PatchType
from grandstand.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from grandstand.kinds import Object

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"


class Shape(Enum):
    """What an answer may look like; it is always JSON."""

    OBJECT = "the objects themselves"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    DISCOVERY = "APIGroupDiscoveryList"


_AS = {
    ("Table", "meta.k8s.io", "v1"): Shape.TABLE,
    ("PartialObjectMetadata", "meta.k8s.io", "v1"): Shape.METADATA,
    ("PartialObjectMetadataList", "meta.k8s.io", "v1"): Shape.METADATA,
    ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"): Shape.DISCOVERY,
}


@lru_cache(maxsize=256)
def accepted(header: str) -> Shape:
    """The first shape of an Accept header that the API can answer in. Raises NotAcceptable."""
    for part in header.split(",") if header.strip() else ("*/*",):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type not in (JSON, "application/*", "*/*"):
            continue
        given = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
        if "as" not in given:
            return Shape.OBJECT
        shape = _AS.get((given["as"], given.get("g", ""), given.get("v", "")))
        if shape is not None:
            return shape
    raise NotAcceptable(f"the API answers in application/json, which Accept: {header} leaves out")


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded request body, and the fields that it names twice (JSON only)."""

    value: Any
    duplicates: tuple[str, ...] = ()


EMPTY = Body({})


def media_type(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower() or JSON


def read_object(content_type: str, body: bytes) -> Body:
    """The object in a request body. Raises BadRequest and UnsupportedMediaType."""
    match media_type(content_type):
        case "application/json":
            value, duplicates = parse_json(body), find_duplicates(body)
        case "application/yaml":
            value, duplicates = parse_yaml(body), ()
        case "application/vnd.kubernetes.protobuf":
            value, duplicates = _decode_protobuf(body), ()
        case other:
            raise UnsupportedMediaType(
                f"the body of the request was in an unknown format - accepted media types include: "
                f"{JSON}, {YAML}, {PROTOBUF} (this is {other})"
            )
    if not isinstance(value, dict):
        raise BadRequest("the request body must be an object")
    return Body(value, duplicates)


def read_patch(content_type: str, body: bytes) -> tuple[PatchType, Any]:
    """A patch and its type. Raises BadRequest and UnsupportedMediaType."""
    sent = media_type(content_type)
    try:
        kind = PatchType(sent)
    except ValueError:
        known = ", ".join(kind.value for kind in PatchType)
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {known} (this is {sent})"
        ) from None
    return kind, parse_yaml(body) if kind is PatchType.APPLY else parse_json(body)


def parse_json(body: bytes) -> Any:
    """Raises BadRequest for what is no JSON, and for JSON nested deeper than any object is."""
    return _parsed(msgspec.json.decode, body, "JSON")


def parse_yaml(body: bytes) -> Any:
    """Read one YAML document of JSON types. Raises BadRequest; aliases are refused, since they can multiply."""
    if body.lstrip()[:1] in (b"{", b"["):
        return parse_json(body)
    from .yaml_bodies import load

    return _parsed(load, body, "YAML")


def _parsed(parse: Callable[[bytes], Any], body: bytes, language: str) -> Any:
    try:
        return parse(body)
    except RecursionError:
        raise BadRequest(f"the request body is nested too deeply for {language}") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadRequest(f"the object provided is no valid {language}: {error}") from error


def _decode_protobuf(body: bytes) -> Object:
    from .wire import decode

    return decode(body)


class _Repeating(dict[str, Any]):
    """A JSON object in which keys came twice."""

    repeated: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    seen: set[str] = set()
    repeating = _Repeating(plain)
    repeating.repeated = tuple(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return repeating


def find_duplicates(body: bytes) -> tuple[str, ...]:
    """The paths of keys that a JSON document has twice in one object; the last one counts."""
    try:
        return tuple(_repeated(json.loads(body, object_pairs_hook=_pairs), ""))
    except (ValueError, RecursionError):
        return ()


def _repeated(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value, _Repeating):
            yield from (f"{path}{key}" for key in value.repeated)
        for key, child in value.items():
            if isinstance(child, dict | list):
                yield from _repeated(child, f"{path}{key}." if isinstance(child, dict) else f"{path}{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _repeated(child, f"{path}[{index}].")
