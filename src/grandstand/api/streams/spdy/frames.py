"""The frames of SPDY/3: eight bytes that say what follows, and how long it is. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 3
FIN = 0x01
LONGEST_FRAME = 2**20
"""The format allows 16 MiB; Kubernetes' clients send 32 KiB at once."""

_HEAD = struct.Struct(">II")
_CONTROL = 0x8000_0000
_STREAM_BITS = 0x7FFF_FFFF


class Kind(IntEnum):
    """Kinds of control frames."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class ResetReason(IntEnum):
    """Why a stream ends before its time."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5
    INTERNAL_ERROR = 6


class FrameError(Exception):
    """What came is no SPDY/3."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it came; `kind` None is data of `stream`. Control frames have their stream in the payload."""

    kind: int | None
    flags: int
    payload: bytes
    stream: int = 0


class FrameBuffer:
    """Cuts what comes into frames."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def take(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Raises FrameError."""
        self._waiting += data
        found, start = [], 0
        while len(self._waiting) - start >= _HEAD.size:
            first, second = _HEAD.unpack_from(self._waiting, start)
            flags, length = second >> 24, second & 0xFF_FFFF
            if first & _CONTROL and (first >> 16) & 0x7FFF != VERSION:
                raise FrameError(f"a control frame of SPDY/{(first >> 16) & 0x7FFF}, not of SPDY/{VERSION}")
            if length > LONGEST_FRAME:
                raise FrameError(f"a frame of {length} bytes; {LONGEST_FRAME} are allowed")
            end = start + _HEAD.size + length
            if len(self._waiting) < end:
                break
            payload = bytes(self._waiting[start + _HEAD.size : end])
            found.append(
                Frame(first & 0xFFFF, flags, payload) if first & _CONTROL else Frame(None, flags, payload, first)
            )
            start = end
        del self._waiting[:start]
        return found


def data_frame(stream: int, data: bytes, *, fin: bool = False) -> bytes:
    return _HEAD.pack(stream, (FIN if fin else 0) << 24 | len(data)) + data


def control_frame(kind: Kind, payload: bytes, flags: int = 0) -> bytes:
    return _HEAD.pack(_CONTROL | VERSION << 16 | kind, flags << 24 | len(payload)) + payload


def numbers(payload: bytes, count: int) -> tuple[int, ...]:
    """So many 32-bit numbers at the beginning of a payload. Raises FrameError."""
    try:
        return struct.unpack_from(f">{count}I", payload)
    except struct.error as error:
        raise FrameError(f"a control frame that is cut off: {error}") from error


def stream_of(payload: bytes) -> int:
    """The stream that a control frame is about. Raises FrameError."""
    return numbers(payload, 1)[0] & _STREAM_BITS
