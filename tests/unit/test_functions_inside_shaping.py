"""Events of HTTP requests, and answers of what handlers return, in payloads 2.0 and 1.0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grandstand.functions.runtime.inside.http1 import Request
from grandstand.functions.runtime.inside.shaping import BROKEN, answer_1_0, answer_2_0, event_1_0, event_2_0

HEADERS = [
    ("host", "hello.lambda-url.localhost:8080"),
    ("user-agent", "test"),
    ("cookie", "a=1; b=2"),
    ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
    ("x-many", "one"),
    ("x-many", "two"),
    ("grandstand-event", "url"),
    ("connection", "close"),
]


def request(target: str = "/a/b?x=1&x=2&y=", body: bytes = b"", kind: str = "") -> Request:
    made = Request("POST", target, [*HEADERS, ("content-type", kind)] if kind else HEADERS, keep_alive=True)
    made.body = body
    return made


def test_an_event_of_payload_2_0() -> None:
    event = event_2_0(request(), "id-1", "000000000000", 1_800_000_000.5)
    assert event["headers"] == {
        "host": "hello.lambda-url.localhost:8080",
        "user-agent": "test",
        "x-forwarded-for": "203.0.113.9, 10.0.0.1",
        "x-many": "one,two",
    }
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["rawPath"], event["rawQueryString"]) == ("/a/b", "x=1&x=2&y=")
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    context = event["requestContext"]
    assert (context["domainName"], context["domainPrefix"]) == ("hello.lambda-url.localhost", "hello")
    assert context["http"] == {
        "method": "POST",
        "path": "/a/b",
        "protocol": "HTTP/1.1",
        "sourceIp": "10.0.0.1",
        "userAgent": "test",
    }
    assert (context["time"], context["timeEpoch"]) == ("15/Jan/2027:08:00:00 +0000", 1_800_000_000_500)
    assert "body" not in event


def test_an_event_names_who_signed_the_request() -> None:
    assert event_2_0(request(), "id", "123456789012", 0)["requestContext"]["accountId"] == "anonymous"
    who = {"accessKey": "AKIA1", "accountId": "123456789012"}
    asked = request()
    asked.headers = [*asked.headers, ("grandstand-iam", json.dumps(who))]
    event = event_2_0(asked, "id", "123456789012", 0)
    assert event["requestContext"]["accountId"] == "123456789012"
    assert event["requestContext"]["authorizer"] == {"iam": who}
    assert "grandstand-iam" not in event["headers"]


def test_an_event_of_payload_1_0() -> None:
    event = event_1_0(request(body=b"x", kind="text/plain"), "id-1", "1", 1_800_000_000)
    assert event["version"] == "1.0"
    identity = event["requestContext"]["identity"]
    assert (identity["sourceIp"], identity["userAgent"], identity["userArn"]) == ("10.0.0.1", "test", None)
    assert (event["httpMethod"], event["path"], event["body"]) == ("POST", "/a/b", "x")
    assert event["multiValueHeaders"]["x-many"] == ["one", "two"]
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [""]}
    assert event["pathParameters"] == {"proxy": "a/b"}


@pytest.mark.parametrize(
    ("kind", "encoding", "body", "shown"),
    [
        ("application/json", "", b'{"a": 1}', ('{"a": 1}', False)),
        ("Application/JSON; charset=utf-8", "", b"{}", ("{}", False)),
        ("application/javascript", "", b"x", ("x", False)),
        ("application/xml", "", b"<x/>", ("<x/>", False)),
        ("text/plain; charset=utf-8", "", "ü".encode(), ("ü", False)),
        ("text/csv", "identity", b"a,b", ("a,b", False)),
        ("text/plain", "br", b"abc", ("YWJj", True)),
        ("application/json", "gzip", b"\x1f\x8b", ("H4s=", True)),
        ("text/plain", "", b"\xff", ("/w==", True)),
        ("application/x-www-form-urlencoded", "", b"a=b", ("YT1i", True)),
        ("multipart/form-data; boundary=x", "", b"--x--", ("LS14LS0=", True)),
        ("application/problem+json", "", b"{}", ("e30=", True)),
        ("application/json5", "", b"{}", ("e30=", True)),
        ("application/octet-stream", "", b"x", ("eA==", True)),
        ("image/svg+xml", "", b"x", ("eA==", True)),
        ("", "", b"x", ("eA==", True)),
    ],
)
def test_a_body_is_text_or_base64(kind: str, encoding: str, body: bytes, shown: tuple[str, bool]) -> None:
    asked = request(body=body, kind=kind)
    asked.headers = [*asked.headers, ("content-encoding", encoding)] if encoding else asked.headers
    for event in (event_2_0(asked, "id", "1", 0), event_1_0(asked, "id", "1", 0)):
        assert (event["body"], event["isBase64Encoded"]) == shown


@pytest.mark.parametrize(
    ("target", "path"),
    [("/", "/"), ("", "/"), ("/a%20b/%2F/c?x=1", "/a%20b/%2F/c"), ("/%3Fq%23", "/%3Fq%23"),
     ("/a//b/../c", "/a//b/../c"), ("/caf%C3%A9+x", "/caf%C3%A9+x")],
)  # fmt: skip
def test_a_path_stays_as_it_was_sent(target: str, path: str) -> None:
    event = event_2_0(request(target), "id", "1", 0)
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == (path, path)
    first = event_1_0(request(target), "id", "1", 0)
    assert (first["path"], first["requestContext"]["path"]) == (path, path)


@pytest.mark.parametrize(
    ("result", "status", "headers", "body"),
    [
        ({"statusCode": 201, "body": "x"}, 201, {"content-type": "application/json"}, b"x"),
        ({"statusCode": "204"}, 204, {"content-type": "application/json"}, b""),
        ({"statusCode": 200, "headers": {"Content-Type": "a/b", "n": 1, "t": True, "none": None}}, 200,
         {"Content-Type": "a/b", "n": "1", "t": "true"}, b""),
        ({"statusCode": 200, "body": "eA==", "isBase64Encoded": True}, 200, {"content-type": "application/json"}, b"x"),
        ({"statusCode": 200, "body": {"a": 1}}, 200, {"content-type": "application/json"}, b'{"a": 1}'),
        ({"a": 1}, 200, {"content-type": "application/json"}, b'{"a": 1}'),
        ("text", 200, {"content-type": "application/json"}, b"text"),
        (None, 200, {"content-type": "application/json"}, b"null"),
    ],
)  # fmt: skip
def test_an_answer_of_payload_2_0(result: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    assert answer_2_0(json.dumps(result).encode()) == (status, list(headers.items()), body)


def test_cookies_are_headers_of_their_own() -> None:
    _, headers, _ = answer_2_0(json.dumps({"statusCode": 200, "cookies": ["a=1", "b=2"]}).encode())
    assert headers[1:] == [("set-cookie", "a=1"), ("set-cookie", "b=2")]


BAD: list[dict[str, Any]] = [
    {"statusCode": "x"},
    {"statusCode": None},
    {"statusCode": float("inf")},
    {"statusCode": 42},
    {"statusCode": 101},
    {"statusCode": 200, "headers": [1]},
    {"statusCode": 200, "headers": {"a b": "c"}},
    {"statusCode": 200, "body": "%", "isBase64Encoded": True},
]


@pytest.mark.parametrize("result", [*BAD, {"statusCode": 200, "cookies": 5}], ids=str)
def test_what_is_no_answer_of_payload_2_0(result: dict[str, Any]) -> None:
    assert answer_2_0(json.dumps(result).encode()) == BROKEN


@pytest.mark.parametrize(
    "result",
    [*BAD, {}, {"statusCode": 200, "multiValueHeaders": {"a": 5}}, {"statusCode": 200, "multiValueHeaders": 5}],
    ids=str,
)
def test_what_is_no_answer_of_payload_1_0(result: dict[str, Any]) -> None:
    assert answer_1_0(json.dumps(result).encode()) == BROKEN


def test_many_values_replace_one() -> None:
    result = {"statusCode": 200, "headers": {"A": "1", "b": "2"}, "multiValueHeaders": {"a": ["3", "4"]}, "body": "x"}
    assert answer_1_0(json.dumps(result).encode()) == (200, [("b", "2"), ("a", "3"), ("a", "4")], b"x")
