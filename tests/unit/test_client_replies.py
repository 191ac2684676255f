"""Errors, watch lines, warnings, paths and queries of a remote API server: pure."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand import errors
from grandstand.client import DeleteOptions, EventType, PatchType, Propagation, WriteOptions
from grandstand.client.paths import delete_body, list_query, object_path, path_of, write_query
from grandstand.client.replies import Lines, error_of, event_of, warnings_of
from grandstand.errors import Cause, GrandstandError, status_of
from grandstand.kinds import Resource
from grandstand.kinds.resources import DEPLOYMENTS, NODES, PODS

CAUSES = (Cause("FieldValueRequired", "Required value", "spec.selector"),)


@pytest.mark.parametrize(
    "error",
    [
        errors.BadRequest("b"),
        errors.Unauthorized("u"),
        errors.Forbidden("f"),
        errors.NotFound('pods "a" not found'),
        errors.MethodNotAllowed("m"),
        errors.NotAcceptable("n"),
        errors.AlreadyExists("a"),
        errors.Conflict("c", CAUSES),
        errors.Expired("e"),
        errors.TooLarge("t"),
        errors.UnsupportedMediaType("s"),
        errors.Invalid("i", CAUSES),
        errors.TooManyRequests("r"),
        errors.Unavailable("x"),
        errors.PlatformError("p"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_own_errors_come_back_as_they_went(error: GrandstandError) -> None:
    back = error_of(error.code, json.dumps(status_of(error)).encode(), "GET /")
    assert type(back) is type(error)
    assert back.message == error.message
    assert getattr(back, "causes", ()) == getattr(error, "causes", ())


@pytest.mark.parametrize(
    ("code", "body", "kind", "message"),
    [
        (410, {"kind": "Status", "reason": "Gone", "message": "m"}, errors.Expired, "m"),
        (504, {"kind": "Status", "reason": "Timeout", "message": "m", "code": 504}, errors.Unavailable, "m"),
        (409, {"kind": "Status", "reason": "New", "message": "m"}, errors.Conflict, "m"),
        (418, {"kind": "Status", "reason": "Teapot", "message": "m"}, errors.CallerError, "m"),
        (500, {"kind": "Status", "message": "m"}, errors.PlatformError, "m"),
        (404, {"kind": "Status", "reason": "NotFound"}, errors.NotFound, "NotFound"),
        (502, "<html>no backend\n</html>", errors.Unavailable, "GET /x was answered with HTTP 502 .*no backend"),
        (404, "", errors.NotFound, "an empty body"),
        (403, "[]", errors.Forbidden, "HTTP 403"),
    ],
    ids=["gone", "timeout", "new reason", "teapot", "no reason", "no message", "html", "empty", "list"],
)
def test_other_answers(code: int, body: Any, kind: type[GrandstandError], message: str) -> None:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = error_of(code, content, "GET /x")
    assert type(error) is kind
    with pytest.raises(kind, match=message):
        raise error


def test_events() -> None:
    event = event_of(b'{"type":"MODIFIED","object":{"a":1}}')
    assert (event.type, event.object) == (EventType.MODIFIED, {"a": 1})


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}', errors.Expired),
        (b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd"}}', errors.PlatformError),
        (b'{"type":"NEW","object":{}}', errors.PeerError),
        (b'{"type":"ADDED"}', errors.PeerError),
        (b'{"type":"ADD', errors.PeerError),
        (b"[]", errors.PeerError),
    ],
    ids=["expired", "error", "unknown", "no object", "cut off", "list"],
)
def test_events_that_are_errors(line: bytes, kind: type[GrandstandError]) -> None:
    with pytest.raises(kind):
        event_of(line)


@given(
    lines=st.lists(st.binary(min_size=1, max_size=30).map(lambda b: b.replace(b"\n", b".") + b"x")),
    cuts=st.lists(st.integers(0, 400)),
)
def test_lines_do_not_depend_on_where_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    cutter = Lines()
    found = [line for a, b in itertools.pairwise(edges) for line in cutter.feed(stream[a:b])]
    assert found == lines


def test_warnings() -> None:
    headers = ['299 - "unknown field \\"spec.x\\""', '299 - "one", 299 - "two"', '199 - "not for people"']
    assert warnings_of(headers) == ['unknown field "spec.x"', "one", "two"]


@pytest.mark.parametrize(
    ("resource", "parts", "path"),
    [
        (PODS, (), "/api/v1/pods"),
        (PODS, ("shop",), "/api/v1/namespaces/shop/pods"),
        (PODS, ("shop", "a", "log"), "/api/v1/namespaces/shop/pods/a/log"),
        (DEPLOYMENTS, ("shop", "a"), "/apis/apps/v1/namespaces/shop/deployments/a"),
        (NODES, ("", "n", "status"), "/api/v1/nodes/n/status"),
        (NODES, ("ignored", "n"), "/api/v1/nodes/n"),
        (PODS, ("shop", "../x"), "/api/v1/namespaces/shop/pods/..%2Fx"),
    ],
    ids=["all", "namespace", "subresource", "group", "cluster-wide", "no namespace", "quoted"],
)
def test_paths(resource: Resource, parts: tuple[str, ...], path: str) -> None:
    assert path_of(resource, *parts) == path


@pytest.mark.parametrize(("namespace", "name"), [("", "a"), ("shop", "")], ids=["namespace", "name"])
def test_an_object_must_be_named_in_full(namespace: str, name: str) -> None:
    with pytest.raises(errors.BadRequest, match="name"):
        object_path(PODS, namespace, name)


def test_queries() -> None:
    assert list_query("a=b", "", watch=True, limit=0, allowWatchBookmarks=False) == {
        "labelSelector": "a=b",
        "watch": "true",
    }
    options = WriteOptions(manager="me", dry_run=True, force=True, field_validation="Strict")
    written = {"fieldManager": "me", "dryRun": "All", "fieldValidation": "Strict"}
    assert write_query(options) == write_query(options, PatchType.MERGE) == written
    assert write_query(options, PatchType.APPLY) == written | {"force": "true"}


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (DeleteOptions(), {}),
        (DeleteOptions(grace_seconds=0), {"gracePeriodSeconds": 0}),
        (DeleteOptions(uid="u", resource_version="7"), {"preconditions": {"uid": "u", "resourceVersion": "7"}}),
        (
            DeleteOptions(propagation=Propagation.FOREGROUND, dry_run=True),
            {"propagationPolicy": "Foreground", "dryRun": ["All"]},
        ),
    ],
    ids=["none", "at once", "preconditions", "propagation"],
)
def test_delete_options(options: DeleteOptions, body: dict[str, Any]) -> None:
    assert delete_body(options) == {"kind": "DeleteOptions", "apiVersion": "v1", **body}
