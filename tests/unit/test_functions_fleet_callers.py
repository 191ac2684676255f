"""Who may ask a function URL of AuthType AWS_IAM: signatures of whole requests, as they come over a connection."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from grandstand.clock import VirtualClock
from grandstand.errors import ServiceFault
from grandstand.functions.fleet.callers import Callers, caller
from grandstand.functions.runtime.inside.faults import REQUEST_LIMIT_BYTES
from grandstand.functions.runtime.inside.http1 import RequestReader
from grandstand.functions.signing import Credentials, SignedRequest, sign

NOW = 1_800_000_000.0
KEY = Credentials("AKIATEST", "secret")
HOST = ("Host", "hello.lambda-url.localhost:8080")


class Told:
    """Keeps what the client is told meanwhile."""

    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data


def head(headers: list[tuple[str, str]], target: str = "/a%20b?x=1&y=%2F", method: str = "POST") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join((*lines, "", "")).encode()


def signed(
    body: bytes = b"hello", *, key: Credentials = KEY, service: str = "lambda", now: float = NOW, method: str = "POST"
) -> list[tuple[str, str]]:
    given = [HOST, ("Content-Type", "text/plain")]
    request = SignedRequest(method, "/a%20b", "x=1&y=%2F", given, body)
    return [*given, *sign(request, key, "us-east-1", service, now)]


def let_in(asked: bytes, sent: bytes, told: Told | None = None) -> bytes:
    async def run() -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(sent)
        reader.feed_eof()
        callers = Callers({KEY.access_key_id: KEY.secret}, "000000000000", VirtualClock(NOW))
        return await callers.let_in(asked, reader, told or Told())  # type: ignore[arg-type]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        ([("Content-Length", "5")], b"hello"),
        ([("Transfer-Encoding", "chunked")], b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunks"],
)
def test_who_signs_is_let_in_and_named(framing: list[tuple[str, str]], sent: bytes) -> None:
    spoofed = [("Grandstand-Iam", '{"accessKey": "other"}')]
    request = RequestReader().feed(let_in(head(signed() + spoofed + framing), sent))
    assert request is not None
    assert (request.method, request.path, request.query, request.body) == ("POST", "/a%20b", "x=1&y=%2F", b"hello")
    assert [json.loads(value) for name, value in request.headers if name == "grandstand-iam"] == [
        caller("AKIATEST", "000000000000")
    ]
    assert request.header("content-length") == "5"
    assert request.header("transfer-encoding") == ""


def test_a_request_without_a_body_stays_without() -> None:
    request = RequestReader().feed(let_in(head(signed(b"", method="GET"), method="GET"), b""))
    assert request is not None
    assert (request.body, request.header("content-length")) == (b"", "")


def test_who_waits_for_continue_is_told_once_the_head_is_fine() -> None:
    told, framing = Told(), [("Content-Length", "5"), ("Expect", "100-continue")]
    assert b"100-continue" not in let_in(head(signed() + framing), b"hello", told)
    assert told.said == b"HTTP/1.1 100 Continue\r\n\r\n"
    stranger, waits = Told(), head(signed(key=Credentials("AKIAOTHER", "secret")) + framing)
    with pytest.raises(ServiceFault):
        let_in(waits, b"", stranger)
    assert stranger.said == b""


def other_hash(headers: list[tuple[str, str]], said: str) -> list[tuple[str, str]]:
    return [(name, said if name == "X-Amz-Content-Sha256" else value) for name, value in headers]


@pytest.mark.parametrize(
    ("headers", "body", "status", "error"),
    [
        ([HOST], b"hello", 403, "AccessDeniedException"),
        (signed(), b"hallo", 403, "InvalidSignatureException"),
        (other_hash(signed(), hashlib.sha256(b"hallo").hexdigest()), b"hallo", 403, "InvalidSignatureException"),
        (other_hash(signed(), "UNSIGNED-PAYLOAD"), b"hello", 403, "InvalidSignatureException"),
        (signed(service="s3"), b"hello", 403, "InvalidSignatureException"),
        (signed(now=NOW - 301), b"hello", 403, "InvalidSignatureException"),
        (signed(now=NOW + 301), b"hello", 403, "InvalidSignatureException"),
        (signed(key=Credentials("AKIAOTHER", "secret")), b"hello", 403, "UnrecognizedClientException"),
        (signed(key=Credentials("AKIATEST", "other")), b"hello", 403, "InvalidSignatureException"),
        ([*signed(), ("X-Amz-Target", "other")], b"hello", 403, "IncompleteSignatureException"),
        ([*signed(), ("Content-Length", str(REQUEST_LIMIT_BYTES + 1))], b"", 413, "RequestEntityTooLargeException"),
        ([*signed(), ("Content-Length", "x")], b"", 400, "InvalidRequestException"),
    ],
)  # fmt: skip
def test_who_is_not_let_in(headers: list[tuple[str, str]], body: bytes, status: int, error: str) -> None:
    framed = headers if "Content-Length" in dict(headers) else [*headers, ("Content-Length", str(len(body)))]
    with pytest.raises(ServiceFault) as caught:
        let_in(head(framed), body)
    assert (caught.value.status, caught.value.error) == (status, error)


def test_a_body_that_breaks_off_is_nobodys_request() -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        let_in(head([*signed(), ("Content-Length", "5")]), b"hel")


def test_the_largest_body_is_verified_too() -> None:
    body = b"x" * REQUEST_LIMIT_BYTES
    asked = let_in(head([*signed(body), ("Content-Length", str(len(body)))]), body)
    assert asked.endswith(b"\r\n\r\n" + body)
