"""Random requests to the HTTP surface: whatever comes, the answer is a `Status` of the caller's fault, or a success.

The requests are made of parts that clients send, bent: so that they come further than the first check.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from api_server_world import World, config_map, deployment, pod, running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from grandstand.client.paths import path_of
from grandstand.kinds.resources import DEPLOYMENTS, RESOURCES

NOT_SERVED = 501
"""The one answer from 500 on that is meant: streams, which a client is told are not there."""

NAMES = st.sampled_from(["a", "web", "default", "kube-system", "-", "A", "a" * 300, "..", "%2e%2e", "a b", "ü", "\x00"])
GROUPS = st.sampled_from(
    ["api/v1", "apis/apps/v1", "apis/autoscaling/v2", "apis/x/v1", "api", "apis", "openapi/v3", ""]
)
PLURALS = st.sampled_from([*(resource.plural for resource in RESOURCES), "selfsubjectaccessreviews", "jobs", "x"])
SUBRESOURCES = st.sampled_from(
    ["", "", "status", "scale", "log", "binding", "eviction", "finalize", "exec", "attach", "token", "x"]
)
METHODS = st.sampled_from(["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
TYPES = st.sampled_from(
    [
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "text/plain",
        "application/json; charset=utf-16",
        ";",
        "",
    ]
)
ACCEPTS = st.sampled_from(
    [
        "application/json",
        "*/*",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/vnd.kubernetes.protobuf",
        ";;==",
        "",
    ]
)
WORDS = st.sampled_from(["", "0", "1", "-1", "99999999999999999999", "true", "x", "a=b", "a in (", "!", "é", "null"])
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            "limit",
            "continue",
            "resourceVersion",
            "resourceVersionMatch",
            "labelSelector",
            "fieldSelector",
            "timeoutSeconds",
            "dryRun",
            "fieldManager",
            "fieldValidation",
            "force",
            "gracePeriodSeconds",
            "propagationPolicy",
            "orphanDependents",
            "includeObject",
            "sendInitialEvents",
            "tailLines",
            "sinceTime",
            "container",
            "pretty",
        ]
    ),
    WORDS | st.sampled_from(["All", "Strict", "Orphan", "Foreground", "NotOlderThan", "Exact", "metadata.name=a"]),
    max_size=4,
)

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "spec", "metadata", "$patch", "op", "path", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
TEMPLATES = [config_map("a"), deployment(), pod("a"), {"kind": "DeleteOptions"}, {"target": {"name": "n"}}]


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, child in children for found in _places(child, (*place, key)))]


def _bent(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    """A copy of a JSON value with another value at one place."""
    if not place:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _bent(value[place[0]], place[1:], other)
    return copy


@st.composite
def objects(draw: st.DrawFn) -> Any:
    """An object as clients send it, with something else at one or two of its places."""
    value: Any = draw(st.sampled_from(TEMPLATES))
    for _ in range(draw(st.integers(0, 2))):
        value = _bent(value, draw(st.sampled_from(_places(value))), draw(JSON))
    return value


OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]) | SCALARS,
        "path": st.sampled_from(
            ["", "/", "/data", "/data/a", "/metadata", "/spec/template/spec/containers/-", "x", "/~2"]
        )
        | SCALARS,
    },
    optional={"value": JSON, "from": st.sampled_from(["", "/data", "/metadata/name", "/x"])},
)
BODIES = (
    (objects() | JSON | st.lists(OPERATIONS, max_size=3)).map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=60)
    | st.binary(max_size=60).map(lambda data: b"k8s\x00" + data)
    | st.sampled_from(
        [b"", b"{", b"[" * 5000, b'{"a":' * 5000, b"a: &a [*a]", b"- b\n a", b"\xff\xfe{}", b"null", b"NaN"]
    )
)
PATHS = st.builds(
    lambda group, namespace, plural, name, subresource: "/".join(
        part for part in ("", group, *(("namespaces", namespace) if namespace else ()), plural, name, subresource)
    ),
    GROUPS,
    st.just("fuzz") | st.just("") | NAMES,
    PLURALS,
    NAMES | st.just(""),
    SUBRESOURCES,
)


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(default=b"")


REQUESTS = st.builds(
    Sent,
    METHODS,
    PATHS,
    QUERIES,
    st.fixed_dictionaries({"Accept": ACCEPTS, "Content-Type": TYPES}),
    BODIES,
)
PATCHES = st.builds(
    Sent,
    st.just("PATCH"),
    st.sampled_from(
        [
            "/api/v1/namespaces/fuzz/configmaps/a",
            "/apis/apps/v1/namespaces/fuzz/deployments/web",
            "/api/v1/namespaces/fuzz",
        ]
    ),
    st.just({"fieldManager": "fuzz", "force": "true"}) | QUERIES,
    st.fixed_dictionaries({"Content-Type": TYPES}),
    BODIES,
)
CREATIONS = st.builds(
    Sent,
    st.sampled_from(["POST", "PUT"]),
    st.sampled_from(RESOURCES).map(lambda resource: path_of(resource, "fuzz")),
    QUERIES,
    st.just({"Content-Type": "application/json"}),
    objects().map(lambda value: json.dumps(value).encode()),
)


class Surface:
    """A server in an event loop of its own, since hypothesis calls its examples one after the other."""

    def __init__(self, data: Path) -> None:
        self._runner = asyncio.Runner()
        self._context = running(data)
        self.world: World = self._runner.run(self._context.__aenter__())
        self.run(self._prepare())

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))
        self._runner.close()

    def run(self, work: Any) -> Any:
        return self._runner.run(work)

    async def _prepare(self) -> None:
        await self.world.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "fuzz"}}, expect=201)
        await self.world.ask("POST", "/api/v1/namespaces/fuzz/configmaps", config_map("a"), expect=201)
        await self.world.client.create(DEPLOYMENTS, deployment(), namespace="fuzz")

    async def answer(self, sent: Sent) -> tuple[int, str, bytes]:
        url = URL(f"https://127.0.0.1:{self.world.server.port}").join(URL.build(path=sent.path, query=sent.query))
        timeout = aiohttp.ClientTimeout(total=20)
        async with self.world.session.request(
            sent.method, url, data=sent.body or None, headers=sent.headers, timeout=timeout
        ) as answer:
            return answer.status, answer.content_type, await answer.read()


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    surface = Surface(tmp_path_factory.mktemp("api"))
    yield surface
    surface.close()


def check(surface: Surface, sent: Sent) -> None:
    status, content_type, body = surface.run(surface.answer(sent))
    assert status < 500 or status == NOT_SERVED, body
    if sent.method == "HEAD":
        return
    if status >= 400:
        found = json.loads(body)
        assert content_type == "application/json"
        assert (found["kind"], found["status"], found["code"]) == ("Status", "Failure", status)
        assert found["message"]
        assert found["reason"]


SETTINGS = settings(
    max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


@SETTINGS
@given(sent=REQUESTS)
def test_any_request(surface, sent):
    check(surface, sent)


@SETTINGS
@given(sent=PATCHES)
def test_any_patch(surface, sent):
    check(surface, sent)


@SETTINGS
@given(sent=CREATIONS)
def test_any_creation(surface, sent):
    check(surface, sent)


def test_and_the_server_is_well_afterwards(surface):
    for method, path in (("GET", "/readyz"), ("GET", "/api/v1/pods"), ("DELETE", "/api/v1/namespaces/fuzz/configmaps")):
        status, _, body = surface.run(surface.answer(Sent(method, path, {}, {})))
        assert status == 200, body
