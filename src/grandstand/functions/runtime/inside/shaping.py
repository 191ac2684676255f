"""Make events of HTTP requests, and HTTP answers of what a handler returned, as API Gateway and function URLs do. Pure.

Payload 2.0 is what function URLs send, 1.0 what REST APIs send. Both give paths as they came, percent-encoded.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from .http1 import Request

Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""
BROKEN: Answer = (502, [("content-type", "application/json")], b'{"Message":"Internal Server Error"}')
_HIDDEN = ("grandstand-", "connection", "keep-alive", "transfer-encoding", "expect")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXT = ("application/json", "application/javascript", "application/xml")
"""Beside text/*: what AWS gives as it is. All else is base64, also forms, other JSON, and bodies that say no type."""
_NOBODY = (
    "accessKey",
    "accountId",
    "apiKey",
    "apiKeyId",
    "caller",
    "clientCert",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)
"""What payload 1.0 says of who asks, beside address and program: null where nobody was asked who they are."""


def event_2_0(request: Request, request_id: str, account_id: str, now: float) -> dict[str, Any]:
    headers = _joined(_shown(request), ",")
    cookies = [part.strip() for name, value in request.headers if name == "cookie" for part in value.split(";") if part]
    headers.pop("cookie", None)
    host = request.header("host")
    caller = _caller(request)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path or "/",
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": account_id if caller is not None else "anonymous",
            "apiId": host.partition(".")[0],
            "domainName": host.partition(":")[0],
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path or "/",
                "protocol": "HTTP/1.1",
                "sourceIp": _source(request),
                "userAgent": request.header("user-agent"),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if caller is not None:
        event["requestContext"]["authentication"] = None
        event["requestContext"]["authorizer"] = {"iam": caller}
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True), ",")
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request)
    return event


def event_1_0(request: Request, request_id: str, account_id: str, now: float) -> dict[str, Any]:
    pairs = parse_qsl(request.query, keep_blank_values=True)
    path, host = request.path or "/", request.header("host")
    body, encoded = _body(request) if request.body else (None, False)
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": request.method,
        "headers": dict(_shown(request)) or None,
        "multiValueHeaders": _many(_shown(request)) or None,
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": _many(pairs) or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": account_id,
            "apiId": host.partition(".")[0],
            "domainName": host.partition(":")[0],
            "domainPrefix": host.partition(".")[0],
            "httpMethod": request.method,
            "identity": {
                **dict.fromkeys(_NOBODY),
                "sourceIp": _source(request),
                "userAgent": request.header("user-agent"),
            },
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "resourcePath": "/{proxy+}",
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


def answer_2_0(result: bytes) -> Answer:
    """What a handler returned, as JSON: with a statusCode it is taken apart, else it is the body of a 200."""
    try:
        told = json.loads(result)
    except ValueError:
        return BROKEN
    if not isinstance(told, dict) or "statusCode" not in told:
        body = told.encode() if isinstance(told, str) else result
        return 200, [("content-type", "application/json")], body
    answer = _taken_apart(told)
    if answer is None:
        return BROKEN
    status, headers, body = answer
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    cookies = told.get("cookies") or []
    if not isinstance(cookies, list):
        return BROKEN
    headers += [("set-cookie", str(cookie)) for cookie in cookies]
    return status, headers, body


def answer_1_0(result: bytes) -> Answer:
    try:
        told = json.loads(result)
    except ValueError:
        return BROKEN
    answer = _taken_apart(told) if isinstance(told, dict) else None
    if answer is None:
        return BROKEN
    status, headers, body = answer
    many = told.get("multiValueHeaders") or {}
    if not isinstance(many, dict) or not all(isinstance(values, list) for values in many.values()):
        return BROKEN
    if not all(map(_TOKEN.fullmatch, many)):
        return BROKEN
    replaced = {name.lower() for name in many}
    headers = [(name, value) for name, value in headers if name.lower() not in replaced]
    headers += [(name, _word(value)) for name, values in many.items() for value in values]
    return status, headers, body


def _taken_apart(told: dict[str, Any]) -> Answer | None:
    try:
        status = int(told["statusCode"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    headers = told.get("headers") or {}
    if not 200 <= status <= 599 or not isinstance(headers, dict) or not all(map(_TOKEN.fullmatch, headers)):
        return None
    body = told.get("body")
    if body is None:
        body = ""
    text = body if isinstance(body, str) else json.dumps(body)
    try:
        content = base64.b64decode(text, validate=True) if told.get("isBase64Encoded") else text.encode()
    except (binascii.Error, ValueError):
        return None
    return status, [(name, _word(value)) for name, value in headers.items() if value is not None], content


def _word(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_word, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.headers if not name.startswith(_HIDDEN)]


def _joined(pairs: Iterable[tuple[str, str]], by: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]}{by}{value}" if name in found else value
    return found


def _many(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _caller(request: Request) -> dict[str, Any] | None:
    """Who signed the request: the door says it, of function URLs of AuthType AWS_IAM."""
    told = request.header("grandstand-iam")
    return dict(json.loads(told)) if told else None


def _source(request: Request) -> str:
    """HAProxy adds the address that it saw at the end."""
    return request.header("x-forwarded-for").rpartition(",")[2].strip() or "127.0.0.1"


def _body(request: Request) -> tuple[str, bool]:
    """As text, or in base64 and True."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    encoding = request.header("content-encoding").strip().lower()
    if (kind.startswith("text/") or kind in _TEXT) and encoding in ("", "identity"):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass  # it would not come through as it is
    return base64.b64encode(request.body).decode(), True
