"""A ReplicaSet's one step: what it creates, deletes, adopts, releases and reports."""

from __future__ import annotations

from typing import Any

import pytest
from controllers_world import NOW, condition, owner, pod, template, world

from grandstand.controllers.replica_set import Seen, deletion_order, failed, reconcile
from grandstand.errors import Forbidden
from grandstand.kinds import Object, Pod, ReplicaSet, view
from grandstand.kinds.resources import PODS, REPLICA_SETS
from grandstand.reconcile.actions import Again, Create, Delete, Emit, InBatches, Patch

OWNED = [owner("ReplicaSet", "web-1", "rs")]


def replica_set(replicas: int = 2, **changes: Any) -> Object:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    meta = {"name": "web-1", "namespace": "default", "uid": "rs", "generation": 4, "resourceVersion": "9"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": meta | changes.get("meta", {}),
        "spec": spec | changes.get("spec", {}),
        "status": changes.get("status", {}),
    }


def run(raw: Object, pods: list[Pod], now: float = NOW) -> list[Any]:
    return reconcile(view(ReplicaSet, raw), Seen(raw, pods, (), now))


def mine(name: str, **changes: Any) -> Pod:
    return pod(name, **({"owners": OWNED, "node": "here", "ready_at": NOW} | changes))


def test_missing_pods_are_created_in_growing_batches() -> None:
    [batch] = run(replica_set(3), [mine("a")])
    assert isinstance(batch, InBatches)
    assert batch.first == 1
    assert len(batch.writes) == 2
    [first, _] = batch.writes
    assert isinstance(first, Create)
    assert first.object["metadata"]["generateName"] == "web-1-"
    assert first.object["metadata"]["labels"] == {"app": "web"}
    assert first.object["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "web-1",
            "uid": "rs",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


@pytest.mark.parametrize(
    ("other", "created"),
    [
        ({"phase": "Failed"}, 1),
        ({"phase": "Succeeded"}, 1),
        ({"deleting": True}, 1),
        ({"ready_at": None}, 0),
    ],
    ids=["failed", "succeeded", "being deleted", "not ready"],
)
def test_what_does_not_run_is_replaced(other: Object, created: int) -> None:
    creates = [a for a in run(replica_set(2), [mine("a"), mine("b", **other)]) if isinstance(a, InBatches)]
    assert sum(len(batch.writes) for batch in creates) == created


def test_surplus_pods_are_deleted_by_uid() -> None:
    [batch] = run(replica_set(1), [mine("a"), mine("b", ready_at=None)])
    assert isinstance(batch, InBatches)
    assert [(w.key.name, w.uid) for w in batch.writes if isinstance(w, Delete)] == [("b", "uid-b")]


@pytest.mark.parametrize(
    ("doomed", "kept"),
    [
        ({"node": "", "ready_at": None}, {"node": "here", "ready_at": None, "phase": "Pending"}),
        ({"node": "here", "phase": "Pending", "ready_at": None}, {"ready_at": None}),
        ({"ready_at": None}, {}),
        ({"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}}, {"created": NOW + 9}),
        ({"created": NOW, "node": "full"}, {"created": NOW + 9, "node": "here"}),
        ({"ready_at": NOW, "created": NOW - 50}, {"ready_at": NOW - 60, "created": NOW}),
        ({"restarts": 3}, {"created": NOW + 9}),
        ({"created": NOW + 9}, {"created": NOW}),
        ({"annotations": {"controller.kubernetes.io/pod-deletion-cost": "cheap"}, "created": NOW + 1}, {}),
    ],
    ids=[
        "unassigned",
        "pending",
        "not ready",
        "cheap",
        "doubled up",
        "ready for less long",
        "restarted",
        "younger",
        "no number",
    ],
)
def test_deletion_order(doomed: Object, kept: Object) -> None:
    crowd = [mine(f"crowd-{n}", node="full") for n in range(2)]
    first, second = mine("z-doomed", **doomed), mine("a-kept", **kept)
    order = deletion_order([second, first], [first, second, *crowd], NOW)
    assert [each.metadata.name for each in order] == ["z-doomed", "a-kept"]


def test_orphans_that_match_are_adopted_and_strays_released() -> None:
    orphan, stray = pod("orphan"), mine("stray", labels={"app": "other"})
    [batch] = run(replica_set(2), [orphan, stray, pod("foreign", owners=[owner("ReplicaSet", "x", "other")])])
    assert isinstance(batch, InBatches)
    patches = {write.key.name: write for write in batch.writes if isinstance(write, Patch)}
    assert patches.keys() == {"orphan", "stray"}
    assert patches["orphan"].patch["metadata"]["ownerReferences"][0]["uid"] == "rs"
    assert patches["orphan"].patch["metadata"]["resourceVersion"] == "1"
    assert patches["stray"].patch["metadata"]["ownerReferences"] is None


def test_a_deleted_replica_set_changes_no_pods() -> None:
    raw = replica_set(3, meta={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert all(isinstance(action, Patch) and action.subresource == "status" for action in run(raw, [pod("orphan")]))


def test_status_counts() -> None:
    pods = [
        mine("a", ready_at=NOW - 20),
        mine("b"),
        mine("c", ready_at=None, labels={"app": "web"}),
        mine("d", deleting=True),
    ]
    [patch, again] = run(replica_set(3, spec={"minReadySeconds": 10}), pods)
    assert patch.patch["status"] == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 4,
    }
    assert again == Again(10.0)


def test_nothing_to_do_writes_nothing() -> None:
    status = {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 4,
    }
    assert run(replica_set(1, status=status), [mine("a")]) == []


def test_a_refusal_is_told_and_taken_back() -> None:
    raw = replica_set(2)
    actions = failed(view(ReplicaSet, raw), Seen(raw, [], (), NOW), Forbidden("exceeded quota"))
    [patch, event] = actions
    assert isinstance(patch, Patch)
    [told] = patch.patch["status"]["conditions"]
    assert (told["type"], told["status"], told["reason"], told["message"]) == (
        "ReplicaFailure",
        "True",
        "FailedCreate",
        "exceeded quota",
    )
    assert event == Emit(raw, "Warning", "FailedCreate", "Error creating: exceeded quota")
    healed = run(replica_set(1, status={"conditions": [told]}), [mine("a")])
    assert healed[0].patch["status"]["conditions"] is None


async def test_a_replica_set_lives() -> None:
    async with world() as it:
        raw = replica_set(3)
        await it.client.create(
            REPLICA_SETS, {"metadata": {"name": "web-1", "namespace": "default"}, "spec": raw["spec"]}
        )
        await it.roll_out()
        [made] = it.client.all(REPLICA_SETS)
        assert made["status"]["availableReplicas"] == 3
        victim = it.client.all(PODS)[0]["metadata"]["name"]
        await it.client.patch(
            PODS,
            "default",
            victim,
            {"status": {"phase": "Failed", "conditions": [condition("Ready", "False")]}},
            subresource="status",
        )
        await it.roll_out()
        assert it.client.all(REPLICA_SETS)[0]["status"]["availableReplicas"] == 3
        assert len(it.events("SuccessfulCreate")) == 4


async def test_refused_creates_are_few_and_retried_with_back_off() -> None:
    refused = True

    def refuse(verb: str, resource: Any, key: Any) -> Forbidden | None:
        return Forbidden("exceeded quota") if refused and verb == "create" and resource is PODS else None

    async with world(refuse=refuse) as it:
        await it.client.create(
            REPLICA_SETS, {"metadata": {"name": "web-1", "namespace": "default"}, "spec": replica_set(100)["spec"]}
        )
        await it.clock.advance(1.0)
        tries = sum(call[:2] == ("create", "pods") for call in it.client.calls)
        assert 2 <= tries <= 12
        assert it.client.all(REPLICA_SETS)[0]["status"]["conditions"][0]["reason"] == "FailedCreate"
        refused = False
        await it.clock.advance(60.0)
        await it.roll_out()
        assert len(it.client.all(PODS)) == 100
        assert "conditions" not in it.client.all(REPLICA_SETS)[0]["status"]
