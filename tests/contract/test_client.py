"""One suite for every `Client`: in process, over HTTPS, and the fake that tests use instead of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass

import pytest
import pytest_asyncio
from api_server_world import config_map, deployment, pod, running

from grandstand.client import Client, DeleteOptions, EventType, PatchType, Propagation, WatchEvent, WriteOptions
from grandstand.client.fake import FakeClient
from grandstand.client.remote import RemoteClient
from grandstand.errors import AlreadyExists, BadRequest, CallerError, Conflict, Expired, Invalid, NotFound
from grandstand.kinds import Object, Resource, uid_of
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, NODES, PODS

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = itertools.count()


@dataclass(frozen=True)
class Api:
    """A client, and a namespace of the test's own."""

    client: Client
    namespace: str

    async def make(self, obj: Object, resource: Resource = CONFIG_MAPS, **metadata: object) -> Object:
        obj = {**obj, "metadata": {"namespace": self.namespace, **obj["metadata"], **metadata}}
        return await self.client.create(resource, obj)

    async def names(self, **options: object) -> list[str]:
        return [
            obj["metadata"]["name"] for obj in (await self.client.list(CONFIG_MAPS, self.namespace, **options)).items
        ]

    async def merge(self, resource: Resource, name: str, patch: Object, subresource: str = "") -> Object:
        return await self.client.patch(resource, self.namespace, name, patch, subresource=subresource)


@asynccontextmanager
async def clients(data, history: int = 20_000) -> AsyncIterator[dict[str, Client]]:
    async with running(data, history) as world, RemoteClient.from_kubeconfig(world.engine.kubeconfig) as remote:
        yield {"embedded": world.client, "remote": remote}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory):
    async with clients(tmp_path_factory.mktemp("api")) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forgetful(tmp_path_factory):
    """Of servers that remember three changes."""
    async with clients(tmp_path_factory.mktemp("api"), history=3) as served:
        yield served


async def _api(client: Client) -> Api:
    name = f"test-{next(_numbers)}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return Api(client, name)


@pytest_asyncio.fixture(params=["embedded", "remote", "fake"], loop_scope="module")
async def api(request, served) -> Api:
    return await _api(FakeClient() if request.param == "fake" else served[request.param])


@pytest_asyncio.fixture(params=["embedded", "remote"], loop_scope="module")
async def real(request, served) -> Api:
    """Clients of the API server: with defaults, checks, and what else the fake leaves out."""
    return await _api(served[request.param])


class Watching:
    """A watch that is read event by event."""

    def __init__(self, events: AsyncIterator[WatchEvent]) -> None:
        self._events = events

    async def next(self) -> WatchEvent:
        async with asyncio.timeout(10):
            return await anext(self._events)

    async def brief(self, count: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(count)]
        return [(event.type.value, event.object["metadata"]["name"]) for event in events]


@asynccontextmanager
async def watching(api: Api, **options: object) -> AsyncIterator[Watching]:
    events = api.client.watch(CONFIG_MAPS, api.namespace, **options)
    try:
        yield Watching(events)
    finally:
        await events.aclose()


