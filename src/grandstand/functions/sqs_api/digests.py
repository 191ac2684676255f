"""The MD5 sums by which clients of SQS check that a message arrived as it was sent. Pure.

Of attributes as AWS documents it: for each, by name, the name, the type, one byte that says text (1) or binary (2),
and the value; all but the byte with their lengths before them, in four bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

_TEXT, _BINARY = b"\x01", b"\x02"


def of_body(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """`attributes` as they are stored: DataType, and StringValue or BinaryValue (in base64)."""
    parts = []
    for name, value in sorted(attributes.items()):
        parts += [_measured(name.encode()), _measured(value["DataType"].encode())]
        if "BinaryValue" in value:
            parts += [_BINARY, _measured(base64.b64decode(value["BinaryValue"]))]
        else:
            parts += [_TEXT, _measured(value["StringValue"].encode())]
    return hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()


def _measured(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
