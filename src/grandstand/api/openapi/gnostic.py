"""Encode OpenAPI v2 as the protobuf message that kubectl and Go clients read it in.

kubectl reads the definitions only: it checks lists (`kind: List`) by them, and cannot apply one without. Paths and
parameters, which it does not read, are in the JSON document alone. Field numbers: google/gnostic, OpenAPIv2.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from grandstand.kinds import Object

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ACCEPTED = (CONTENT_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""Go clients ask with an @, and refuse an answer with one: it may not stand in a media type."""

_DEFINITIONS = 9
_VENDOR_EXTENSION = 31


def encode(document: Object) -> bytes:
    """The `openapi.v2.Document` with the definitions of a Swagger document."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    return _text(1, document["swagger"]) + _block(2, info) + _block(_DEFINITIONS, _named(document["definitions"]))


def _named(schemas: Mapping[str, Object]) -> bytes:
    """Definitions and Properties alike: a list of names with their schemas."""
    return b"".join(_block(1, _text(1, name) + _block(2, _schema(schema))) for name, schema in schemas.items())


def _schema(schema: Object) -> bytes:
    known = b"".join(write(schema[name]) for name, write in _FIELDS.items() if name in schema)
    extensions = (_extension(name, value) for name, value in schema.items() if name.startswith("x-"))
    return known + b"".join(extensions)


def _extension(name: str, value: Any) -> bytes:
    return _block(_VENDOR_EXTENSION, _text(1, name) + _block(2, _any(value)))


def _any(value: Any) -> bytes:
    """A value as YAML, of which JSON is a part."""
    return _text(2, msgspec.json.encode(value).decode())


def _types(value: str | list[str]) -> bytes:
    return b"".join(_text(1, name) for name in ([value] if isinstance(value, str) else value))


def _additional(value: Object | bool) -> bytes:
    return _varint_field(2, int(value)) if isinstance(value, bool) else _block(1, _schema(value))


def _blocks(number: int, values: Iterable[bytes]) -> bytes:
    return b"".join(_block(number, value) for value in values)


_FIELDS: Mapping[str, Callable[[Any], bytes]] = {
    "$ref": lambda value: _text(1, value),
    "format": lambda value: _text(2, value),
    "title": lambda value: _text(3, value),
    "description": lambda value: _text(4, value),
    "default": lambda value: _block(5, _any(value)),
    "pattern": lambda value: _text(13, value),
    "required": lambda value: _blocks(19, (name.encode() for name in value)),
    "enum": lambda value: _blocks(20, (_any(item) for item in value)),
    "additionalProperties": lambda value: _block(21, _additional(value)),
    "type": lambda value: _block(22, _types(value)),
    "items": lambda value: _block(23, _block(1, _schema(value))),
    "allOf": lambda value: _blocks(24, (_schema(item) for item in value)),
    "properties": lambda value: _block(25, _named(value)),
}
KEYWORDS = frozenset(_FIELDS)
"""What of a schema is encoded, beside extensions; Kubernetes' schemas have nothing else."""


def _text(number: int, value: str) -> bytes:
    return _block(number, value.encode())


def _block(number: int, value: bytes) -> bytes:
    """A field whose value has a length."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