def version_of(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


class TestCreate:
    async def test_gives_identity(self, api):
        made = await api.make(config_map("a"))
        meta = made["metadata"]
        assert (made["apiVersion"], made["kind"], made["data"]) == ("v1", "ConfigMap", {"a": "1"})
        assert (meta["name"], meta["namespace"]) == ("a", api.namespace)
        assert meta["uid"]
        assert meta["creationTimestamp"].endswith("Z")
        assert int(meta["resourceVersion"]) > 0
        assert await api.client.get(CONFIG_MAPS, api.namespace, "a") == made

    async def test_in_the_namespace_that_is_named_beside(self, api):
        made = await api.client.create(CONFIG_MAPS, config_map("a"), namespace=api.namespace)
        assert made["metadata"]["namespace"] == api.namespace

    async def test_is_a_copy_of_what_was_sent(self, api):
        sent = {**config_map("a"), "metadata": {"name": "a", "namespace": api.namespace, "labels": {"l": "1"}}}
        before = deepcopy(sent)
        await api.client.create(CONFIG_MAPS, sent)
        assert sent == before
        sent["data"]["a"] = sent["metadata"]["labels"]["l"] = "another"
        found = await api.client.get(CONFIG_MAPS, api.namespace, "a")
        assert (found["data"], found["metadata"]["labels"]) == ({"a": "1"}, {"l": "1"})

    async def test_generates_names(self, api):
        made = [await api.make({"metadata": {"generateName": "job-"}}) for _ in range(3)]
        names = {obj["metadata"]["name"] for obj in made}
        assert len(names) == 3
        assert all(name.startswith("job-") and len(name) == 9 for name in names)

    async def test_refusals(self, api):
        await api.make(config_map("a"))
        with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
            await api.make(config_map("a"))
        with pytest.raises(Invalid, match="name or generateName is required"):
            await api.make({"metadata": {}})
        with pytest.raises(BadRequest, match="namespace"):
            await api.client.create(CONFIG_MAPS, config_map("a"))

    async def test_the_shared_default_options_collect_nothing(self, real):
        await real.make({**config_map("a"), "dta": {}})
        options = WriteOptions()
        await real.client.create(CONFIG_MAPS, config_map("b"), namespace=real.namespace, options=options)
        assert options.warnings == []


class TestWhatIsNotThere:
    @pytest.mark.parametrize("call", ["get", "update", "patch", "delete"])
    async def test_is_not_found(self, api, call):
        calls = {
            "get": lambda: api.client.get(CONFIG_MAPS, api.namespace, "none"),
            "update": lambda: api.client.update(CONFIG_MAPS, config_map("none", namespace=api.namespace)),
            "patch": lambda: api.merge(CONFIG_MAPS, "none", {}),
            "delete": lambda: api.client.delete(CONFIG_MAPS, api.namespace, "none"),
        }
        with pytest.raises(NotFound, match='configmaps "none" not found'):
            await calls[call]()

    @pytest.mark.parametrize("call", ["get", "update", "patch", "delete"])
    @pytest.mark.parametrize(("named", "placed"), [(False, True), (True, False)], ids=["no name", "no namespace"])
    async def test_nothing_is_done_without_a_full_name(self, api, call, named, placed):
        await api.make(config_map("a"))
        namespace, name = api.namespace if placed else "", "a" if named else ""
        calls = {
            "get": lambda: api.client.get(CONFIG_MAPS, namespace, name),
            "update": lambda: api.client.update(CONFIG_MAPS, {"metadata": {"name": name, "namespace": namespace}}),
            "patch": lambda: api.client.patch(CONFIG_MAPS, namespace, name, {}),
            "delete": lambda: api.client.delete(CONFIG_MAPS, namespace, name),
        }
        with pytest.raises(BadRequest):
            await calls[call]()
        assert await api.names() == ["a"]

    @pytest.mark.parametrize("subresource", ["scale", "status", "nonsense"])
    async def test_subresources_that_a_resource_has_not(self, api, subresource):
        await api.make(config_map("a"))
        with pytest.raises(CallerError):
            await api.client.get(CONFIG_MAPS, api.namespace, "a", subresource=subresource)
        with pytest.raises(CallerError):
            await api.merge(CONFIG_MAPS, "a", {"status": {"replicas": 1}}, subresource)
        assert "status" not in await api.client.get(CONFIG_MAPS, api.namespace, "a")


class TestList:
    @pytest.mark.parametrize(
        ("selector", "found"),
        [
            ("", ["a", "b", "c"]),
            ("tier=front", ["a"]),
            ("tier!=front", ["b", "c"]),
            ("tier in (front,back)", ["a", "b"]),
            ("tier notin (front),tier", ["b"]),
            ("!tier", ["c"]),
        ],
    )
    async def test_by_label(self, api, selector, found):
        await api.make(config_map("b", labels={"tier": "back"}))
        await api.make(config_map("a", labels={"tier": "front"}))
        await api.make(config_map("c"))
        assert await api.names(labels=selector) == found

    async def test_by_field(self, api):
        for name in "ab":
            await api.make(config_map(name))
        assert await api.names(fields="metadata.name=b") == ["b"]
        assert await api.names(fields="metadata.name!=b") == ["a"]

    async def test_of_one_namespace_or_all(self, api):
        other = await _api(api.client)
        await api.make(config_map("a"))
        await other.make(config_map("a"))
        assert await api.names() == ["a"]
        everywhere = (await api.client.list(CONFIG_MAPS)).items
        assert {api.namespace, other.namespace} <= {obj["metadata"]["namespace"] for obj in everywhere}

    async def test_of_what_has_no_namespace(self, api):
        assert api.namespace in [obj["metadata"]["name"] for obj in (await api.client.list(NAMESPACES)).items]
        assert (await api.client.list(NODES)).items == []

    @pytest.mark.parametrize("options", [{"labels": "a b c"}, {"fields": "nonsense"}], ids=["labels", "fields"])
    async def test_selectors_that_are_none(self, api, options):
        with pytest.raises(BadRequest):
            await api.client.list(CONFIG_MAPS, api.namespace, **options)
        with pytest.raises(BadRequest):
            await anext(api.client.watch(CONFIG_MAPS, api.namespace, **options))

    async def test_items_name_their_kind(self, api):
        made = await api.make(config_map("a"))
        found = await api.client.list(CONFIG_MAPS, api.namespace)
        assert found.items == [made]
        assert int(found.resource_version) >= int(version_of(made))

    async def test_pages_are_of_one_moment(self, api):
        for name in "abcde":
            await api.make(config_map(name))
        list_ = api.client.list
        first = await list_(CONFIG_MAPS, api.namespace, limit=2)
        await api.client.delete(CONFIG_MAPS, api.namespace, "d")
        await api.make(config_map("f"))
        second = await list_(CONFIG_MAPS, api.namespace, limit=2, continue_token=first.continue_token)
        third = await list_(CONFIG_MAPS, api.namespace, limit=2, continue_token=second.continue_token)
        pages = [[obj["metadata"]["name"] for obj in page.items] for page in (first, second, third)]
        assert pages == [["a", "b"], ["c", "d"], ["e"]]
        assert third.continue_token == ""
        assert first.resource_version == second.resource_version == third.resource_version

    async def test_pages_expire(self, forgotten):
        api, forget = forgotten
        for name in "ab":
            await api.make(config_map(name))
        first = await api.client.list(CONFIG_MAPS, api.namespace, limit=1)
        await forget()
        with pytest.raises(Expired):
            await api.client.list(CONFIG_MAPS, api.namespace, limit=1, continue_token=first.continue_token)


@pytest_asyncio.fixture(params=["embedded", "remote", "fake"], loop_scope="module")
async def forgotten(request, forgetful):
    """A client, and what makes its server forget what was before."""
    if request.param == "fake":
        fake = FakeClient()

        async def forget() -> None:
            await fake.create(NAMESPACES, {"metadata": {"name": "later"}})
            fake.compact()

        return await _api(fake), forget
    api = await _api(forgetful[request.param])

    async def forget() -> None:
        for number in range(4):
            await api.make(config_map(f"later-{number}"))

    return api, forget


class TestWatch:
    async def test_from_the_version_of_a_list(self, api):
        first = await api.make(config_map("a"))
        listed = await api.client.list(CONFIG_MAPS, api.namespace)
        await api.make(config_map("b"))
        changed = await api.merge(CONFIG_MAPS, "a", {"data": {"a": "2"}})
        await api.client.delete(CONFIG_MAPS, api.namespace, "a")
        async with watching(api, resource_version=listed.resource_version) as watch:
            assert await watch.brief(1) == [("ADDED", "b")]
            modified, gone = await watch.next(), await watch.next()
        assert (modified.type, modified.object) == (EventType.MODIFIED, changed)
        assert (gone.type, gone.object["data"], uid_of(gone.object)) == (
            EventType.DELETED,
            {"a": "2"},
            first["metadata"]["uid"],
        )
        versions = [int(version_of(obj)) for obj in (first, modified.object, gone.object)]
        assert versions == sorted(set(versions)), "a deletion has a version of its own, to go on from"

    @pytest.mark.parametrize("version", ["", "0"], ids=["unset", "zero"])
    async def test_without_a_version_begins_with_what_is(self, api, version):
        for name in ("b", "a"):
            await api.make(config_map(name))
        async with watching(api, resource_version=version) as watch:
            assert await watch.brief(2) == [("ADDED", "a"), ("ADDED", "b")]
            await api.make(config_map("c"))
            assert await watch.brief(1) == [("ADDED", "c")]

    async def test_hears_of_changes_while_it_waits(self, api):
        version = (await api.client.list(CONFIG_MAPS, api.namespace)).resource_version
        async with watching(api, resource_version=version) as watch:
            waiting = asyncio.create_task(watch.brief(20))
            names = [f"n{number:02}" for number in range(20)]
            for name in names:
                await api.make(config_map(name))
            assert await waiting == [("ADDED", name) for name in names]

    async def test_objects_come_into_a_selection_and_leave_it(self, api):
        await api.make(config_map("a", labels={"tier": "front"}))
        version = (await api.client.list(CONFIG_MAPS, api.namespace)).resource_version
        for tier, data in (("back", "2"), ("back", "3"), ("front", "4")):
            await api.merge(CONFIG_MAPS, "a", {"metadata": {"labels": {"tier": tier}}, "data": {"a": data}})
        async with watching(api, labels="tier=back", resource_version=version) as watch:
            assert await watch.brief(2) == [("ADDED", "a"), ("MODIFIED", "a")]
            left = await watch.next()
        now = await api.client.get(CONFIG_MAPS, api.namespace, "a")
        assert (left.type, left.object["metadata"]["labels"], left.object["data"]) == (
            EventType.DELETED,
            {"tier": "back"},
            {"a": "3"},
        )
        assert version_of(left.object) == version_of(now)

    async def test_of_one_object(self, api):
        for name in "ab":
            await api.make(config_map(name))
        async with watching(api, fields="metadata.name=b") as watch:
            await api.make(config_map("c"))
            await api.merge(CONFIG_MAPS, "b", {"data": {"a": "2"}})
            assert await watch.brief(1) == [("ADDED", "b")]

    async def test_sees_only_its_namespace(self, api):
        other = await _api(api.client)
        version = (await api.client.list(CONFIG_MAPS, api.namespace)).resource_version
        await other.make(config_map("elsewhere"))
        await api.make(config_map("here"))
        async with watching(api, resource_version=version) as watch:
            assert await watch.brief(1) == [("ADDED", "here")]
        async with watching(Api(api.client, ""), resource_version=version) as watch:
            events = await watch.brief(2)
        assert [name for _, name in events if name != "kube-root-ca.crt"] == ["elsewhere", "here"]

    async def test_of_the_past_expires(self, forgotten):
        api, forget = forgotten
        version = version_of(await api.make(config_map("a")))
        await forget()
        with pytest.raises(Expired):
            await anext(api.client.watch(CONFIG_MAPS, api.namespace, resource_version=version))

    async def test_of_the_future_expires(self, api):
        with pytest.raises(Expired):
            await anext(api.client.watch(CONFIG_MAPS, api.namespace, resource_version="999999999"))


class TestUpdate:
    async def test_with_the_newest_version(self, api):
        made = await api.make(config_map("a"))
        after = await api.client.update(CONFIG_MAPS, {**made, "data": {"b": "2"}})
        assert after["data"] == {"b": "2"}
        assert uid_of(after) == uid_of(made)
        assert int(version_of(after)) > int(version_of(made))
        assert await api.client.get(CONFIG_MAPS, api.namespace, "a") == after

    async def test_with_an_old_version_or_of_another_object(self, api):
        made = await api.make(config_map("a"))
        await api.client.update(CONFIG_MAPS, {**made, "data": {"b": "2"}})
        with pytest.raises(Conflict):
            await api.client.update(CONFIG_MAPS, {**made, "data": {"c": "3"}})
        another = config_map("a", namespace=api.namespace, uid="00000000-0000-0000-0000-000000000000")
        with pytest.raises(Conflict):
            await api.client.update(CONFIG_MAPS, another)
        assert (await api.client.get(CONFIG_MAPS, api.namespace, "a"))["data"] == {"b": "2"}

    async def test_without_a_version_replaces(self, api):
        await api.make(config_map("a"))
        after = await api.client.update(CONFIG_MAPS, {**config_map("a", namespace=api.namespace), "data": {"b": "2"}})
        assert after["data"] == {"b": "2"}

    async def test_that_changes_nothing_writes_nothing(self, api):
        made = await api.make(config_map("a"))
        after = await api.client.update(CONFIG_MAPS, made)
        patched = await api.merge(CONFIG_MAPS, "a", {"data": {"a": "1"}})
        assert version_of(made) == version_of(after) == version_of(patched)

    async def test_of_many_at_once_lets_one_through(self, api):
        made = await api.make(config_map("a"))
        updates = [api.client.update(CONFIG_MAPS, {**made, "data": {"a": str(n)}}) for n in range(2, 12)]
        done = await asyncio.gather(*updates, return_exceptions=True)
        refused = [type(result) for result in done if isinstance(result, Exception)]
        assert refused == [Conflict] * 9

    async def test_identity_cannot_be_changed(self, api):
        made = await api.make(config_map("a"))
        stolen = {"creationTimestamp": "2001-01-01T00:00:00Z", "deletionTimestamp": "2001-01-01T00:00:00Z"}
        sent = {**made, "metadata": {**made["metadata"], **stolen}, "data": {"a": "2"}}
        after = await api.client.update(CONFIG_MAPS, sent)
        assert after["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
        assert "deletionTimestamp" not in after["metadata"]


class TestStatus:
    async def test_and_the_rest_are_kept_apart(self, api):
        made = await api.make(deployment("web"), DEPLOYMENTS)
        both = {"spec": {"replicas": 7}, "status": {"replicas": 3}}
        told = await api.merge(DEPLOYMENTS, "web", both, "status")
        assert (told["spec"]["replicas"], told["status"]["replicas"]) == (2, 3)
        assert told["metadata"]["generation"] == made["metadata"]["generation"] == 1
        scaled = await api.merge(DEPLOYMENTS, "web", {**both, "status": {"replicas": 9}})
        assert (scaled["spec"]["replicas"], scaled["status"]["replicas"]) == (7, 3)
        assert scaled["metadata"]["generation"] == 2
        sent = {**scaled, "spec": {**scaled["spec"], "replicas": 1}, "status": {"replicas": 4}}
        told = await api.client.update(DEPLOYMENTS, sent, subresource="status")
        assert (told["spec"]["replicas"], told["status"]["replicas"]) == (7, 4)
        assert await api.client.get(DEPLOYMENTS, api.namespace, "web", subresource="status") == told

    async def test_with_an_old_version(self, api):
        made = await api.make(deployment("web"), DEPLOYMENTS)
        await api.merge(DEPLOYMENTS, "web", {"status": {"replicas": 3}}, "status")
        with pytest.raises(Conflict):
            await api.client.update(DEPLOYMENTS, {**made, "status": {"replicas": 4}}, subresource="status")


class TestPatch:
    async def test_merge(self, api):
        await api.make(config_map("a", labels={"x": "1", "y": "2"}))
        patch = {"metadata": {"labels": {"x": None, "z": "3"}}, "data": {"b": "2"}}
        after = await api.merge(CONFIG_MAPS, "a", patch)
        assert after["metadata"]["labels"] == {"y": "2", "z": "3"}
        assert after["data"] == {"a": "1", "b": "2"}
        assert await api.client.get(CONFIG_MAPS, api.namespace, "a") == after

    async def test_with_an_old_version_or_of_another_object(self, api):
        made = await api.make(config_map("a"))
        await api.merge(CONFIG_MAPS, "a", {"data": {"a": "2"}})
        other = "00000000-0000-0000-0000-000000000000"
        for precondition in ({"resourceVersion": version_of(made)}, {"uid": other}):
            with pytest.raises(Conflict):
                await api.merge(CONFIG_MAPS, "a", {"metadata": precondition, "data": {"a": "3"}})
        assert (await api.client.get(CONFIG_MAPS, api.namespace, "a"))["data"] == {"a": "2"}

    async def test_json(self, real):
        await real.make(config_map("a"))
        patch = [
            {"op": "test", "path": "/data/a", "value": "1"},
            {"op": "add", "path": "/data/b", "value": "2"},
            {"op": "remove", "path": "/data/a"},
        ]
        after = await real.client.patch(CONFIG_MAPS, real.namespace, "a", patch, PatchType.JSON)
        assert after["data"] == {"b": "2"}
        with pytest.raises(Invalid):
            await real.client.patch(CONFIG_MAPS, real.namespace, "a", patch, PatchType.JSON)
        with pytest.raises(BadRequest):
            await real.client.patch(CONFIG_MAPS, real.namespace, "a", {"data": {}}, PatchType.JSON)

    async def test_strategic_merges_containers_by_name(self, real):
        await real.make(deployment("web"), DEPLOYMENTS)
        containers = [{"name": "side", "image": "side:v1"}, {"name": "main", "image": "app:v2"}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        after = await real.client.patch(DEPLOYMENTS, real.namespace, "web", patch, PatchType.STRATEGIC)
        images = {c["name"]: c["image"] for c in after["spec"]["template"]["spec"]["containers"]}
        assert images == {"main": "app:v2", "side": "side:v1"}
        delete = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
        after = await real.client.patch(DEPLOYMENTS, real.namespace, "web", delete, PatchType.STRATEGIC)
        assert [c["name"] for c in after["spec"]["template"]["spec"]["containers"]] == ["main"]

    async def test_apply_creates_owns_and_lets_go(self, real):
        async def apply(manager: str, data: Object, *, force: bool = False) -> Object:
            options = WriteOptions(manager=manager, force=force)
            body = {**config_map("a"), "data": data}
            return await real.client.patch(CONFIG_MAPS, real.namespace, "a", body, PatchType.APPLY, options=options)

        assert (await apply("one", {"a": "1", "b": "1"}))["data"] == {"a": "1", "b": "1"}
        with pytest.raises(Conflict, match=r'conflict with "one".*\.data\.a') as caught:
            await apply("two", {"a": "2"})
        assert [cause.field for cause in caught.value.causes] == [".data.a"]
        assert (await apply("two", {"a": "2"}, force=True))["data"] == {"a": "2", "b": "1"}
        after = await apply("one", {})
        assert after["data"] == {"a": "2"}
        assert {entry["manager"] for entry in after["metadata"]["managedFields"]} >= {"two"}


class TestDelete:
    async def test_gives_what_is_gone(self, api):
        made = await api.make(config_map("a"))
        gone = await api.client.delete(CONFIG_MAPS, api.namespace, "a")
        assert (gone["kind"], gone["metadata"]["name"], uid_of(gone)) == ("ConfigMap", "a", uid_of(made))
        with pytest.raises(NotFound):
            await api.client.get(CONFIG_MAPS, api.namespace, "a")

    async def test_preconditions(self, api):
        made = await api.make(config_map("a"))
        await api.merge(CONFIG_MAPS, "a", {"data": {"a": "2"}})
        for options in (DeleteOptions(uid="another"), DeleteOptions(resource_version=version_of(made))):
            with pytest.raises(Conflict):
                await api.client.delete(CONFIG_MAPS, api.namespace, "a", options)
        await api.client.delete(CONFIG_MAPS, api.namespace, "a", DeleteOptions(uid=uid_of(made)))
        assert await api.names() == []

    async def test_waits_for_finalizers(self, api):
        await api.make(config_map("a", finalizers=["example.com/one", "example.com/two"]))
        marked = await api.client.delete(CONFIG_MAPS, api.namespace, "a")
        assert marked["metadata"]["deletionTimestamp"]
        again = await api.client.delete(CONFIG_MAPS, api.namespace, "a")
        assert version_of(again) == version_of(marked)
        version = version_of(marked)
        await api.merge(CONFIG_MAPS, "a", {"metadata": {"finalizers": ["example.com/two"]}})
        assert await api.names() == ["a"]
        await api.merge(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}})
        assert await api.names() == []
        async with watching(api, resource_version=version) as watch:
            assert await watch.brief(2) == [("MODIFIED", "a"), ("DELETED", "a")]

    @pytest.mark.parametrize(
        ("propagation", "finalizers"),
        [
            (Propagation.ORPHAN, ["example.com/own", "orphan"]),
            (Propagation.FOREGROUND, ["example.com/own", "foregroundDeletion"]),
            (Propagation.BACKGROUND, ["example.com/own"]),
            (None, ["example.com/own"]),
        ],
    )
    async def test_propagation(self, api, propagation, finalizers):
        await api.make(deployment("web"), DEPLOYMENTS, finalizers=["example.com/own"])
        options = DeleteOptions(propagation=propagation)
        marked = await api.client.delete(DEPLOYMENTS, api.namespace, "web", options)
        assert marked["metadata"]["finalizers"] == finalizers
        assert marked["metadata"]["generation"] == 2
        other = DeleteOptions(propagation=Propagation.BACKGROUND)
        marked = await api.client.delete(DEPLOYMENTS, api.namespace, "web", other)
        assert marked["metadata"]["finalizers"] == ["example.com/own"]

    async def test_a_namespace_ends_when_it_is_finalized(self, api):
        marked = await api.client.delete(NAMESPACES, "", api.namespace)
        assert marked["status"]["phase"] == "Terminating"
        found = await api.client.get(NAMESPACES, "", api.namespace)
        assert found["spec"]["finalizers"] == ["kubernetes"]
        await api.client.update(NAMESPACES, {**found, "spec": {"finalizers": []}}, subresource="finalize")
        with pytest.raises(NotFound):
            await api.client.get(NAMESPACES, "", api.namespace)


class TestPods:
    async def bound(self, api: Api, name: str = "p") -> Object:
        made = await api.make(pod(name), PODS)
        await self.bind(api, made)
        return await api.client.get(PODS, api.namespace, name)

    async def bind(self, api: Api, of: Object, node: str = "here") -> None:
        binding = {"metadata": {"name": "p", "uid": uid_of(of)}, "target": {"kind": "Node", "name": node}}
        await api.client.create(
            PODS, binding, namespace=api.namespace, subresource="binding", name=of["metadata"]["name"]
        )

    async def test_are_bound_once(self, api):
        made = await self.bound(api)
        assert made["spec"]["nodeName"] == "here"
        scheduled = {c["type"]: c["status"] for c in made["status"]["conditions"]}
        assert scheduled["PodScheduled"] == "True"
        with pytest.raises(Conflict):
            await self.bind(api, made, "there")

    async def test_of_another_uid_are_not_bound(self, api):
        made = await api.make(pod("p"), PODS)
        made = {**made, "metadata": {**made["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}
        with pytest.raises(Conflict):
            await self.bind(api, made)

    async def test_that_run_get_their_grace(self, api):
        await self.bound(api)
        marked = await api.client.delete(PODS, api.namespace, "p")
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
        shorter = await api.client.delete(PODS, api.namespace, "p", DeleteOptions(grace_seconds=5))
        assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
        assert shorter["metadata"]["deletionTimestamp"] < marked["metadata"]["deletionTimestamp"]
        longer = await api.client.delete(PODS, api.namespace, "p", DeleteOptions(grace_seconds=60))
        assert longer["metadata"]["deletionGracePeriodSeconds"] == 5
        unchanged = await api.client.delete(PODS, api.namespace, "p")
        assert unchanged["metadata"]["deletionGracePeriodSeconds"] == 5
        await api.client.delete(PODS, api.namespace, "p", DeleteOptions(grace_seconds=0))
        with pytest.raises(NotFound):
            await api.client.get(PODS, api.namespace, "p")

    async def test_that_ended_or_never_ran_go_at_once(self, api):
        await api.make(pod("waiting"), PODS)
        await self.bound(api, "ended")
        await api.merge(PODS, "ended", {"status": {"phase": "Succeeded"}}, "status")
        for name in ("waiting", "ended"):
            await api.client.delete(PODS, api.namespace, name)
        assert (await api.client.list(PODS, api.namespace)).items == []

    async def test_are_evicted(self, real):
        await self.bound(real)
        eviction = {"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 0}}
        await real.client.create(PODS, eviction, namespace=real.namespace, subresource="eviction", name="p")
        assert (await real.client.list(PODS, real.namespace)).items == []


class TestDryRun:
    async def test_changes_nothing(self, api):
        made = await api.make(config_map("a"))
        dry = WriteOptions(dry_run=True)
        created = await api.client.create(CONFIG_MAPS, config_map("b"), namespace=api.namespace, options=dry)
        assert created["metadata"]["uid"]
        updated = await api.client.update(CONFIG_MAPS, {**made, "data": {"b": "2"}}, options=dry)
        assert updated["data"] == {"b": "2"}
        patched = await api.client.patch(CONFIG_MAPS, api.namespace, "a", {"data": {"c": "3"}}, options=dry)
        assert patched["data"] == {"a": "1", "c": "3"}
        await api.client.delete(CONFIG_MAPS, api.namespace, "a", DeleteOptions(dry_run=True))
        assert (await api.client.list(CONFIG_MAPS, api.namespace)).items == [made]

    async def test_refuses_what_would_be_refused(self, api):
        await api.make(config_map("a"))
        with pytest.raises(AlreadyExists):
            await api.client.create(
                CONFIG_MAPS, config_map("a"), namespace=api.namespace, options=WriteOptions(dry_run=True)
            )


class TestScale:
    async def test_a_patch_is_answered_with_the_scale_and_changes_the_object(self, api):
        await api.make(deployment("web"), DEPLOYMENTS)
        scale = await api.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 6}}, "scale")
        assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 6})
        found = await api.client.get(DEPLOYMENTS, api.namespace, "web")
        assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (6, 2)
        assert found["metadata"]["resourceVersion"] == scale["metadata"]["resourceVersion"]

    async def test_get_update_patch(self, real):
        await real.make(deployment("web"), DEPLOYMENTS)
        scale = await real.client.get(DEPLOYMENTS, real.namespace, "web", subresource="scale")
        assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 2}, "app=web")
        scale = await real.client.update(DEPLOYMENTS, {**scale, "spec": {"replicas": 5}}, subresource="scale")
        assert scale["spec"] == {"replicas": 5}
        scale = await real.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 6}}, "scale")
        assert scale["spec"] == {"replicas": 6}
        found = await real.client.get(DEPLOYMENTS, real.namespace, "web")
        assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (6, 3)


class TestChecks:
    async def test_every_cause_is_named(self, real):
        body = deployment("web", replicas=-1, selector={"matchLabels": {"app": "other"}})
        with pytest.raises(Invalid) as caught:
            await real.make(body, DEPLOYMENTS)
        fields = {cause.field: cause.reason for cause in caught.value.causes}
        assert fields.keys() == {"spec.replicas", "spec.template.metadata.labels"}

    @pytest.mark.parametrize(
        ("validation", "warnings"),
        [("Warn", ['unknown field "dta"']), ("Ignore", []), ("Strict", None)],
        ids=["warn", "ignore", "strict"],
    )
    async def test_unknown_fields(self, real, validation, warnings):
        options = WriteOptions(field_validation=validation, manager="me")
        body = {**config_map("a", namespace=real.namespace), "dta": {}}
        if warnings is None:
            with pytest.raises(BadRequest, match='strict decoding error: unknown field "dta"'):
                await real.client.create(CONFIG_MAPS, body, options=options)
            return
        made = await real.client.create(CONFIG_MAPS, body, options=options)
        assert "dta" not in made
        assert options.warnings == warnings
        assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["me"]
