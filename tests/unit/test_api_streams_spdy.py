"""SPDY/3.1: frames, headers and what may come when, as tables."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.streams.spdy import (
    DataReceived,
    GoneAway,
    Pinged,
    ResetReason,
    SpdyConnection,
    SpdyViolation,
    StreamOpened,
    StreamReset,
)
from grandstand.api.streams.spdy.connection import MOST_STREAMS
from grandstand.api.streams.spdy.frames import FrameBuffer, Kind, control_frame, data_frame
from grandstand.api.streams.spdy.headers import DICTIONARY, HeaderError, HeaderReader, HeaderWriter

PORT = {"streamtype": "data", "port": "8000", "requestid": "0"}
FIN, UNIDIRECTIONAL = 1, 2


class Client:
    """The other side: what a client sends."""

    def __init__(self):
        self.headers = HeaderWriter()

    def open(self, stream, headers=PORT, flags=0):
        payload = struct.pack(">IIH", stream, 0, 0) + self.headers.block(headers)
        return control_frame(Kind.SYN_STREAM, payload, flags)


def reset(stream):
    return control_frame(Kind.RST_STREAM, struct.pack(">II", stream, 5))


def test_the_dictionary_is_that_of_the_specification():
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_headers_of_a_connection_are_one_compressed_stream():
    writer, reader = HeaderWriter(), HeaderReader()
    first, second = writer.block({"StreamType": "error", "port": "80"}), writer.block({"StreamType": "data"})
    assert first[:6] == b"\x78\xbb\xe3\xc6\xa7\xc2"
    assert reader.headers(first) == {"streamtype": "error", "port": "80"}
    assert reader.headers(second) == {"streamtype": "data"}
    with pytest.raises(HeaderError, match="decompressed"):
        HeaderReader().headers(second)


def _compressed(text):
    compressor = zlib.compressobj(zdict=DICTIONARY)
    return compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (_compressed(b"\x00\x00\x00\x01"), "cut off"),
        (_compressed(b"\x00\x00\x00\x01" + b"\xff\xff\xff\xff"), "cut off"),
        (_compressed(b"\x00\x00\x00\x01" + b"\x00\x00\x00\x02\xff\xfe" + b"\x00\x00\x00\x00"), "no text"),
        (_compressed(bytes(10_000_000)), "longer than 65536 bytes"),
        (b"nothing of zlib", "decompressed"),
        (b"", "cut off"),
    ],
    ids=["pairs", "length", "bytes", "bomb", "garbage", "empty"],
)
def test_headers_that_cannot_be_read(block, why):
    with pytest.raises(HeaderError, match=why):
        HeaderReader().headers(block)


@given(st.binary(max_size=400), st.lists(st.integers(1, 60), max_size=30))
def test_frames_do_not_depend_on_how_bytes_arrive(data, cuts):
    text = data_frame(1, data) + control_frame(Kind.PING, b"\0\0\0\1") + data_frame(3, b"x", fin=True)
    whole, piecewise = FrameBuffer().take(text), []
    buffer, start = FrameBuffer(), 0
    for length in [*cuts, len(text)]:
        piecewise += buffer.take(text[start : start + length])
        start += length
    assert piecewise == whole
    assert [frame.kind for frame in whole] == [None, Kind.PING, None]


def test_the_life_of_a_stream():
    client, server = Client(), SpdyConnection()
    assert list(server.receive(client.open(1))) == [StreamOpened(1, PORT)]
    reply = server.accept(1)
    assert reply[:12] == struct.pack(">III", 0x80030002, len(reply) - 8, 1)
    assert list(server.receive(data_frame(1, b"ask"))) == [DataReceived(1, b"ask", False)]
    assert server.send(1, b"answer") == b"\0\0\0\1\0\0\0\6answer"
    assert list(server.receive(data_frame(1, b"", fin=True))) == [DataReceived(1, b"", True)]
    assert server.is_open(1)
    assert server.send(1, b"", end=True) == b"\0\0\0\1\1\0\0\0"
    assert not server.is_open(1)
    assert server.send(1, b"late") == b""
    assert list(server.receive(data_frame(1, b"late"))) == []


@pytest.mark.parametrize(
    ("sent", "events"),
    [
        (control_frame(Kind.PING, b"\0\0\0\7"), [Pinged(control_frame(Kind.PING, b"\0\0\0\7"))]),
        (control_frame(Kind.PING, b"\0\0\0\6"), []),
        (control_frame(Kind.GOAWAY, bytes(8)), [GoneAway()]),
        (control_frame(Kind.SETTINGS, bytes(4)), []),
        (control_frame(Kind.WINDOW_UPDATE, bytes(8)), []),
        (b"\x80\x03\x00\x0a\x00\x00\x00\x02ab", []),
        (reset(9), []),
        (data_frame(9, b"nobody's"), []),
    ],
    ids=["ping", "answer", "goaway", "settings", "window", "unknown kind", "reset of none", "data of none"],
)
def test_frames_that_open_nothing(sent, events):
    assert list(SpdyConnection().receive(sent)) == events


def test_a_reset_ends_both_sides():
    client, server = Client(), SpdyConnection()
    list(server.receive(client.open(1)))
    assert list(server.receive(reset(1))) == [StreamReset(1)]
    assert (server.send(1, b"x"), server.accept(1)) == (b"", b"")
    list(server.receive(client.open(3)))
    assert server.reset(3, ResetReason.REFUSED_STREAM) == b"\x80\3\0\3\0\0\0\10\0\0\0\3\0\0\0\3"
    assert list(server.receive(data_frame(3, b"on its way"))) == []


def test_streams_that_begin_half_closed():
    client, server = Client(), SpdyConnection()
    assert list(server.receive(client.open(1, flags=FIN))) == [StreamOpened(1, PORT), DataReceived(1, b"", True)]
    assert server.is_open(1)
    list(server.receive(client.open(3, flags=UNIDIRECTIONAL)))
    assert not server.is_open(3)


def test_headers_that_nobody_needs_are_read_for_those_that_follow():
    client, server = Client(), SpdyConnection()
    list(server.receive(client.open(1)))
    assert list(server.receive(control_frame(Kind.HEADERS, bytes(4) + client.headers.block({"more": "1"})))) == []
    assert list(server.receive(client.open(3))) == [StreamOpened(3, PORT)]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"\x80\x02\x00\x01\x00\x00\x00\x00", "SPDY/2"),
        (b"\x00\x00\x00\x01\x00\xff\xff\xff", "16777215 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "bytes"),
        (control_frame(Kind.SYN_STREAM, b"\0\0"), "cut off"),
        (control_frame(Kind.SYN_STREAM, b"\0\0\0\1\0\0"), "cut off"),
        (control_frame(Kind.PING, b""), "cut off"),
        (Client().open(2), "odd"),
    ],
    ids=["version", "length", "http", "no stream", "short", "ping", "even"],
)
def test_violations(sent, why):
    with pytest.raises(SpdyViolation, match=why):
        list(SpdyConnection().receive(sent))


def test_a_stream_does_not_come_twice():
    client, server = Client(), SpdyConnection()
    list(server.receive(client.open(3)))
    with pytest.raises(SpdyViolation, match="after stream 3"):
        list(server.receive(client.open(1)))


def test_streams_are_limited():
    client, server = Client(), SpdyConnection()
    for number in range(MOST_STREAMS):
        list(server.receive(client.open(2 * number + 1)))
    with pytest.raises(SpdyViolation, match="more than 1000 streams"):
        list(server.receive(client.open(2 * MOST_STREAMS + 1)))


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_a_violation(data):
    server = SpdyConnection()
    try:
        list(server.receive(data))
    except SpdyViolation:
        return
