"""Read the protobuf bodies that kubectl, helm and Go clients send, by a table of Kubernetes' messages.

A body is `k8s\\0` and a `runtime.Unknown` message, which names the kind and holds the object's own message. What the
table does not know is refused: a field dropped in silence is one that the user believes to be set.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import msgspec

from grandstand.clock import rfc3339, rfc3339_micro
from grandstand.errors import BadRequest
from grandstand.kinds import Object

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_UNKNOWN = "k8s.io.apimachinery.pkg.runtime.Unknown"
_DELETE_OPTIONS = "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_BITS = {"int32": 32, "int64": 64, "bool": 64}
_LATEST_SECOND = 253402300799  # 9999-12-31T23:59:59Z
_EARLIEST_SECOND = -62135596800  # 0001-01-01T00:00:00Z

Field = tuple[str, str, str]
"""The JSON name of a field, its type, and how it is decoded (see `api/data/README.md`)."""


class _Tables(msgspec.Struct):
    """Kinds ("apiVersion/kind") to messages, and messages to fields by number."""

    kinds: dict[str, str]
    messages: dict[str, dict[int, Field]]


@functools.cache
def _tables() -> _Tables:
    """Read when the first protobuf body comes: many engines never see one."""
    text = resources.files("grandstand.api").joinpath("data/messages.json").read_bytes()
    return msgspec.json.decode(text, type=_Tables)


def decode(body: bytes) -> Object:
    """The object in a protobuf body, as JSON. Raises BadRequest for everything that is none."""
    if not body.startswith(MAGIC):
        raise BadRequest(f"provided data does not appear to be a protobuf message: it must begin with {MAGIC!r}")
    envelope = _struct(_UNKNOWN, memoryview(body)[len(MAGIC) :])
    if envelope.get("contentEncoding"):
        raise BadRequest(f"the protobuf envelope has content encoding {envelope['contentEncoding']!r}: send it plain")
    if envelope.get("contentType") not in (None, "", MEDIA_TYPE):
        raise BadRequest(f"the protobuf envelope holds {envelope['contentType']!r}: send {MEDIA_TYPE}")
    identity = envelope.get("typeMeta", {})
    api_version, kind = identity.get("apiVersion", ""), identity.get("kind", "")
    obj = _struct(_message_of(api_version, kind), memoryview(envelope.get("raw", b"")))
    return {"apiVersion": api_version, "kind": kind, **obj}


def _message_of(api_version: str, kind: str) -> str:
    message = _tables().kinds.get(f"{api_version}/{kind}")
    if message is None and kind == "DeleteOptions":
        return _DELETE_OPTIONS  # clients send it in the version of whatever they delete
    if message is None:
        raise BadRequest(f'no kind "{kind}" is registered for version "{api_version}" in protobuf: send it as JSON')
    return message


def _message(name: str, data: memoryview) -> Any:
    """The JSON of a message: an object, or what the special types are written as."""
    special = _SPECIAL.get(name.rpartition(".")[2])
    return special(_struct(name, data)) if special else _struct(name, data)


def _struct(name: str, data: memoryview) -> dict[str, Any]:
    """The fields of a message. No message of the table can contain itself, so the table limits the depth."""
    fields = _tables().messages[name]
    result: dict[str, Any] = {}
    for number, wire, value in _records(data):
        field = fields.get(number)
        if field is None:
            short = name.rpartition(".")[2]
            raise BadRequest(f"unknown field number {number} in the protobuf message {short}: send the object as JSON")
        json_name, kind, how = field
        if how == "repeated":
            result.setdefault(json_name, []).extend(_repeated(name, field, wire, value))
        elif kind.startswith("map<"):
            key, entry = _map_entry(name, field, wire, value)
            result.setdefault(json_name, {})[key] = entry
        else:
            decoded = _value(name, field, wire, value)
            if how == "inline":
                result.update(decoded)
            elif decoded is None or (how == "omit" and not decoded):
                result.pop(json_name, None)  # the last record wins, also when it takes the value back
            else:
                result[json_name] = decoded
    return result


def _records(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Field number, wire type and raw value (an unsigned integer or bytes) of each record. Raises BadRequest."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == _VARINT:
            value, place = _varint(data, place)
        elif wire in (_BYTES, _FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            if wire == _BYTES:
                size, place = _varint(data, place)
            if size > len(data) - place:
                raise BadRequest(f"the protobuf message is cut off: field {number} needs {size} more bytes")
            value = data[place : place + size]
            place += size
        else:
            raise BadRequest(f"wrong wire type {wire} in the protobuf message (field number {number})")
        if not number:
            raise BadRequest("field number 0 in the protobuf message")
        yield number, wire, value


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    number = shift = 0
    while place < len(data):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            if number >= 1 << 64:
                break
            return number, place
        shift += 7
        if shift > 63:
            break
    else:
        raise BadRequest("the protobuf message is cut off in the middle of a number")
    raise BadRequest("a number in the protobuf message has more than 64 bits")


def _repeated(name: str, field: Field, wire: int, value: Any) -> list[Any]:
    """The items of one record: one, or many numbers packed into bytes."""
    if field[1] in _BITS and wire == _BYTES:
        items, place = [], 0
        while place < len(value):
            number, place = _varint(value, place)
            items.append(_integer(field[1], number))
        return items
    return [_value(name, field, wire, value)]


def _map_entry(name: str, field: Field, wire: int, value: Any) -> tuple[str, Any]:
    """A map's entry is a message of a key (1) and a value (2); either may be left out where it is empty."""
    _expect(name, field, wire, _BYTES)
    kind = field[1][len("map<") : -1]
    key: str = ""
    entry = _value(name, (field[0], kind, "keep"), _BYTES, memoryview(b""))
    for number, inner_wire, inner in _records(value):
        if number not in (1, 2):
            raise BadRequest(f"unknown field number {number} in an entry of the map {field[0]}")
        inner_kind = "string" if number == 1 else kind
        decoded = _value(name, (field[0], inner_kind, "keep"), inner_wire, inner)
        if number == 1:
            key = decoded
        else:
            entry = decoded
    return key, entry


