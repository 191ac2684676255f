"""Verify and make AWS's signatures, version 4. Pure: time and keys are arguments.

After "Authenticating requests (AWS Signature Version 4)": a canonical request is hashed, and its hash signed with a key
that is derived from the secret, the date, the region and the service. Paths are encoded twice, but for S3.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW_SECONDS = 300
MOST_EXPIRY_SECONDS = 604_800
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_TERMINATOR = "aws4_request"
_TIME = "%Y%m%dT%H%M%SZ"
_UNRESERVED = "-_.~"
_STREAMS = "STREAMING-"
_HEX_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What of a request is signed. `path` and `query` are as they came, still encoded; headers may repeat."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def value(self, name: str) -> str | None:
        """The first value of a header; `name` is in lower case."""
        return next(iter(self.values(name)), None)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; its secret never shows in logs."""

    access_key_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for: one day (`20261204`), one region, one service."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{_TERMINATOR}"


class Refusal(StrEnum):
    """Why a request is not let in: what AWS calls it; `code` is the error's name."""

    MISSING = "Missing Authentication Token"
    INCOMPLETE = (
        "The Authorization header or the query has not all parts of a signature: "
        "send Credential, SignedHeaders, Signature and a date"
    )
    UNKNOWN_KEY = "The security token included in the request is invalid."
    EXPIRED = (
        "Signature expired: the clocks of client and server differ by more than 5 minutes, "
        "or a presigned address is too old"
    )
    EARLY = "Signature not yet current: the clocks of client and server differ by more than 5 minutes"
    SCOPE = "Credential should be scoped to a valid service and to the date of the request."
    PAYLOAD = "The payload is not the one that was signed: x-amz-content-sha256 does not match the body"
    UNSIGNED_HEADER = "Host and every x-amz- header must be signed"
    CHUNKED = "Chunked signatures are not supported here: sign the whole body, or send UNSIGNED-PAYLOAD"
    UNSIGNED = "UNSIGNED-PAYLOAD is for S3, and for presigned addresses"
    MISMATCH = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )

    @property
    def code(self) -> str:
        match self:
            case Refusal.MISSING:
                return "MissingAuthenticationTokenException"
            case Refusal.INCOMPLETE | Refusal.UNSIGNED_HEADER:
                return "IncompleteSignatureException"
            case Refusal.UNKNOWN_KEY:
                return "UnrecognizedClientException"
        return "InvalidSignatureException"


