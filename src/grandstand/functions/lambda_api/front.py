"""Let requests in: whose signature is right, or nobody else's where no signature is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from grandstand.errors import ServiceFault
from grandstand.functions import sqs_api
from grandstand.functions.signing import Refusal, SignedRequest, refused_by_its_head, scope_of, verify

from .ports import Auth

SERVICES = ("lambda", "sts", "iam", "logs", "sqs")
_VERSIONS = {"2011-06-15": "sts", "2010-05-08": "iam", "2012-11-05": "sqs"}


def signed_request(request: web.Request, body: bytes) -> SignedRequest:
    """What of a request is signed, as it was sent."""
    path, _, query = request.raw_path.partition("?")
    headers = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in request.raw_headers]
    return SignedRequest(request.method, path, query, headers, body)


def check(request: SignedRequest, auth: Auth, now: float) -> str:
    """Which service is meant. Raises ServiceFault for who is not let in."""
    if not auth.required:
        refuse_browsers(request)
        return guess(request)
    found = verify(request, auth.secrets.get, now, SERVICES)
    if isinstance(found, Refusal):
        raise ServiceFault(found.code, str(found), 403)
    return found.scope.service


def check_head(request: SignedRequest, auth: Auth, now: float) -> None:
    """The same, as far as it can be told before the body is read: strangers cannot make it be kept in memory."""
    if not auth.required:
        refuse_browsers(request)
    elif (refusal := refused_by_its_head(request, auth.secrets.get, now, SERVICES)) is not None:
        raise ServiceFault(refusal.code, str(refusal), 403)


def refuse_browsers(request: SignedRequest) -> None:
    """Where anybody on the machine is let in, a web page in its browser is not: it must not deploy code.

    Pages of other origins give themselves away by Origin or Sec-Fetch-Site; names that are made to point here, by Host.
    """
    if request.value("origin") is not None or request.value("sec-fetch-site") not in (None, "none"):
        raise ServiceFault("AccessDeniedException", "Requests of web pages need a signature: set --lambda-auth", 403)
    host = (request.value("host") or "localhost").rsplit(":", 1)[0].strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return
    try:
        ip_address(host)
    except ValueError:
        message = f"Without signatures this API is reached as localhost or by address, not as {host}"
        raise ServiceFault("AccessDeniedException", message, 403) from None


def guess(request: SignedRequest) -> str:
    """Which service a request says it means, unchecked; without a signature, by its protocol."""
    target = request.value("x-amz-target") or ""
    if target.startswith("Logs_"):
        return "logs"
    if target.startswith(sqs_api.TARGET):
        return "sqs"
    scope = scope_of(request)
    if scope is not None and scope.service in SERVICES:
        return scope.service
    return _VERSIONS.get(form_of(request).get("Version", ""), "lambda")


def form_of(request: SignedRequest) -> Mapping[str, str]:
    """The fields of AWS's query protocol: in a form, or in the query."""
    if request.method == "POST" and (request.value("content-type") or "").startswith("application/x-www-form-url"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    return dict(parse_qsl(request.query, keep_blank_values=True))


def segments_of(path: str) -> list[str]:
    """The parts of a path, decoded; ARNs in it may be encoded or not."""
    return [unquote(part) for part in path.strip("/").split("/")]


def query_of(query: str) -> dict[str, str]:
    """The fields of a query; of one that is given several times (tagKeys), all, in lines."""
    found: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(key, []).append(value)
    return {key: "\n".join(values) for key, values in found.items()}
