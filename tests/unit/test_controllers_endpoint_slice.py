"""EndpointSlices: which Pods are in them, how they stand there, and that they change as little as can be."""

from __future__ import annotations

from typing import Any

import pytest
from controllers_world import NOW, pod, pod_json, world

from grandstand.client.fake import merged
from grandstand.controllers.endpoint_slice import Seen, reconcile
from grandstand.kinds import Object, Pod, Service, view
from grandstand.kinds.resources import ENDPOINT_SLICES, PODS, SERVICES
from grandstand.reconcile.actions import Create, Delete, InBatches, Patch


def service(**spec: Any) -> Service:
    meta = {"name": "web", "namespace": "default", "uid": "svc", "labels": {"team": "a"}}
    return view(Service, {"metadata": meta, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]} | spec})


def ready(name: str, **changes: Any) -> Pod:
    return pod(name, **({"node": "here", "ready_at": NOW, "ip": f"10.0.0.{name}"} | changes))


def apply(wanted: Service, pods: list[Pod], slices: list[Object]) -> tuple[list[Object], list[Any]]:
    """The slices after the writes, and the writes."""
    actions = reconcile(wanted, Seen(pods, slices))
    writes = actions[0].writes if actions and isinstance(actions[0], InBatches) else ()
    after = {each["metadata"]["name"]: each for each in slices}
    for number, write in enumerate(writes):
        match write:
            case Create():
                name = f"slice-{len(slices) + number}"
                after[name] = merged(write.object, {"metadata": {"name": name, "uid": name}})
            case Patch():
                after[write.key.name] = merged(after[write.key.name], write.patch)
            case Delete():
                del after[write.key.name]
    return list(after.values()), list(writes)


def names(obj: Object) -> list[str]:
    return [endpoint["targetRef"]["name"] for endpoint in obj["endpoints"]]


