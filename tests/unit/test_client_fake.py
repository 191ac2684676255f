"""The fake API behaves as the real one where controllers, the node and the gateway rely on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grandstand.client import DeleteOptions, EventType, PatchType, Propagation, WatchEvent
from grandstand.client.fake import FakeClient, merged
from grandstand.clock import VirtualClock
from grandstand.errors import AlreadyExists, BadRequest, Conflict, Expired, NotFound, UnsupportedMediaType
from grandstand.kinds import Object, uid_of
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(VirtualClock())


def named(name: str, **more: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "default"} | more.pop("meta", {})} | more


async def test_metadata_is_filled_in(client: FakeClient) -> None:
    made = await client.create(CONFIG_MAPS, {"metadata": {"generateName": "a-", "namespace": "default"}})
    meta = made["metadata"]
    assert (made["apiVersion"], made["kind"], meta["generation"], meta["resourceVersion"]) == (
        "v1",
        "ConfigMap",
        1,
        "1",
    )
    assert meta["name"].startswith("a-")
    assert len(meta["name"]) == 7
    assert await client.get(CONFIG_MAPS, "default", meta["name"]) == made


async def test_refusals(client: FakeClient) -> None:
    made = await client.create(CONFIG_MAPS, named("a"))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIG_MAPS, named("a"))
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "default", "b")
    await client.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "y"}})
    with pytest.raises(Conflict):
        await client.update(CONFIG_MAPS, made)
    with pytest.raises(Conflict):
        await client.patch(CONFIG_MAPS, "default", "a", {"metadata": {"resourceVersion": "1"}})
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, "default", "a", DeleteOptions(uid="other"))
    with pytest.raises(UnsupportedMediaType):
        await client.patch(CONFIG_MAPS, "default", "a", [], PatchType.JSON)


async def test_status_and_the_rest_are_apart(client: FakeClient) -> None:
    await client.create(DEPLOYMENTS, named("a", spec={"replicas": 1}, status={"replicas": 1}))
    both = {"spec": {"replicas": 2}, "status": {"replicas": 2}}
    after = await client.patch(DEPLOYMENTS, "default", "a", both, subresource="status")
    assert (after["spec"], after["status"], after["metadata"]["generation"]) == ({"replicas": 1}, {"replicas": 2}, 1)
    after = await client.patch(DEPLOYMENTS, "default", "a", {"spec": {"replicas": 3}, "status": {"replicas": 3}})
    assert (after["spec"], after["status"], after["metadata"]["generation"]) == ({"replicas": 3}, {"replicas": 2}, 2)
    again = await client.patch(DEPLOYMENTS, "default", "a", {"spec": {"replicas": 3}})
    assert again["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


async def test_lists_select_and_come_in_parts(client: FakeClient) -> None:
    for name in "abc":
        await client.create(CONFIG_MAPS, named(name, meta={"labels": {"is": name}}))
    first = await client.list(CONFIG_MAPS, limit=2)
    second = await client.list(CONFIG_MAPS, limit=2, continue_token=first.continue_token)
    assert [len(first.items), len(second.items), second.continue_token] == [2, 1, ""]
    assert len((await client.list(CONFIG_MAPS, labels="is in (a,b)")).items) == 2
    assert len((await client.list(CONFIG_MAPS, fields="metadata.name!=a")).items) == 2
    assert (await client.list(CONFIG_MAPS, "other")).items == []


async def test_watches_tell_history_selected_changes_and_expire(client: FakeClient) -> None:
    heard: list[WatchEvent] = []

    async def listen() -> None:
        async for event in client.watch(CONFIG_MAPS, labels="seen=yes", resource_version="0"):
            heard.append(event)  # noqa: PERF401 - a watch has no end

    await client.create(CONFIG_MAPS, named("a"))
    task = asyncio.create_task(listen())
    for value in ("yes", "no"):
        await client.patch(CONFIG_MAPS, "default", "a", {"metadata": {"labels": {"seen": value}}})
        await asyncio.sleep(0)
    await client.create(CONFIG_MAPS, named("b", meta={"labels": {"seen": "yes"}}))
    await client.delete(CONFIG_MAPS, "default", "b")
    await asyncio.sleep(0)
    assert [event.type for event in heard] == [EventType.ADDED, EventType.DELETED, EventType.ADDED, EventType.DELETED]
    task.cancel()
    client.compact()
    with pytest.raises(Expired):
        await anext(aiter(client.watch(CONFIG_MAPS, resource_version="1")))


async def test_finalizers_hold(client: FakeClient) -> None:
    await client.create(CONFIG_MAPS, named("a"))
    marked = await client.delete(CONFIG_MAPS, "default", "a", DeleteOptions(propagation=Propagation.FOREGROUND))
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert "deletionTimestamp" in (await client.get(CONFIG_MAPS, "default", "a"))["metadata"]
    await client.patch(CONFIG_MAPS, "default", "a", {"metadata": {"finalizers": None}})
    assert client.all(CONFIG_MAPS) == []


async def test_pods_are_bound_once_and_end_with_a_grace_of_zero(client: FakeClient) -> None:
    pod = await client.create(PODS, named("a", spec={}))
    binding = {"metadata": {"uid": uid_of(pod)}, "target": {"name": "here"}}
    await client.create(PODS, binding, namespace="default", subresource="binding", name="a")
    with pytest.raises(Conflict):
        await client.create(PODS, binding, namespace="default", subresource="binding", name="a")
    with pytest.raises(BadRequest):
        await client.create(PODS, {}, namespace="default", subresource="eviction", name="a")
    marked = await client.delete(PODS, "default", "a")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    await client.patch(PODS, "default", "a", {"status": {"phase": "Failed"}}, subresource="status")
    assert len(client.all(PODS)) == 1
    await client.delete(PODS, "default", "a", DeleteOptions(grace_seconds=0))
    assert client.all(PODS) == []


async def test_namespaces_wait_to_be_finalized(client: FakeClient) -> None:
    await client.create(NAMESPACES, {"metadata": {"name": "a"}})
    marked = await client.delete(NAMESPACES, "", "a")
    assert marked["status"]["phase"] == "Terminating"
    await client.update(NAMESPACES, marked | {"spec": {"finalizers": []}}, subresource="finalize")
    assert client.all(NAMESPACES) == []


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {"a": {"b": None}}, {"a": {}}),
    ],
    ids=["adds", "removes", "replaces lists", "replaces what is no object"],
)
def test_merge_patch(target: Object, patch: Object, result: Object) -> None:
    assert merged(target, patch) == result
