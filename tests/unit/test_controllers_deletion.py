"""What goes when its owner, its namespace or its time is over."""

from __future__ import annotations

from typing import Any

import pytest
from controllers_world import NOW, World, deployment_json, owner, world

from grandstand.client import DeleteOptions, Propagation
from grandstand.clock import rfc3339
from grandstand.controllers import event_expiry
from grandstand.controllers.garbage_collector import Dependent, Node, Seen, reconcile
from grandstand.errors import NotFound
from grandstand.kinds import Key, Object
from grandstand.kinds.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    RESOURCES,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from grandstand.reconcile.actions import Again, Delete, InBatches, Patch

HERE = Node(CONFIG_MAPS, Key("default", "it"))


def thing(*owners: str, finalizers: tuple[str, ...] = (), deleting: bool = False, uid: str = "it") -> Object:
    references = [owner("Secret", name, name, "v1") | {"blockOwnerDeletion": True} for name in owners]
    meta: Object = {"name": uid, "namespace": "default", "uid": uid, "resourceVersion": "1"}
    meta |= {"ownerReferences": references, "finalizers": list(finalizers)}
    return {"metadata": meta | ({"deletionTimestamp": rfc3339(NOW)} if deleting else {})}


def seen(gone: str = "", waiting: str = "", dependents: tuple[Object, ...] = ()) -> Seen:
    below = tuple(Dependent(Node(PODS, Key("default", each["metadata"]["name"])), each) for each in dependents)
    return Seen(HERE, frozenset(gone.split()), frozenset(waiting.split()), below)


CHILD = thing("it", uid="child")


@pytest.mark.parametrize(
    ("wanted", "sight", "expected"),
    [
        (thing(), seen(), None),
        (thing("a"), seen(), None),
        (thing("a"), seen(gone="a"), Propagation.BACKGROUND),
        (thing("a", "b"), seen(gone="a b"), Propagation.BACKGROUND),
        (thing("a"), seen(waiting="a"), Propagation.BACKGROUND),
        (thing("a"), seen(waiting="a", dependents=(CHILD,)), Propagation.FOREGROUND),
        (thing("a"), seen(gone="a", dependents=(CHILD,)), Propagation.BACKGROUND),
        (thing("a", finalizers=("orphan",)), seen(gone="a"), Propagation.ORPHAN),
        (thing("a", deleting=True), seen(gone="a"), None),
    ],
    ids=[
        "no owner",
        "the owner lives",
        "the owner is gone",
        "all owners are gone",
        "the owner waits",
        "the owner waits, and there are dependents",
        "the owner is gone, and there are dependents",
        "asked for orphans",
        "goes already",
    ],
)
def test_deletion_with_owners(wanted: Object, sight: Seen, expected: Propagation | None) -> None:
    actions = reconcile(wanted, sight)
    assert actions == ([] if expected is None else [Delete(CONFIG_MAPS, HERE.key, "it", propagation=expected)])


def test_one_owner_of_two_is_enough() -> None:
    [patch] = reconcile(thing("a", "b"), seen(gone="a"))
    assert isinstance(patch, Patch)
    assert [each["uid"] for each in patch.patch["metadata"]["ownerReferences"]] == ["b"]