@dataclass(frozen=True, slots=True)
class Verified:
    """Who signed, and for what."""

    access_key_id: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its own signature."""

    access_key_id: str
    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    time: datetime
    expires_seconds: int | None = None
    """Of presigned addresses only."""


def verify(
    request: SignedRequest, secret_of: Callable[[str], str | None], now: float, services: Iterable[str] | None = None
) -> Verified | Refusal:
    """Who signed a request, or why it is refused. `secret_of` gives an access key's secret, None for keys unknown.

    `services` are the names that the scope may have; None for any. Secrets are compared in constant time.
    """
    claim = _acceptable(request, now, services)
    if isinstance(claim, Refusal):
        return claim
    payload = _payload_hash(request, claim)
    if isinstance(payload, Refusal):
        return payload
    secret = secret_of(claim.access_key_id)
    # An unknown key takes as long as a known one.
    expected = _signature(request, claim.signed_headers, claim.scope, claim.time.strftime(_TIME), payload, secret or "")
    equal = hmac.compare_digest(expected.encode(), claim.signature.encode())
    if secret is None:
        return Refusal.UNKNOWN_KEY
    return Verified(claim.access_key_id, claim.scope) if equal else Refusal.MISMATCH


def refused_by_its_head(
    request: SignedRequest, secret_of: Callable[[str], str | None], now: float, services: Iterable[str] | None = None
) -> Refusal | None:
    """Why a request is refused whatever its body and signature are: then the body need not be read."""
    claim = _acceptable(request, now, services)
    if isinstance(claim, Refusal):
        return claim
    return Refusal.UNKNOWN_KEY if secret_of(claim.access_key_id) is None else None


def _acceptable(request: SignedRequest, now: float, services: Iterable[str] | None) -> _Claim | Refusal:
    """What a request claims, where nothing but the signature itself can be wrong with it."""
    claim = _claim(request)
    if isinstance(claim, Refusal):
        return claim
    refusal = _wrong_time(claim, now) or _wrong_scope(claim, services) or _wrong_headers(request, claim)
    return claim if refusal is None else refusal


def sign(
    request: SignedRequest, credentials: Credentials, region: str, service: str, now: float
) -> list[tuple[str, str]]:
    """The headers to add to a request, which must have a Host: date, hash of the body, and Authorization."""
    time = datetime.fromtimestamp(now, UTC).strftime(_TIME)
    scope = Scope(time[:8], region, service)
    payload = hashlib.sha256(request.body).hexdigest()
    added = [("X-Amz-Date", time), ("X-Amz-Content-Sha256", payload)]
    names = {name.lower() for name, _ in request.headers} | {"x-amz-date", "x-amz-content-sha256"}
    signed = tuple(sorted(name for name in names if name in ("host", "content-type") or name.startswith("x-amz-")))
    whole = SignedRequest(request.method, request.path, request.query, [*request.headers, *added], request.body)
    signature = _signature(whole, signed, scope, time, payload, credentials.secret)
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(signed)}, Signature={signature}"
    )
    return [*added, ("Authorization", authorization)]


def presign(
    request: SignedRequest, credentials: Credentials, region: str, service: str, now: float, expires_seconds: int
) -> str:
    """The query of a presigned address for a request, which must have a Host; for S3 the body is not signed."""
    time = datetime.fromtimestamp(now, UTC).strftime(_TIME)
    scope = Scope(time[:8], region, service)
    added = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": time,
        "X-Amz-Expires": str(expires_seconds),
        "X-Amz-SignedHeaders": "host",
    }
    query = "&".join(filter(None, (request.query, *(f"{key}={_encoded(value)}" for key, value in added.items()))))
    whole = SignedRequest(request.method, request.path, query, request.headers, request.body)
    payload = UNSIGNED_PAYLOAD if service == "s3" else hashlib.sha256(request.body).hexdigest()
    return f"{query}&X-Amz-Signature={_signature(whole, ('host',), scope, time, payload, credentials.secret)}"


def scope_of(request: SignedRequest) -> Scope | None:
    """The scope that a request claims, checked by nobody: it tells which service is meant."""
    claim = _claim(request)
    return None if isinstance(claim, Refusal) else claim.scope


def _claim(request: SignedRequest) -> _Claim | Refusal:
    authorization = request.value("authorization")
    if authorization is not None:
        algorithm, _, rest = authorization.partition(" ")
        parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        time = request.value("x-amz-date")
        return _parsed(algorithm, parts, time, None)
    query = _query_fields(request.query)
    if "X-Amz-Signature" not in query and "X-Amz-Credential" not in query:
        return Refusal.MISSING
    parts = {name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
    return _parsed(query.get("X-Amz-Algorithm", ""), parts, query.get("X-Amz-Date"), query.get("X-Amz-Expires", ""))


def _parsed(algorithm: str, parts: Mapping[str, str], time: str | None, expires: str | None) -> _Claim | Refusal:
    key, *scope = parts.get("Credential", "").split("/")
    signed = tuple(parts.get("SignedHeaders", "").split(";"))
    complete = algorithm == ALGORITHM and len(scope) == 4 and scope[3] == _TERMINATOR and all(signed)
    signature = parts.get("Signature", "")
    complete = complete and len(signature) == 64 and set(signature) <= _HEX_DIGITS
    when = _time(time or "")
    if not complete or when is None:
        return Refusal.INCOMPLETE
    if expires is not None and not (expires.isascii() and expires.isdecimal()):
        return Refusal.INCOMPLETE
    seconds = None if expires is None else int(expires[:9])
    return _Claim(key, Scope(scope[0], scope[1], scope[2]), signed, signature, when, seconds)


def _time(text: str) -> datetime | None:
    if len(text) != 16 or not text.isascii():  # strptime takes shorter numbers, which would be signed otherwise
        return None
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _wrong_time(claim: _Claim, now: float) -> Refusal | None:
    age_seconds = (datetime.fromtimestamp(now, UTC) - claim.time) / timedelta(seconds=1)
    if age_seconds < -CLOCK_SKEW_SECONDS:
        return Refusal.EARLY
    if claim.expires_seconds is not None and claim.expires_seconds > MOST_EXPIRY_SECONDS:
        return Refusal.INCOMPLETE
    limit = CLOCK_SKEW_SECONDS if claim.expires_seconds is None else claim.expires_seconds
    return Refusal.EXPIRED if age_seconds > limit else None


def _wrong_scope(claim: _Claim, services: Iterable[str] | None) -> Refusal | None:
    wrong = claim.scope.date != claim.time.strftime("%Y%m%d")
    wrong = wrong or (services is not None and claim.scope.service not in services)
    return Refusal.SCOPE if wrong else None


def _wrong_headers(request: SignedRequest, claim: _Claim) -> Refusal | None:
    """Headers that mean something must be signed: else who listens could send them anew with other ones."""
    signed = frozenset(claim.signed_headers)
    needed = {"host"} | {name.lower() for name, _ in request.headers if name.lower().startswith("x-amz-")}
    # S3's clients leave the hash of the body out of the signed headers of a presigned address.
    needed -= {"x-amz-content-sha256"} if claim.expires_seconds is not None else set()
    return None if needed <= signed else Refusal.UNSIGNED_HEADER


def _payload_hash(request: SignedRequest, claim: _Claim) -> str | Refusal:
    said = request.value("x-amz-content-sha256")
    actual = hashlib.sha256(request.body).hexdigest()
    if said is not None and said.startswith(_STREAMS):
        return Refusal.CHUNKED
    if claim.expires_seconds is not None and claim.scope.service == "s3":
        return UNSIGNED_PAYLOAD
    if said == UNSIGNED_PAYLOAD:
        allowed = claim.scope.service == "s3" or claim.expires_seconds is not None
        return said if allowed else Refusal.UNSIGNED
    if said is not None and not hmac.compare_digest(said.encode(), actual.encode()):
        return Refusal.PAYLOAD
    return actual


def _signature(
    request: SignedRequest, signed: Sequence[str], scope: Scope, time: str, payload: str, secret: str
) -> str:
    canonical = canonical_request(request, signed, payload, scope.service)
    text = "\n".join((ALGORITHM, time, str(scope), hashlib.sha256(canonical.encode()).hexdigest()))
    return hmac.new(_signing_key(secret, scope), text.encode(), hashlib.sha256).hexdigest()


def _signing_key(secret: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (scope.date, scope.region, scope.service, _TERMINATOR):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def canonical_request(request: SignedRequest, signed: Sequence[str], payload: str, service: str) -> str:
    """The text whose hash is signed."""
    headers = "".join(f"{name}:{','.join(_trimmed(v) for v in request.values(name))}\n" for name in signed)
    path, query = _canonical_path(request.path, service), _canonical_query(request.query)
    return "\n".join((request.method, path, query, headers, ";".join(signed), payload))


def _canonical_path(path: str, service: str) -> str:
    """S3 signs paths as they are sent; the others resolve dots, and encode what is encoded once more."""
    if service == "s3":
        return path or "/"
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    ending = "/" if path.endswith("/") and kept else ""
    return quote(f"/{'/'.join(kept)}{ending}", safe=f"/{_UNRESERVED}")


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    encoded = sorted((_encoded(_decoded(key)), _encoded(_decoded(value))) for key, value in pairs)
    return "&".join(f"{key}={value}" for key, value in encoded if key != "X-Amz-Signature")


def _query_fields(query: str) -> dict[str, str]:
    return {_decoded(key): _decoded(value) for key, _, value in (part.partition("=") for part in query.split("&"))}


def _decoded(text: str) -> str:
    return unquote(text.replace("+", " "))


def _encoded(text: str) -> str:
    return quote(text, safe=_UNRESERVED)


def _trimmed(value: str) -> str:
    return " ".join(value.split())