def _value(name: str, field: Field, wire: int, value: Any) -> Any:
    kind = field[1]
    if kind in _BITS:
        _expect(name, field, wire, _VARINT)
        return _integer(kind, value)
    _expect(name, field, wire, _BYTES)
    if kind == "string":
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            raise BadRequest(f"the protobuf field {field[0]} is not UTF-8") from None
    if kind == "bytes":
        # The envelope and raw JSON are read as bytes; JSON shows all others in base64.
        return bytes(value) if name.endswith(_RAW_BYTES) else base64.b64encode(value).decode()
    return _message(kind, value)


_RAW_BYTES = (".Unknown", ".RawExtension", ".FieldsV1")


def _expect(name: str, field: Field, wire: int, expected: int) -> None:
    if wire != expected:
        message = name.rpartition(".")[2]
        raise BadRequest(f"wrong wire type {wire} for the field {field[0]} of {message}: it must be {expected}")


def _integer(kind: str, number: int) -> int | bool:
    """A varint as a signed number: negative ones are sent as 64 bits of two's complement."""
    if kind == "bool":
        return number != 0
    bits = _BITS[kind]
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _time(fields: dict[str, Any]) -> str | None:
    """A time as RFC 3339; the zero time of Go, which is sent as an empty message, is none."""
    seconds = _seconds(fields)
    return None if seconds is None else rfc3339(seconds)


def _micro_time(fields: dict[str, Any]) -> str | None:
    seconds = _seconds(fields)
    if seconds is None:
        return None
    # Text, because seconds and microseconds together have more digits than a float keeps.
    return rfc3339_micro(seconds)[:-8] + f".{fields.get('nanos', 0) // 1000:06d}Z"


def _seconds(fields: dict[str, Any]) -> int | None:
    seconds: int = fields.get("seconds", 0)
    if not fields or seconds == _EARLIEST_SECOND:
        return None
    if not _EARLIEST_SECOND <= seconds <= _LATEST_SECOND or not 0 <= fields.get("nanos", 0) < 10**9:
        raise BadRequest(f"{fields} is no time: seconds since 1970, before the year 10000, and nanos below 10^9")
    return seconds


def _int_or_string(fields: dict[str, Any]) -> int | str:
    value: int | str = fields.get("strVal", "") if fields.get("type", 0) == 1 else fields.get("intVal", 0)
    return value


def _raw_json(fields: dict[str, Any], name: str) -> Any:
    raw = fields.get(name) or b"null"
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest("a raw field of the protobuf message holds no JSON") from None
    if not isinstance(value, dict | None):
        raise BadRequest("a raw field of the protobuf message holds JSON that is no object")
    return value


_SPECIAL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Quantity": lambda fields: fields.get("string") or "0",
    "Time": _time,
    "MicroTime": _micro_time,
    "IntOrString": _int_or_string,
    "FieldsV1": lambda fields: _raw_json(fields, "Raw"),
    "RawExtension": lambda fields: _raw_json(fields, "raw"),
    "Verbs": lambda fields: fields.get("items", []),
    "ExtraValue": lambda fields: fields.get("items", []),
}
