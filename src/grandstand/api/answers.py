"""Make HTTP answers: JSON bodies, `Status` objects, warnings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from grandstand.errors import GrandstandError, TooManyRequests, Unauthorized, status_of
from grandstand.kinds import Object, Resource

MOST_WARNINGS_BYTES = 4096
"""Clients refuse answers whose headers are too long; Kubernetes cuts warnings at the same size."""

RETRY_AFTER_SECONDS = 1


def json_answer(
    body: bytes, status: int = 200, *, warnings: Iterable[str] = (), content_type: str = "application/json"
) -> web.Response:
    headers = CIMultiDict({"Content-Type": content_type, "Cache-Control": "no-cache, private"})
    left = MOST_WARNINGS_BYTES
    for warning in warnings:
        value = f'299 - "{_quoted(warning)}"'
        left -= len(value)
        if left >= 0:
            headers.add("Warning", value)
    return web.Response(body=body, status=status, headers=headers)


def object_answer(obj: Any, status: int = 200, *, warnings: Iterable[str] = ()) -> web.Response:
    return json_answer(msgspec.json.encode(obj), status, warnings=warnings)


def error_answer(error: GrandstandError) -> web.Response:
    """The `Status` that tells a client what went wrong."""
    answer = object_answer(status_of(error), error.code)
    if isinstance(error, TooManyRequests):
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, Unauthorized):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def success(resource: Resource, obj: Object) -> Object:
    """The `Status` after what was asked for is done and the object is gone."""
    meta = obj["metadata"]
    details = {"name": meta["name"], "kind": resource.plural, "uid": meta["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


DONE: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _quoted(text: str) -> str:
    """Text as a quoted string of a header: one line, printable."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line.replace("\\", "\\\\").replace('"', '\\"')