def test_a_slice_as_kubernetes_makes_it() -> None:
    [made], _ = apply(
        service(ports=[{"port": 80, "name": "http", "targetPort": 8080, "appProtocol": "http"}]), [ready("1")], []
    )
    assert made["metadata"]["generateName"] == "web-"
    assert made["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert made["metadata"]["ownerReferences"][0]["uid"] == "svc"
    assert made["addressType"] == "IPv4"
    assert made["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}]
    assert made["endpoints"] == [
        {
            "addresses": ["10.0.0.1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "1", "uid": "uid-1"},
            "nodeName": "here",
        }
    ]


@pytest.mark.parametrize(
    ("changes", "spec", "conditions"),
    [
        ({}, {}, (True, True, False)),
        ({"ready_at": None}, {}, (False, False, False)),
        ({"deleting": True}, {}, (False, True, True)),
        ({"deleting": True, "ready_at": None}, {}, (False, False, True)),
        ({"ready_at": None}, {"publishNotReadyAddresses": True}, (True, False, False)),
        ({"ip": ""}, {}, None),
        ({"phase": "Failed"}, {}, None),
        ({"phase": "Succeeded", "deleting": True}, {}, None),
    ],
    ids=[
        "ready",
        "not ready",
        "terminating, serving",
        "terminating",
        "published anyway",
        "no address",
        "failed",
        "ended",
    ],
)
def test_conditions(changes: Object, spec: Object, conditions: tuple[bool, ...] | None) -> None:
    [made], _ = apply(service(**spec), [ready("1", **changes)], [])
    found = [
        tuple(each["conditions"][name] for name in ("ready", "serving", "terminating")) for each in made["endpoints"]
    ]
    assert found == ([] if conditions is None else [conditions])


@pytest.mark.parametrize(
    "spec",
    [{"selector": None}, {"selector": {}}, {"type": "ExternalName"}],
    ids=["no selector", "empty selector", "external name"],
)
def test_services_that_are_left_alone(spec: Object) -> None:
    assert reconcile(service(**spec), Seen([ready("1")], [])) == []


def named(number: int) -> Object:
    return {"containers": [{"name": "main", "ports": [{"name": "http", "containerPort": number}]}]}


def test_pods_with_other_numbers_for_a_named_port_get_their_own_slice() -> None:
    wanted = service(ports=[{"port": 80, "targetPort": "http"}])
    pods = [ready("1", spec=named(8080)), ready("2", spec=named(9090)), ready("3", spec=named(8080)), ready("4")]
    after, _ = apply(wanted, pods, [])
    assert {tuple(p["port"] for p in each["ports"]): names(each) for each in after} == {
        (8080,): ["1", "3"],
        (9090,): ["2"],
        (): ["4"],
    }


def test_headless_services_have_hostnames_and_a_label() -> None:
    wanted = service(clusterIP="None", ports=[])
    pods = [
        ready("1", spec={"hostname": "db-0", "subdomain": "web"}),
        ready("2", spec={"hostname": "x", "subdomain": "other"}),
    ]
    [made], _ = apply(wanted, pods, [])
    assert [each.get("hostname") for each in made["endpoints"]] == ["db-0", None]
    assert made["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert made["ports"] == []


def test_nobody_is_an_empty_slice_that_is_used_later() -> None:
    empty, writes = apply(service(), [], [])
    assert [each["endpoints"] for each in empty] == [[]]
    assert len(writes) == 1
    filled, writes = apply(service(), [ready("1")], empty)
    assert names(filled[0]) == ["1"]
    assert [type(write) for write in writes] == [Patch]
    again, writes = apply(service(), [], filled)
    assert [type(write) for write in writes] == [Patch]
    assert again[0]["endpoints"] == []
    assert apply(service(), [], again)[1] == []


def test_slices_hold_a_hundred_and_pods_stay_where_they_are() -> None:
    pods = [ready(f"{number:03}", ip="10.0.0.1") for number in range(250)]
    slices, _ = apply(service(), pods, [])
    assert sorted(len(each["endpoints"]) for each in slices) == [50, 100, 100]
    changed = [ready("000", ready_at=None), *pods[1:], ready("999")]
    after, writes = apply(service(), changed, slices)
    assert len(writes) == 2
    assert sum(len(each["endpoints"]) for each in after) == 251
    assert apply(service(), changed, after)[1] == []


def test_empty_slices_go_while_others_hold_pods() -> None:
    pods = [ready(f"{number:03}", ip="10.0.0.1") for number in range(150)]
    slices, _ = apply(service(), pods, [])
    after, writes = apply(service(), pods[:100], slices)
    assert [len(each["endpoints"]) for each in after] == [100]
    assert [type(write) for write in writes] == [Delete]


def test_labels_follow_the_service() -> None:
    slices, _ = apply(service(), [ready("1")], [])
    other = view(
        Service,
        {
            "metadata": {"name": "web", "namespace": "default", "labels": {"b": "c"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        },
    )
    after, _ = apply(other, [ready("1")], slices)
    assert "team" not in after[0]["metadata"]["labels"]
    assert after[0]["metadata"]["labels"]["b"] == "c"


async def test_slices_follow_pods() -> None:
    def slices() -> list[list[str]]:
        return [names(each) for each in it.client.all(ENDPOINT_SLICES)]

    async with world() as it:
        await it.client.create(
            SERVICES,
            {
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
            },
        )
        for name in "ab":
            await it.client.create(PODS, pod_json(name))
        await it.settle()
        assert slices() == [[]]
        await it.make_ready()
        await it.settle()
        assert slices() == [["a", "b"]]
        writes = [call for call in it.client.calls if call[1] == "endpointslices" and call[0] == "patch"]
        await it.client.patch(PODS, "default", "a", {"status": {"startTime": "now"}}, subresource="status")
        await it.settle()
        assert [call for call in it.client.calls if call[1] == "endpointslices" and call[0] == "patch"] == writes
        await it.client.patch(PODS, "default", "a", {"metadata": {"labels": {"app": "other"}}})
        await it.settle()
        assert slices() == [["b"]]
        await it.client.patch(SERVICES, "default", "web", {"spec": {"selector": {"app": "other"}}})
        await it.settle()
        assert slices() == [["a"]]
        await it.client.delete(PODS, "default", "a")
        await it.settle()
        assert it.client.all(ENDPOINT_SLICES)[0]["endpoints"][0]["conditions"] == {
            "ready": False,
            "serving": True,
            "terminating": True,
        }
        await it.bury()
        await it.settle()
        assert slices() == [[]]
        await it.client.delete(SERVICES, "default", "web")
        await it.settle()
        assert slices() == []
