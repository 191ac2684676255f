"""One side of a SPDY connection: what frames mean, and which may come when. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from .frames import (
    FIN,
    Frame,
    FrameBuffer,
    FrameError,
    Kind,
    ResetReason,
    control_frame,
    data_frame,
    numbers,
    stream_of,
)
from .headers import HeaderError, HeaderReader, HeaderWriter

MOST_STREAMS = 1000
"""Open at once, on one connection: two for each forwarded TCP connection."""

UNIDIRECTIONAL = 0x02
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class StreamOpened:
    stream: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DataReceived:
    """`end`: the other side sends no more in this stream."""

    stream: int
    data: bytes
    end: bool


@dataclass(frozen=True, slots=True)
class StreamReset:
    stream: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """`answer` is to be sent."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The other side opens no more streams."""


Event = StreamOpened | DataReceived | StreamReset | Pinged | GoneAway


class SpdyViolation(Exception):
    """The other side does not keep to the protocol: the connection is of no use any more."""


class Half(Enum):
    """Which sides of a stream have ended."""

    OPEN = auto()
    ENDED_BY_THEM = auto()
    ENDED_BY_US = auto()


class SpdyConnection:
    """The serving side. Its methods that send return the bytes."""

    def __init__(self) -> None:
        self._frames = FrameBuffer()
        self._reader = HeaderReader()
        self._writer = HeaderWriter()
        self._streams: dict[int, Half] = {}
        self._newest = 0

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events in what came. Raises SpdyViolation."""
        try:
            for frame in self._frames.take(data):
                yield from self._data(frame) if frame.kind is None else self._control(frame)
        except (FrameError, HeaderError) as error:
            raise SpdyViolation(str(error)) from error

    def is_open(self, stream: int) -> bool:
        """Whether something may be sent in it."""
        return self._streams.get(stream, Half.ENDED_BY_US) is not Half.ENDED_BY_US

    def accept(self, stream: int) -> bytes:
        """Clients wait for this before they send."""
        if stream not in self._streams:
            return b""
        return control_frame(Kind.SYN_REPLY, struct.pack(">I", stream) + self._writer.block(_NO_HEADERS))

    def send(self, stream: int, data: bytes, *, end: bool = False) -> bytes:
        """Nothing where the stream is not open for us any more."""
        if not self.is_open(stream):
            return b""
        if end:
            self._end(stream, Half.ENDED_BY_US)
        return data_frame(stream, data, fin=end)

    def reset(self, stream: int, reason: ResetReason) -> bytes:
        self._streams.pop(stream, None)
        return control_frame(Kind.RST_STREAM, struct.pack(">II", stream, reason))

    def go_away(self) -> bytes:
        return control_frame(Kind.GOAWAY, struct.pack(">II", self._newest, 0))

    def _data(self, frame: Frame) -> Iterator[Event]:
        half = self._streams.get(frame.stream)
        if half is None or half is Half.ENDED_BY_THEM:
            return  # of a stream that was reset, on its way before they knew
        end = bool(frame.flags & FIN)
        if end:
            self._end(frame.stream, Half.ENDED_BY_THEM)
        yield DataReceived(frame.stream, frame.payload, end)

    def _control(self, frame: Frame) -> Iterator[Event]:
        match frame.kind:
            case Kind.SYN_STREAM:
                yield from self._opened(frame)
            case Kind.RST_STREAM:
                if self._streams.pop(stream := stream_of(frame.payload), None) is not None:
                    yield StreamReset(stream)
            case Kind.PING:
                (number,) = numbers(frame.payload, 1)
                if number % 2:  # even ones are answers to ours
                    yield Pinged(control_frame(Kind.PING, frame.payload[:4]))
            case Kind.GOAWAY:
                yield GoneAway()
            case Kind.HEADERS | Kind.SYN_REPLY:
                self._reader.headers(frame.payload[4:])  # nobody needs them, but the next ones build on them
            case Kind.SETTINGS | Kind.WINDOW_UPDATE:
                return  # nothing of ours depends on them
            case _:
                return  # SPDY draft 3, 2.2.1: a kind that is not known must be ignored

    def _opened(self, frame: Frame) -> Iterator[Event]:
        stream = stream_of(frame.payload)
        if len(frame.payload) < 10:
            raise FrameError("a SYN_STREAM that is cut off")
        headers = self._reader.headers(frame.payload[10:])
        if stream % 2 == 0 or stream <= self._newest:
            raise FrameError(f"stream {stream} after stream {self._newest}: a client's are odd, and grow")
        if len(self._streams) >= MOST_STREAMS:
            raise FrameError(f"more than {MOST_STREAMS} streams at once")
        self._newest = stream
        self._streams[stream] = Half.ENDED_BY_US if frame.flags & UNIDIRECTIONAL else Half.OPEN
        yield StreamOpened(stream, headers)
        if frame.flags & FIN:
            self._end(stream, Half.ENDED_BY_THEM)
            yield DataReceived(stream, b"", True)

    def _end(self, stream: int, by: Half) -> None:
        half = self._streams.get(stream)
        if half is Half.OPEN:
            self._streams[stream] = by
        elif half is not None and half is not by:
            del self._streams[stream]