def test_foreground_waits_for_dependents_that_block() -> None:
    wanted = thing(finalizers=("foregroundDeletion", "other"), deleting=True)
    assert reconcile(wanted, seen(dependents=(CHILD,))) == []
    careless = thing("it", uid="child")
    careless["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = False
    for dependents in ((), (careless,)):
        [patch] = reconcile(wanted, seen(dependents=dependents))
        assert isinstance(patch, Patch)
        assert patch.patch["metadata"]["finalizers"] == ["other"]


def test_orphans_lose_their_owner_first() -> None:
    disown, release = reconcile(thing(finalizers=("orphan",), deleting=True), seen(dependents=(CHILD,)))
    assert isinstance(disown, InBatches)
    assert isinstance(disown.writes[0], Patch)
    assert disown.writes[0].patch["metadata"]["ownerReferences"] is None
    assert isinstance(release, Patch)
    assert release.patch["metadata"]["finalizers"] is None


async def deployed(it: World) -> None:
    await it.client.create(DEPLOYMENTS, deployment_json(3))
    await it.roll_out()


@pytest.mark.parametrize("propagation", [Propagation.BACKGROUND, None], ids=["background", "not said"])
async def test_what_belongs_to_a_deleted_deployment_goes(propagation: Propagation | None) -> None:
    async with world() as it:
        await deployed(it)
        await it.client.delete(DEPLOYMENTS, "default", "web", DeleteOptions(propagation=propagation))
        await it.settle()
        assert it.client.all(DEPLOYMENTS) == []
        assert it.client.all(REPLICA_SETS) == []
        assert all(each["metadata"].get("deletionTimestamp") for each in it.client.all(PODS))
        await it.bury()
        assert it.client.all(PODS) == []


async def test_foreground_deletion_ends_with_the_owner() -> None:
    async with world() as it:
        await deployed(it)
        await it.client.delete(DEPLOYMENTS, "default", "web", DeleteOptions(propagation=Propagation.FOREGROUND))
        await it.settle()
        assert len(it.client.all(DEPLOYMENTS)) == len(it.client.all(REPLICA_SETS)) == 1
        assert all(each["metadata"].get("deletionTimestamp") for each in it.client.all(PODS))
        await it.bury()
        await it.settle()
        assert [it.client.all(resource) for resource in (PODS, REPLICA_SETS, DEPLOYMENTS)] == [[], [], []]


async def test_an_owner_of_the_same_name_but_another_uid_is_no_owner() -> None:
    async with world() as it:
        made = await it.client.create(SECRETS, {"metadata": {"name": "a", "namespace": "default"}})
        for name, uid in (("good", made["metadata"]["uid"]), ("stray", "earlier")):
            references = [owner("Secret", "a", uid, "v1")]
            await it.client.create(
                CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default", "ownerReferences": references}}
            )
        await it.settle()
        assert [each["metadata"]["name"] for each in it.client.all(CONFIG_MAPS)] == ["good"]


async def test_an_owner_of_an_unknown_kind_is_trusted() -> None:
    async with world() as it:
        references = [owner("Release", "a", "1", "example.com/v1")]
        await it.client.create(
            CONFIG_MAPS, {"metadata": {"name": "it", "namespace": "default", "ownerReferences": references}}
        )
        await it.settle()
        assert len(it.client.all(CONFIG_MAPS)) == 1


async def test_an_owner_that_the_cache_has_not_seen_yet_is_asked_for() -> None:
    async with world() as it:
        it.client.hold_watches()
        made = await it.client.create(SECRETS, {"metadata": {"name": "a", "namespace": "default"}})
        references = [owner("Secret", "a", made["metadata"]["uid"], "v1")]
        child = await it.client.create(
            CONFIG_MAPS, {"metadata": {"name": "it", "namespace": "default", "ownerReferences": references}}
        )
        it.runner._caches.remember(CONFIG_MAPS, child)  # the dependent's watch was faster than the owner's
        await it.settle()
        assert ("get", "secrets", Key("default", "a")) in it.client.calls
        assert len(it.client.all(CONFIG_MAPS)) == 1
        it.client.release_watches()
        await it.settle()


# Namespaces.


async def test_a_namespace_is_emptied_and_goes() -> None:
    async with world() as it:
        await deployed(it)
        await it.client.create(NAMESPACES, {"metadata": {"name": "other"}})
        await it.client.create(SECRETS, {"metadata": {"name": "stays", "namespace": "other"}})
        await it.client.delete(NAMESPACES, "", "default")
        await it.settle()
        [ending, _] = it.client.all(NAMESPACES)
        told = {each["type"]: each for each in ending["status"]["conditions"]}
        assert told["NamespaceContentRemaining"]["status"] == "True"
        assert "pods" in told["NamespaceContentRemaining"]["message"]
        await it.bury()
        await it.settle()
        assert [each["metadata"]["name"] for each in it.client.all(NAMESPACES)] == ["other"]
        assert all(not it.client.all(resource, "default") for resource in RESOURCES if resource.namespaced)
        assert len(it.client.all(SECRETS, "other")) == 1


async def test_content_with_finalizers_holds_the_namespace() -> None:
    async with world() as it:
        await it.client.create(
            SECRETS, {"metadata": {"name": "held", "namespace": "default", "finalizers": ["me/too"]}}
        )
        await it.settle()
        await it.client.delete(NAMESPACES, "", "default")
        await it.settle()
        told = {each["type"]: each for each in it.client.all(NAMESPACES)[0]["status"]["conditions"]}
        assert "me/too" in told["NamespaceFinalizersRemaining"]["message"]
        await it.client.patch(SECRETS, "default", "held", {"metadata": {"finalizers": None}})
        await it.settle()
        assert it.client.all(NAMESPACES) == []


async def test_content_that_the_caches_have_not_seen_is_not_left_behind() -> None:
    async with world() as it:
        it.client.hold_watches()
        await it.client.create(
            SECRETS, {"metadata": {"name": "hidden", "namespace": "default", "finalizers": ["me/too"]}}
        )
        ending = await it.client.delete(NAMESPACES, "", "default")
        it.runner._caches.remember(NAMESPACES, ending)
        await it.settle()
        assert len(it.client.all(NAMESPACES)) == 1
        it.client.release_watches()
        await it.settle()
        await it.client.patch(SECRETS, "default", "hidden", {"metadata": {"finalizers": None}})
        await it.settle()
        assert it.client.all(NAMESPACES) == []


async def test_namespaces_are_furnished_and_stay_so() -> None:
    async with world(root_ca="PEM") as it:
        await it.client.create(NAMESPACES, {"metadata": {"name": "new"}})
        await it.settle()
        assert [each["metadata"]["name"] for each in it.client.all(SERVICE_ACCOUNTS)] == ["default", "default"]
        await it.client.delete(SERVICE_ACCOUNTS, "new", "default")
        await it.client.patch(CONFIG_MAPS, "new", "kube-root-ca.crt", {"data": {"ca.crt": "old", "more": "x"}})
        await it.settle()
        assert len(it.client.all(SERVICE_ACCOUNTS, "new")) == 1
        assert it.client.all(CONFIG_MAPS, "new")[0]["data"] == {"ca.crt": "PEM"}


async def test_without_a_ca_there_is_no_config_map() -> None:
    async with world() as it:
        with pytest.raises(NotFound):
            await it.client.get(CONFIG_MAPS, "default", "kube-root-ca.crt")


# Events.


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"lastTimestamp": rfc3339(NOW - 3000)}, Again(600.0)),
        ({"lastTimestamp": rfc3339(NOW - 3600)}, Delete(EVENTS, Key("default", "e"), "u")),
        ({"eventTime": rfc3339(NOW - 10)}, Again(3590.0)),
        ({"eventTime": rfc3339(NOW - 9999), "series": {"lastObservedTime": rfc3339(NOW)}}, Again(3600.0)),
        ({}, Delete(EVENTS, Key("default", "e"), "u")),
    ],
    ids=["young", "old", "the newer style", "a series", "only its creation"],
)
def test_events_expire(times: Object, expected: Any) -> None:
    meta = {"name": "e", "namespace": "default", "uid": "u", "creationTimestamp": rfc3339(NOW - 9999)}
    assert event_expiry.reconcile({"metadata": meta} | times, NOW) == [expected]


async def test_events_go_after_an_hour() -> None:
    async with world() as it:
        await deployed(it)
        assert it.client.all(EVENTS)
        await it.clock.advance(3590)
        assert it.client.all(EVENTS)
        await it.clock.advance(20)
        assert it.client.all(EVENTS) == []
