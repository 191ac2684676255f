"""Heads of requests and answers that pass the door."""

from __future__ import annotations

import pytest

from grandstand.functions.fleet import heads

REQUEST = (
    b"POST /a?b=c HTTP/1.1\r\nHost: Hello--Live.lambda-url.localhost:8080\r\nConnection: keep-alive\r\n"
    b"UPGRADE: h2c\r\nX-Name: \xc3\xbc\r\nGrandstand-Iam: {}\r\ngrandstand-event : invoke\r\nContent-Length: 2\r\n\r\n"
)


def test_what_is_read_of_a_request() -> None:
    assert heads.request_line(REQUEST) == ("POST", "/a?b=c", "HTTP/1.1")
    assert heads.request_line(b"GET\r\n\r\n") == ("GET", "", "")
    assert heads.label_of(REQUEST) == "hello--live"
    assert heads.value(REQUEST, "x-name") == "ü"
    assert heads.value(REQUEST, "origin") == ""
    assert heads.label_of(b"GET / HTTP/1.1\r\n\r\n") == ""


def test_what_clients_say_in_the_name_of_the_platform_goes_no_further() -> None:
    assert heads.onwards(REQUEST, [("grandstand-iam", "me")], (b"content-length",)) == (
        b"POST /a?b=c HTTP/1.1\r\nHost: Hello--Live.lambda-url.localhost:8080\r\nX-Name: \xc3\xbc\r\n"
        b"grandstand-event: url\r\ngrandstand-iam: me\r\nConnection: close\r\n\r\n"
    )


def test_an_answer_says_more() -> None:
    assert heads.extended(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", [("Vary", "Origin"), ("C", "d")]) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nVary: Origin\r\nC: d\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("head", "interim"),
    [(b"HTTP/1.1 100 Continue\r\n\r\n", True), (b"HTTP/1.1 103 Early Hints\r\n\r\n", True),
     (b"HTTP/1.1 200 OK\r\n\r\n", False), (b"HTTP/1.1 410 Gone\r\n\r\n", False)],
)  # fmt: skip
def test_which_head_is_followed_by_another(head: bytes, interim: bool) -> None:
    assert heads.is_interim(head) is interim


def test_a_refusal_is_whole() -> None:
    assert heads.refusal("403 Forbidden", "No", [("Vary", "Origin")]) == (
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 17\r\nVary: Origin\r\n"
        b'Connection: close\r\n\r\n{"Message": "No"}'
    )


@pytest.mark.parametrize(
    ("head", "label"),
    [
        (b"GET / HTTP/1.1\r\nHost: Hello.lambda-url.localhost:80\r\n\r\n", "hello"),
        (b"GET / HTTP/1.1\r\nx-host: a.b\r\nHOST:hello--live.x\r\n\r\n", "hello--live"),
        (b"GET / HTTP/1.0\r\n\r\n", ""),
    ],
)
def test_a_host_names_a_function(head: bytes, label: str) -> None:
    assert heads.label_of(head) == label
