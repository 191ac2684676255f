"""Messages of `application/vnd.amazon.eventstream`, in which InvokeWithResponseStream answers. Pure."""

from __future__ import annotations

import base64
import json
import struct
from binascii import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PRELUDE = struct.Struct("!II")
_CRC = struct.Struct("!I")
_STRING = 7
"""The type of a header whose value is text."""


def message(event_type: str, content_type: str, payload: bytes) -> bytes:
    headers = b"".join(
        bytes((len(name),)) + name.encode() + bytes((_STRING,)) + len(value).to_bytes(2, "big") + value.encode()
        for name, value in ((":message-type", "event"), (":event-type", event_type), (":content-type", content_type))
    )
    prelude = _PRELUDE.pack(16 + len(headers) + len(payload), len(headers))
    body = prelude + _CRC.pack(crc32(prelude)) + headers + payload
    return body + _CRC.pack(crc32(body))


def payload_chunk(data: bytes) -> bytes:
    return message("PayloadChunk", "application/octet-stream", data)


def invoke_complete(error_code: str = "", error_details: str = "", log_tail: bytes | None = None) -> bytes:
    told: dict[str, str] = {}
    if error_code:
        told = {"ErrorCode": error_code, "ErrorDetails": error_details}
    if log_tail is not None:
        told["LogResult"] = base64.b64encode(log_tail).decode()
    return message("InvokeComplete", "application/json", json.dumps(told).encode())
