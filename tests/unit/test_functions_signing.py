"""AWS signatures: botocore is the oracle; and what is changed or stale is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from grandstand.functions.signing import (
    Credentials,
    Refusal,
    Scope,
    SignedRequest,
    Verified,
    presign,
    refused_by_its_head,
    scope_of,
    sign,
    verify,
)

KEY, SECRET = "AKIAEXAMPLE", "a-secret-of-tests"
CREDENTIALS = Credentials(KEY, SECRET)
NOW = 1_800_000_000.0
BASE = SignedRequest("POST", "/2015-03-31/functions/hello/invocations", "", [("Host", "localhost:4566")], b'{"a": 1}')
ADDRESSES = [
    "/",
    "/2015-03-31/functions/",
    "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello/invocations",
    "/a%20b/../c//d/./e/",
    "/x?b=2&a=1&a=0&empty=&c=%20%2F~",
    "/x?Qualifier=%24LATEST",
    "/na%C3%AFve~path",
]


def secret_of(key: str) -> str | None:
    return {KEY: SECRET}.get(key)


def _as_sent(request: AWSRequest) -> SignedRequest:
    """What botocore's request is on the wire."""
    parts = urlsplit(request.url)
    headers = [("Host", parts.netloc), *((name, str(value)) for name, value in request.headers.items())]
    return SignedRequest(request.method, parts.path or "/", parts.query, headers, request.data or b"")


def _time(text: str) -> float:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b'{"x": "\xc3\xa4"}')])
@pytest.mark.parametrize(("oracle", "service"), [(SigV4Auth, "lambda"), (S3SigV4Auth, "s3")])
def test_what_botocore_signs_is_let_in_and_signed_alike(path, method, body, oracle, service):
    request = AWSRequest(method, f"http://localhost:4566{path}", {"Content-Type": "application/json"}, body)
    request.headers["X-Amz-Client-Context"] = "a   b"
    oracle(BotoCredentials(KEY, SECRET), service, "us-east-1").add_auth(request)
    sent = _as_sent(request)
    now = _time(sent.value("x-amz-date"))
    assert verify(sent, secret_of, now) == Verified(KEY, Scope(sent.value("x-amz-date")[:8], "us-east-1", service))
    if service == "s3":  # it signs the header with the hash, as we always do
        own = {"x-amz-date", "x-amz-content-sha256", "authorization"}
        plain = replace(sent, headers=[pair for pair in sent.headers if pair[0].lower() not in own])
        added = dict(sign(plain, CREDENTIALS, "us-east-1", service, now))
        assert added["Authorization"] == sent.value("authorization")


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("oracle", "service"), [(SigV4QueryAuth, "lambda"), (S3SigV4QueryAuth, "s3")])
def test_what_botocore_presigns_is_let_in(path, oracle, service):
    request = AWSRequest("GET", f"http://localhost:4566{path}")
    oracle(BotoCredentials(KEY, SECRET), service, "us-east-1", expires=60).add_auth(request)
    sent = _as_sent(request)
    date = next(part.partition("=")[2] for part in sent.query.split("&") if part.startswith("X-Amz-Date="))
    assert isinstance(verify(sent, secret_of, _time(date) + 60), Verified)
    assert verify(sent, secret_of, _time(date) + 61) is Refusal.EXPIRED
    assert verify(replace(sent, path="/other"), secret_of, _time(date)) is Refusal.MISMATCH


def signed(request: SignedRequest = BASE, now: float = NOW, service: str = "lambda") -> SignedRequest:
    return replace(request, headers=[*request.headers, *sign(request, CREDENTIALS, "eu-west-1", service, now)])


def with_header(request: SignedRequest, name: str, value: str) -> SignedRequest:
    return replace(request, headers=[*(pair for pair in request.headers if pair[0].lower() != name), (name, value)])


def _part(request: SignedRequest, old: str, new: str) -> SignedRequest:
    return with_header(request, "authorization", request.value("authorization").replace(old, new))


GOOD = signed()
STREAM = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


