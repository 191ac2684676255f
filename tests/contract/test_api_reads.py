"""Reading over HTTPS: lists in pages, watches, tables, logs, discovery."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
from api_server_world import World, config_map, deployment, pod, running

from grandstand.api.measured import MEASURED
from grandstand.client import WriteOptions
from grandstand.errors import Expired
from grandstand.kinds.resources import CONFIG_MAPS, RESOURCES

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
MERGE = "application/merge-patch+json"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def maps(world: World) -> str:
    return f"/api/v1/namespaces/{await world.namespace()}/configmaps"


class Watch:
    """A watch whose events are read one by one."""

    def __init__(self, answer) -> None:
        self._answer = answer

    async def next(self) -> dict:
        return json.loads(await asyncio.wait_for(self._answer.content.readline(), 10))

    async def brief(self) -> tuple[str, str]:
        event = await self.next()
        return event["type"], event["object"]["metadata"]["name"]


class Watching:
    def __init__(self, world: World, path: str, query: str = "", **headers: str) -> None:
        self._request = world.session.get(f"{path}?watch=1&{query}", headers=headers)

    async def __aenter__(self) -> Watch:
        answer = await self._request.__aenter__()
        assert answer.status == 200, await answer.text()
        return Watch(answer)

    async def __aexit__(self, *exc: object) -> None:
        await self._request.__aexit__(*exc)


def names(listed: dict) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


async def make(world: World, maps: str, *wanted: str, **labels: str) -> list[dict]:
    return [(await world.ask("POST", maps, config_map(name, labels=labels), expect=201))[1] for name in wanted]


class TestList:
    async def test_selectors(self, world, maps):
        await make(world, maps, "a", "b", tier="front")
        await make(world, maps, "c", tier="back")
        for query, expected in (
            ("labelSelector=tier%3Dfront", ["a", "b"]),
            ("labelSelector=tier+notin+(front)", ["c"]),
            ("fieldSelector=metadata.name%3Db", ["b"]),
            ("fieldSelector=metadata.name!%3Db&labelSelector=tier%3Dfront", ["a"]),
        ):
            _, listed = await world.ask("GET", f"{maps}?{query}", expect=200)
            assert names(listed) == expected, query

    async def test_what_cannot_be_selected_by(self, world, maps):
        _, status = await world.ask("GET", f"{maps}?fieldSelector=data.a%3D1", expect=400)
        assert status["message"] == 'field label not supported: "data.a"'

    async def test_pages_show_the_list_as_it_was_when_it_began(self, world, maps):
        await make(world, maps, "a", "b", "c", "d", "e")
        _, first = await world.ask("GET", f"{maps}?limit=2", expect=200)
        assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 3)
        await make(world, maps, "bb", "z")
        await world.ask("DELETE", f"{maps}/d", expect=200)
        await world.ask("PATCH", f"{maps}/c", {"data": {"a": "2"}}, Content_Type=MERGE, expect=200)
        token = first["metadata"]["continue"]
        _, second = await world.ask("GET", f"{maps}?limit=2&continue={token}", expect=200)
        assert names(second) == ["c", "d"]
        assert second["items"][0]["data"] == {"a": "1"}
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        _, last = await world.ask("GET", f"{maps}?limit=2&continue={second['metadata']['continue']}", expect=200)
        assert names(last) == ["e"]
        assert "continue" not in last["metadata"]

    async def test_versions(self, world, maps):
        await make(world, maps, "a")
        _, listed = await world.ask("GET", maps, expect=200)
        version = listed["metadata"]["resourceVersion"]
        await make(world, maps, "b")
        for query, expected in (
            (f"resourceVersion={version}&resourceVersionMatch=Exact", ["a"]),
            (f"resourceVersion={version}&resourceVersionMatch=NotOlderThan", ["a", "b"]),
            (f"resourceVersion={version}", ["a", "b"]),
            ("resourceVersion=0", ["a", "b"]),
        ):
            _, listed = await world.ask("GET", f"{maps}?{query}", expect=200)
            assert names(listed) == expected, query

    async def test_a_version_of_the_future(self, world, maps):
        _, status = await world.ask("GET", f"{maps}?resourceVersion=999999999", expect=504)
        assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"

    @pytest.mark.parametrize(
        "query",
        ["resourceVersion=x", "continue=x", "limit=-1", "resourceVersionMatch=Exact", "labelSelector=%3D", "limit=x"],
    )
    async def test_malformed(self, world, maps, query):
        await world.ask("GET", f"{maps}?{query}", expect=400)


class TestShapes:
    async def test_table(self, world, maps):
        await make(world, maps, "a", "b")
        _, table = await world.ask("GET", maps, Accept=TABLE, expect=200)
        assert table["kind"] == "Table"
        assert [row["cells"][:2] for row in table["rows"]] == [["a", 1], ["b", 1]]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        _, whole = await world.ask("GET", f"{maps}/a?includeObject=Object", Accept=TABLE, expect=200)
        assert whole["rows"][0]["object"]["kind"] == "ConfigMap"

    async def test_metadata_only(self, world, maps):
        await make(world, maps, "a")
        _, listed = await world.ask("GET", maps, Accept=METADATA, expect=200)
        assert listed["kind"] == "PartialObjectMetadataList"
        assert listed["items"][0].keys() == {"kind", "apiVersion", "metadata"}

    async def test_not_acceptable(self, world, maps):
        await world.ask("GET", maps, Accept="application/vnd.kubernetes.protobuf", expect=406)


class TestWatch:
    async def test_from_a_version(self, world, maps):
        (first,) = await make(world, maps, "a")
        await make(world, maps, "b")
        async with Watching(world, maps, f"resourceVersion={first['metadata']['resourceVersion']}") as watch:
            assert await watch.brief() == ("ADDED", "b")
            await world.ask("PATCH", f"{maps}/a", {"data": {"a": "2"}}, Content_Type=MERGE, expect=200)
            assert await watch.brief() == ("MODIFIED", "a")
            await world.ask("DELETE", f"{maps}/a", expect=200)
            gone = await watch.next()
            assert (gone["type"], gone["object"]["data"]) == ("DELETED", {"a": "2"})

    @pytest.mark.parametrize("query", ["", "resourceVersion=0"], ids=["unset", "zero"])
    async def test_from_what_is(self, world, maps, query):
        await make(world, maps, "a", "b")
        async with Watching(world, maps, query) as watch:
            assert [await watch.brief(), await watch.brief()] == [("ADDED", "a"), ("ADDED", "b")]
            await make(world, maps, "c")
            assert await watch.brief() == ("ADDED", "c")

    async def test_streaming_list_marks_its_end(self, world, maps):
        await make(world, maps, "a")
        query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with Watching(world, maps, query) as watch:
            assert await watch.brief() == ("ADDED", "a")
            mark = await watch.next()
            assert mark["type"] == "BOOKMARK"
            assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            assert int(mark["object"]["metadata"]["resourceVersion"]) >= 1
            await make(world, maps, "b")
            assert await watch.brief() == ("ADDED", "b")

    async def test_streaming_list_needs_its_match(self, world, maps):
        _, status = await world.ask("GET", f"{maps}?watch=1&sendInitialEvents=true", expect=422)
        assert "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" in status["message"]

    async def test_objects_come_into_a_selection_and_leave_it(self, world, maps):
        await make(world, maps, "a", tier="front")
        async with Watching(world, maps, "labelSelector=tier%3Dback") as watch:
            for tier in ("back", "front"):
                patch = {"metadata": {"labels": {"tier": tier}}}
                await world.ask("PATCH", f"{maps}/a", patch, Content_Type=MERGE, expect=200)
            assert await watch.brief() == ("ADDED", "a")
            left = await watch.next()
            assert (left["type"], left["object"]["metadata"]["labels"]) == ("DELETED", {"tier": "back"})
            _, now = await world.ask("GET", f"{maps}/a", expect=200)
            assert left["object"]["metadata"]["resourceVersion"] == now["metadata"]["resourceVersion"]

    async def test_one_object(self, world, maps):
        await make(world, maps, "a", "b")
        async with Watching(world, f"{maps}/b") as watch:
            assert await watch.brief() == ("ADDED", "b")

    async def test_tables_name_their_columns_once(self, world, maps):
        await make(world, maps, "a", "b")
        async with Watching(world, maps, Accept=TABLE) as watch:
            await make(world, maps, "c")
            events = [(await watch.next())["object"] for _ in range(3)]
            assert [event["rows"][0]["cells"][0] for event in events] == ["a", "b", "c"]
            assert [event["columnDefinitions"] is None for event in events] == [False, True, True]

    async def test_too_old_is_said_in_the_stream(self, world, maps):
        async with Watching(world, maps, "resourceVersion=999999999") as watch:
            error = await watch.next()
            assert (error["type"], error["object"]["code"]) == ("ERROR", 410)

    async def test_ends_in_time_with_a_bookmark(self, world, maps):
        async with Watching(world, maps, "resourceVersion=1&timeoutSeconds=1&allowWatchBookmarks=true") as watch:
            mark = await watch.next()
            assert (mark["type"], mark["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
            assert await asyncio.wait_for(watch._answer.content.read(), 10) == b""

    async def test_many_watchers_see_everything_in_order(self, world, maps):
        async def follow(watch: Watch) -> list[str]:
            return [(await watch.brief())[1] for _ in range(40)]

        watchings = [Watching(world, maps) for _ in range(20)]
        watches = [await watching.__aenter__() for watching in watchings]
        followers = [asyncio.create_task(follow(watch)) for watch in watches]
        expected = [f"n{i:02}" for i in range(40)]
        await make(world, maps, *expected)
        assert await asyncio.gather(*followers) == [expected] * 20
        for watching in watchings:
            await watching.__aexit__(None, None, None)

    async def test_a_client_that_leaves_ends_its_watch(self, world, maps):
        before = len(world.server._front._lasting)
        async with Watching(world, maps) as watch:
            await make(world, maps, "a")
            await watch.next()
            assert len(world.server._front._lasting) == before + 1
            watch._answer.close()
        async with asyncio.timeout(10):
            while len(world.server._front._lasting) > before:
                await world.ask("GET", "/version")


class TestEmbedded:
    async def test_sees_what_http_writes(self, world, maps):
        namespace = maps.split("/")[4]
        listed = await world.client.list(CONFIG_MAPS, namespace, limit=1)
        events = world.client.watch(CONFIG_MAPS, namespace, resource_version=listed.resource_version)
        await make(world, maps, "b")
        first = await anext(events)
        assert (first.type, first.object) == ("ADDED", await world.client.get(CONFIG_MAPS, namespace, "b"))
        await make(world, maps, "c")
        assert (await anext(events)).object is await world.client.get(CONFIG_MAPS, namespace, "c")
        await events.aclose()

    async def test_expired(self, world, maps):
        with pytest.raises(Expired):
            await anext(world.client.watch(CONFIG_MAPS, resource_version="999999999"))

    async def test_warnings_go_to_their_caller(self, world, maps):
        options = WriteOptions(warnings=[])
        body = {**config_map("w"), "dta": {}}
        await world.client.create(CONFIG_MAPS, body, namespace=maps.split("/")[4], options=options)
        assert options.warnings == ['unknown field "dta"']


class TestLogs:
    async def test_options_reach_the_node(self, world):
        pods = f"/api/v1/namespaces/{await world.namespace()}/pods"
        await world.ask("POST", pods, pod("a"), expect=201)
        query = "container=main&tailLines=5&timestamps=true&limitBytes=100&previous=true"
        _, text = await world.ask("GET", f"{pods}/a/log?{query}", expect=200)
        assert text == "one\ntwo\nthree\n"
        asked = world.logs.asked[-1]
        assert (asked.container, asked.tail, asked.timestamps, asked.limit_bytes, asked.previous, asked.follow) == (
            "main",
            5,
            True,
            100,
            True,
            False,
        )

    async def test_what_is_wrong_is_answered_as_a_status(self, world):
        pods = f"/api/v1/namespaces/{await world.namespace()}/pods"
        _, status = await world.ask("GET", f"{pods}/a/log", expect=404)
        assert status["message"] == 'pods "a" not found'
        await world.ask("POST", pods, pod("a"), expect=201)
        _, status = await world.ask("GET", f"{pods}/a/log?container=missing", expect=400)
        assert "container missing is not valid" in status["message"]
        await world.ask("GET", f"{pods}/a/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", expect=400)

    async def test_a_followed_log_opens_before_its_first_line(self, world):
        pods = f"/api/v1/namespaces/{await world.namespace()}/pods"
        await world.ask("POST", pods, pod("waiting"), expect=201)
        async with asyncio.timeout(10), world.session.get(f"{pods}/waiting/log?follow=true") as answer:
            assert answer.status == 200
            world.logs.more.set()
            assert await answer.text() == "one\ntwo\nthree\n"


class TestDiscovery:
    async def test_every_resource_that_is_listed_can_be_listed(self, world):
        _, groups = await world.ask("GET", "/apis", expect=200)
        roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups["groups"])]
        seen = 0
        for root in roots:
            _, found = await world.ask("GET", f"{root}/", expect=200)
            for resource in found["resources"]:
                if "list" in resource["verbs"]:
                    await world.ask("GET", f"{root}/{resource['name']}", expect=200)
                    seen += 1
        assert seen == len(RESOURCES) + len(MEASURED)

    @pytest.mark.parametrize(("path", "groups"), [("/api", [None]), ("/apis", ["apps", "autoscaling"])])
    async def test_aggregated(self, world, path, groups):
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        async with world.session.get(path, headers={"Accept": accept}) as answer:
            found = await answer.json()
            assert "as=APIGroupDiscoveryList" in answer.headers["Content-Type"]
        assert {group["metadata"].get("name") for group in found["items"]} >= set(groups)

    async def test_openapi(self, world):
        _, index = await world.ask("GET", "/openapi/v3", expect=200)
        _, document = await world.ask("GET", index["paths"]["apis/apps/v1"]["serverRelativeURL"], expect=200)
        assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}" in document["paths"]
        _, second = await world.ask("GET", "/openapi/v2", expect=200)
        assert second["swagger"] == "2.0"
        await world.ask("GET", "/openapi/v2", Accept="application/com.github.proto", expect=406)

    async def test_root_lists_paths(self, world):
        _, found = await world.ask("GET", "/", expect=200)
        assert "/apis/apps/v1" in found["paths"]


class TestReviews:
    async def test_access(self, world):
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        asked = {"resourceAttributes": {"verb": "get", "resource": "pods"}}
        _, answer = await world.ask("POST", path, {"spec": asked}, expect=201)
        assert answer["status"]["allowed"] is True
        await world.ask("POST", path, {"spec": {}}, expect=400)
        await world.ask("GET", path, expect=405)

    async def test_rules_and_self(self, world):
        rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        _, answer = await world.ask("POST", rules, {"spec": {"namespace": "default"}}, expect=201)
        assert answer["status"]["resourceRules"][0]["verbs"] == ["*"]
        _, answer = await world.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, expect=201)
        assert answer["status"]["userInfo"]["username"] == "admin"


async def test_scale_of_a_replica_set(world):
    path = f"/apis/apps/v1/namespaces/{await world.namespace()}/replicasets"
    body = {**deployment(), "kind": "ReplicaSet"}
    await world.ask("POST", path, body, expect=201)
    _, scale = await world.ask("GET", f"{path}/web/scale", expect=200)
    assert scale["apiVersion"] == "autoscaling/v1"
