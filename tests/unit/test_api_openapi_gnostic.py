"""The protobuf of OpenAPI v2, byte by byte; and that no keyword of our schemas is left out of it in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grandstand.api import openapi
from grandstand.api.openapi import gnostic
from grandstand.api.schema import Schemas
from grandstand.kinds import RESOURCES


def block(number: int, value: bytes) -> bytes:
    assert len(value) < 128
    return bytes([*([number << 3 | 2] if number < 16 else [(number << 3 | 2) & 0x7F | 0x80, number >> 4])]) + (
        bytes([len(value)]) + value
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#/d/X"}, block(1, b"#/d/X")),
        ({"type": "string", "format": "byte"}, block(2, b"byte") + block(22, block(1, b"string"))),
        ({"required": ["a", "b"]}, block(19, b"a") + block(19, b"b")),
        ({"items": {"title": "x"}}, block(23, block(1, block(3, b"x")))),
        ({"properties": {"a": {}}}, block(25, block(1, block(1, b"a") + block(2, b"")))),
        ({"additionalProperties": True}, block(21, b"\x10\x01")),
        ({"additionalProperties": {"title": "x"}}, block(21, block(1, block(3, b"x")))),
        ({"default": {"a": 1}}, block(5, block(2, b'{"a":1}'))),
        ({"x-kubernetes-y": [1]}, block(31, block(1, b"x-kubernetes-y") + block(2, block(2, b"[1]")))),
    ],
    ids=["$ref", "type", "required", "items", "properties", "any property", "typed property", "default", "extension"],
)
def test_schema(schema: dict[str, Any], expected: bytes) -> None:
    document = {"swagger": "2.0", "info": {"title": "K", "version": "1"}, "definitions": {"D": schema}}
    head = block(1, b"2.0") + block(2, block(1, b"K") + block(2, b"1"))
    assert gnostic.encode(document) == head + block(9, block(1, block(1, b"D") + block(2, expected)))


def test_lengths_beyond_a_byte() -> None:
    document = {"swagger": "2.0", "info": {"title": "K" * 300, "version": ""}, "definitions": {}}
    assert b"\x0a\xac\x02" + b"K" * 300 in gnostic.encode(document)


def test_every_keyword_of_our_schemas_is_known() -> None:
    definitions = json.loads(openapi.v2(Schemas.load(), RESOURCES))["definitions"]
    waiting, unknown = list(definitions.values()), set()
    while waiting:
        schema = waiting.pop()
        unknown |= {name for name in schema if not name.startswith("x-")} - gnostic.KEYWORDS
        inner = (schema.get("items"), schema.get("additionalProperties"), *schema.get("properties", {}).values())
        waiting += [found for found in (*inner, *schema.get("allOf", [])) if isinstance(found, dict)]
    assert unknown == set()
