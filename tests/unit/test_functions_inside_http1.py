"""HTTP/1.1 as the supervisor reads and writes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.functions.runtime.inside.http1 import Refused, Request, RequestReader, answer, chunk, head

PLAIN = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: z\r\n\r\n"
BARE = b"GET / HTTP/1.1\r\nConnection: Keep-Alive, close\r\n\r\n"


def read(reader: RequestReader, pieces: list[bytes]) -> list[Request]:
    """As a connection does: what came with a request is read when that is answered."""
    found = []
    for piece in pieces:
        request = reader.feed(piece)
        while request is not None:
            found.append(request)
            request = reader.feed(b"")
    return found


@given(st.lists(st.sampled_from((PLAIN, CHUNKED, BARE)), max_size=4), st.data())
def test_however_it_is_cut_the_same_requests_come_out(messages: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    said = [(request.method, request.path, request.body) for request in read(RequestReader(), pieces)]
    wanted = {PLAIN: ("POST", "/a", b"hello"), CHUNKED: ("POST", "/a", b"hello"), BARE: ("GET", "/", b"")}
    assert said == [wanted[message] for message in messages]


def test_a_request_in_its_parts() -> None:
    (request,) = read(RequestReader(), [PLAIN])
    assert (request.method, request.path, request.query, request.body) == ("POST", "/a", "b=c", b"hello")
    assert (request.header("host"), request.header("none"), request.keep_alive) == ("x", "", True)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        (b"", True),
        (b"Connection: close\r\n", False),
        (b"Connection: Keep-Alive, Close\r\n", False),
        (b"Connection: upgrade\r\n", True),
    ],
)
def test_who_asks_for_the_end_of_the_connection(headers: bytes, kept: bool) -> None:
    (request,) = read(RequestReader(), [b"GET / HTTP/1.1\r\n" + headers + b"\r\n"])
    assert request.keep_alive is kept


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9999999\r\n", 413),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, 431),
    ],
)
def test_what_cannot_be_read_is_refused(message: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        RequestReader().feed(message)
    assert refused.value.status == status


def test_a_client_that_waits_for_a_word_is_seen() -> None:
    reader = RequestReader()
    assert reader.feed(b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n") is None
    assert reader.expects
    assert reader.feed(b"x") is not None


def test_framing_is_ours_to_write() -> None:
    said = answer(200, [("Content-Length", "9"), ("Transfer-Encoding", "chunked"), ("A", "b")], b"xy", keep_alive=False)
    assert said == b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nxy"


def test_head_has_the_length_of_what_it_leaves_out() -> None:
    assert answer(200, [], b"xyz", only_head=True) == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"


def test_no_content_has_none() -> None:
    assert answer(204, [], b"xyz") == b"HTTP/1.1 204 Status\r\n\r\n"


def test_no_header_brings_another() -> None:
    assert head(200, [("a", "b\r\nc: d\0")]) == b"HTTP/1.1 200 OK\r\na: bc: d\r\n\r\n"


def test_a_chunk_that_is_empty_would_be_the_last() -> None:
    assert (chunk(b"hello"), chunk(b"")) == (b"5\r\nhello\r\n", b"")