@pytest.mark.parametrize(
    ("request_", "now", "refusal"),
    [
        (BASE, NOW, Refusal.MISSING),
        (GOOD, NOW + 301, Refusal.EXPIRED),
        (GOOD, NOW - 301, Refusal.EARLY),
        (replace(GOOD, body=b"other"), NOW, Refusal.PAYLOAD),
        (replace(GOOD, method="DELETE"), NOW, Refusal.MISMATCH),
        (replace(GOOD, path="/2015-03-31/functions/other/invocations"), NOW, Refusal.MISMATCH),
        (replace(GOOD, query="Qualifier=1"), NOW, Refusal.MISMATCH),
        (with_header(GOOD, "host", "other:1"), NOW, Refusal.MISMATCH),
        (with_header(GOOD, "x-amz-invocation-type", "Event"), NOW, Refusal.UNSIGNED_HEADER),
        (with_header(GOOD, "x-amz-date", "20270115T080001Z"), NOW, Refusal.MISMATCH),
        (with_header(GOOD, "x-amz-date", "soon"), NOW, Refusal.INCOMPLETE),
        (with_header(GOOD, "x-amz-content-sha256", STREAM), NOW, Refusal.CHUNKED),
        (with_header(GOOD, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), NOW, Refusal.UNSIGNED),
        (with_header(GOOD, "authorization", "Bearer x"), NOW, Refusal.INCOMPLETE),
        (_part(GOOD, KEY, "AKIAOTHER"), NOW, Refusal.UNKNOWN_KEY),
        (_part(GOOD, "/20270115/", "/20270114/"), NOW, Refusal.SCOPE),
        (_part(GOOD, "/lambda/", "/ec2/"), NOW, Refusal.SCOPE),
        (_part(GOOD, "eu-west-1", "us-west-1"), NOW, Refusal.MISMATCH),
        (_part(GOOD, "host;", ""), NOW, Refusal.UNSIGNED_HEADER),
        (_part(GOOD, "Signature=", "Signature=ä"), NOW, Refusal.INCOMPLETE),
    ],
)
def test_what_is_refused(request_, now, refusal):
    assert verify(request_, secret_of, now, ("lambda", "s3", "sts")) is refusal


@pytest.mark.parametrize(
    ("request_", "now", "refusal"),
    [
        (GOOD, NOW, None),
        (replace(GOOD, body=b"other"), NOW, None),
        (BASE, NOW, Refusal.MISSING),
        (GOOD, NOW + 301, Refusal.EXPIRED),
        (_part(GOOD, KEY, "AKIAOTHER"), NOW, Refusal.UNKNOWN_KEY),
    ],
)
def test_what_is_refused_before_its_body_is_read(request_, now, refusal):
    assert refused_by_its_head(request_, secret_of, now) is refusal


def test_five_minutes_are_forgiven_and_no_more():
    for seconds in (-300, 0, 300):
        assert isinstance(verify(GOOD, secret_of, NOW + seconds), Verified)


def test_an_unsigned_payload_is_for_s3():
    request = signed(service="s3")
    assert isinstance(verify(request, secret_of, NOW), Verified)
    assert scope_of(request) == Scope("20270115", "eu-west-1", "s3")
    assert scope_of(BASE) is None


def test_no_secret_shows():
    assert SECRET not in repr(CREDENTIALS)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x7f", min_codepoint=32), max_size=20)
PATHS = st.lists(st.text("abcAZ09-_.~", max_size=5), max_size=4).map(lambda parts: "/" + "/".join(parts))
PAIRS = st.lists(st.tuples(st.text("abc%20+-", max_size=4), st.text("xyz~%2F", max_size=4)), max_size=3)
QUERIES = PAIRS.map(lambda pairs: "&".join(f"{key}={value}" for key, value in pairs))
REQUESTS = st.builds(
    SignedRequest,
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    PATHS,
    QUERIES,
    st.lists(st.tuples(st.sampled_from(["X-Amz-A", "X-Amz-B", "Accept"]), TEXT)).map(
        lambda found: [("Host", "h"), *found]
    ),
    st.binary(max_size=30),
)


@given(REQUESTS, st.integers(0, 4_000_000_000))
def test_what_is_signed_here_is_let_in(request_, now):
    assert isinstance(verify(signed(request_, now), secret_of, now), Verified)


@given(REQUESTS, st.binary(min_size=1, max_size=3))
def test_another_body_is_never_let_in(request_, more):
    assert verify(replace(signed(request_), body=request_.body + more), secret_of, NOW) is Refusal.PAYLOAD


@given(REQUESTS, st.sampled_from(["lambda", "s3"]))
def test_what_is_presigned_here_is_let_in_until_it_expires(request_, service):
    plain = replace(request_, headers=[("Host", "h")], body=b"")
    query = presign(plain, CREDENTIALS, "us-east-1", service, NOW, 900)
    assert isinstance(verify(replace(plain, query=query), secret_of, NOW + 900), Verified)
    assert verify(replace(plain, query=query), secret_of, NOW + 901) is Refusal.EXPIRED


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_garbage_makes_it_raise(authorization, date):
    headers = [("Host", "h"), ("Authorization", authorization), ("X-Amz-Date", date)]
    assert isinstance(verify(SignedRequest("GET", "/", "", headers), secret_of, NOW), Refusal)
