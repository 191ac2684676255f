"""Frames between the supervisor and a runtime process: a length, a kind, an invocation's number, bytes. Pure."""

from __future__ import annotations

import json
import struct
from enum import IntEnum

HEADER = struct.Struct("<IBI")
META = struct.Struct("<I")
MOST_BYTES = 64 * 1024 * 1024
"""More than any answer may have: who announces more does not speak this protocol."""

Frame = tuple[int, int, bytes]
"""Kind, number of the invocation, payload."""


class Kind(IntEnum):
    """What a frame says. The numbers are known to node_loop.js too."""

    BIND = 1  # to the runtime: environment and handler, JSON
    INVOKE = 2  # to the runtime: length of the meta data, meta data as JSON, event
    USED = 15  # the most memory that the process had, in bytes: before RESULT or FAILED
    BOOTED = 16  # the process waits for BIND
    READY = 17  # the handler is loaded
    INIT_FAILED = 18  # it is not: error as JSON
    RESULT = 19  # what the handler returned, JSON
    FAILED = 20  # what it raised: error as JSON
    STREAM_BEGAN = 21  # content type of a streamed answer
    STREAM_PIECE = 22
    STREAM_ENDED = 23
    STREAM_FAILED = 24  # error as JSON


class BadFrame(Exception):
    """The runtime process sends what no frame is: user code wrote to its descriptor."""


def frame(kind: int, number: int = 0, payload: bytes = b"") -> bytes:
    return HEADER.pack(len(payload), kind, number) + payload


def invoke_frame(number: int, meta: dict[str, object], event: bytes) -> bytes:
    encoded = json.dumps(meta).encode()
    length = META.size + len(encoded) + len(event)
    return b"".join((HEADER.pack(length, Kind.INVOKE, number), META.pack(len(encoded)), encoded, event))


def invocation_of(payload: bytes) -> tuple[dict[str, object], bytes]:
    """The meta data and the event of an INVOKE frame."""
    (length,) = META.unpack_from(payload)
    end = META.size + length
    return json.loads(payload[META.size : end]), payload[end:]


class FrameReader:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Raises BadFrame."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        start = 0
        while len(buffer) - start >= HEADER.size:
            length, kind, number = HEADER.unpack_from(buffer, start)
            if length > MOST_BYTES:
                raise BadFrame(f"a frame of {length} bytes is announced, {MOST_BYTES} are the most")
            end = start + HEADER.size + length
            if end > len(buffer):
                break
            frames.append((kind, number, bytes(buffer[start + HEADER.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames
