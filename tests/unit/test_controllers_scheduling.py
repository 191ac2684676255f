"""Which node a Pod goes to, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from controllers_world import NOW, pod_json, world

from grandstand.controllers.scheduling.fit import Cluster, Site, obstacles
from grandstand.controllers.scheduling.needs import Needs, amounts_of, needs_of
from grandstand.controllers.scheduling.reconcile import Seen, explain, reconcile
from grandstand.kinds import Node, Object, Pod, view
from grandstand.kinds.resources import EVENTS, NAMESPACES, NODES, PODS
from grandstand.reconcile.actions import Create, Emit, InBatches, Patch

HOST = "kubernetes.io/hostname"


def node(name: str = "here", spec: Object | None = None, **allocatable: str) -> Node:
    room = {"cpu": "2", "memory": "1Gi", "pods": "3"} | allocatable
    labels = {HOST: name, "disk": "fast", "rank": "5"}
    return view(
        Node, {"metadata": {"name": name, "labels": labels}, "spec": spec or {}, "status": {"allocatable": room}}
    )


def container(cpu: str = "0", memory: str = "0", **more: Any) -> Object:
    return {"name": "main", "resources": {"requests": {"cpu": cpu, "memory": memory}}} | more


def needs(name: str = "new", **changes: Any) -> Needs:
    return needs_of(pod_json(name, **changes))


def asking(cpu: str = "0", memory: str = "0", **spec: Any) -> Needs:
    return needs(spec={"containers": [container(cpu, memory)]} | spec)


def anti(labels: Object, **term: Any) -> Object:
    terms = [{"topologyKey": HOST, "labelSelector": {"matchLabels": labels}} | term]
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def pro(labels: Object, **term: Any) -> Object:
    return {"podAffinity": anti(labels, **term)["podAntiAffinity"]}


def node_affinity(*expressions: Object) -> Object:
    terms = {"nodeSelectorTerms": [{"matchExpressions": list(expressions)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def expression(key: str, operator: str, *values: str) -> Object:
    return {"key": key, "operator": operator, "values": list(values)}


def why_not(pod: Needs, where: Node | None = None, *others: Needs, namespaces: Any = None) -> list[str]:
    site = Site(where or node())
    for other in others:
        site.add(other)
    return obstacles(pod, site, Cluster([site], namespaces or {}))


DB = needs("db", labels={"app": "db"}, node="here")
NO_AFFINITY = ["node(s) didn't match pod affinity rules"]
NO_ANTI = ["node(s) didn't match pod anti-affinity rules"]
NO_MATCH = ["node(s) didn't match Pod's node affinity/selector"]


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (asking("2", "1Gi"), []),
        (asking("2001m"), ["Insufficient cpu"]),
        (asking("3", "2Gi"), ["Insufficient cpu", "Insufficient memory"]),
        (needs(spec={"containers": [{"name": "m", "resources": {"limits": {"cpu": "5"}}}]}), ["Insufficient cpu"]),
        (
            needs(spec={"containers": [{"name": "m", "resources": {"requests": {"nvidia.com/gpu": "1"}}}]}),
            ["Insufficient nvidia.com/gpu"],
        ),
        (needs(spec={"containers": [{"name": "m", "resources": {"requests": {"ephemeral-storage": "9Ti"}}}]}), []),
        (asking(nodeSelector={"disk": "fast"}), []),
        (asking(nodeSelector={"disk": "slow"}), NO_MATCH),
        (asking(affinity=node_affinity(expression("disk", "In", "fast", "x"), expression("rank", "Gt", "4"))), []),
        (asking(affinity=node_affinity(expression("rank", "Lt", "5"))), NO_MATCH),
        (asking(affinity=node_affinity(expression("disk", "DoesNotExist"))), NO_MATCH),
        (asking(affinity=node_affinity()), NO_MATCH),
        (asking(affinity=pro({"app": "db"})), []),
        (asking(affinity=pro({"app": "cache"})), NO_AFFINITY),
        (asking(affinity=pro({"app": "web"})), []),
        (asking(affinity=pro({"app": "db"}, namespaces=["other"])), NO_AFFINITY),
        (asking(affinity=pro({"app": "db"}, topologyKey="zone")), NO_AFFINITY),
        (asking(affinity=anti({"app": "db"})), NO_ANTI),
        (asking(affinity=anti({"app": "db"}, namespaceSelector={})), NO_ANTI),
        (asking(affinity=anti({"app": "db"}, namespaceSelector={"matchLabels": {"a": "b"}})), []),
        (asking(affinity=anti({"app": "db"}, matchLabelKeys=["app"])), []),
        (asking(affinity=anti({"app": "web"})), []),
    ],
    ids=[
        "fits exactly",
        "cpu",
        "cpu and memory",
        "a limit is a request",
        "a resource that the node has not",
        "not told by the node",
        "selector",
        "selector of another node",
        "affinity: in, greater",
        "affinity: less",
        "affinity: does not exist",
        "affinity: empty term",
        "pod affinity",
        "pod affinity: nobody",
        "pod affinity: the first of its own",
        "pod affinity: another namespace",
        "pod affinity: no such domain",
        "anti-affinity",
        "anti-affinity in all namespaces",
        "anti-affinity in other namespaces",
        "anti-affinity with the own value",
        "anti-affinity: nobody",
    ],
)
def test_obstacles(pod: Needs, expected: list[str]) -> None:
    assert why_not(pod, None, DB) == expected


TAINT = {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}


@pytest.mark.parametrize(
    ("spec", "tolerations", "expected"),
    [
        (TAINT, [], ["node(s) had untolerated taint {gpu: yes}"]),
        (TAINT, [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}], []),
        (TAINT, [{"key": "gpu", "value": "no"}], ["node(s) had untolerated taint {gpu: yes}"]),
        (TAINT, [{"key": "gpu", "operator": "Exists"}], []),
        (TAINT, [{"operator": "Exists"}], []),
        (
            TAINT,
            [{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}],
            ["node(s) had untolerated taint {gpu: yes}"],
        ),
        ({"taints": [{"key": "gpu", "effect": "PreferNoSchedule"}]}, [], []),
        ({"unschedulable": True}, [], ["node(s) were unschedulable"]),
        ({"unschedulable": True}, [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}], []),
    ],
    ids=[
        "taint",
        "tolerated",
        "other value",
        "exists",
        "everything",
        "other effect",
        "preferred",
        "cordoned",
        "cordon tolerated",
    ],
)
def test_taints(spec: Object, tolerations: list[Object], expected: list[str]) -> None:
    assert why_not(asking(tolerations=tolerations), node(spec=spec)) == expected


def test_neighbours_that_want_to_be_alone() -> None:
    loner = needs("loner", labels={"app": "db"}, spec={"affinity": anti({"app": "web"})})
    assert why_not(needs(), None, loner) == ["node(s) didn't satisfy existing pods anti-affinity rules"]


def port(number: int, address: str = "", protocol: str = "TCP") -> Needs:
    ports = [{"containerPort": 80, "hostPort": number, "hostIP": address, "protocol": protocol}]
    return needs(spec={"containers": [container(ports=ports)]})


@pytest.mark.parametrize(
    ("wanted", "taken", "free"),
    [
        (port(80), port(80), False),
        (port(80), port(81), True),
        (port(80), port(80, protocol="UDP"), True),
        (port(80, "127.0.0.1"), port(80, "127.0.0.2"), True),
        (port(80, "127.0.0.1"), port(80), False),
    ],
    ids=["same", "other port", "other protocol", "other addresses", "any address"],
)
def test_host_ports(wanted: Needs, taken: Needs, free: bool) -> None:
    expected = [] if free else ["node(s) didn't have free ports for the requested pod ports"]
    assert why_not(wanted, None, taken) == expected


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ({"topologyKey": HOST}, []),
        ({"topologyKey": HOST, "minDomains": 2}, ["node(s) didn't match pod topology spread constraints"]),
        ({"topologyKey": HOST, "minDomains": 2, "whenUnsatisfiable": "ScheduleAnyway"}, []),
        ({"topologyKey": "zone"}, ["node(s) didn't match pod topology spread constraints (missing required label)"]),
    ],
    ids=["one domain", "two domains wanted", "only preferred", "no such label"],
)
def test_topology_spread(constraint: Object, expected: list[str]) -> None:
    full = {"maxSkew": 1, "labelSelector": {"matchLabels": {"app": "web"}}} | constraint
    assert why_not(asking(topologySpreadConstraints=[full]), None, needs("one")) == expected


def test_init_containers_and_sidecars_count_as_in_kubernetes() -> None:
    spec = {
        "initContainers": [
            container("100m") | {"name": "sidecar", "restartPolicy": "Always"},
            container("500m") | {"name": "init"},
        ],
        "containers": [container("200m"), container("150m") | {"name": "two"}],
    }
    assert amounts_of(view(Pod, pod_json(spec=spec)), {})["cpu"] == 600
    assert amounts_of(view(Pod, pod_json(spec=spec)), {"cpu": "1"})["cpu"] == 1600


def seen(*nodes: Node, **assigned: list[Needs]) -> Seen:
    return Seen(nodes, assigned, {}, NOW)


def test_pods_of_one_pass_do_not_get_the_same_room() -> None:
    pods = [needs(f"p{n}", spec={"containers": [container("1500m")]}) for n in range(2)]
    batch, patch, event = reconcile(pods, seen(node()))
    assert isinstance(batch, InBatches)
    assert len(batch.writes) == 1
    assert isinstance(patch, Patch)
    [told] = patch.patch["status"]["conditions"]
    assert (told["type"], told["status"], told["reason"]) == ("PodScheduled", "False", "Unschedulable")
    assert told["message"] == "0/1 nodes are available: 1 Insufficient cpu."
    assert isinstance(event, Emit)
    assert event.reason == "FailedScheduling"


def test_the_node_with_more_room_is_taken_and_the_binding_names_the_uid() -> None:
    [batch] = reconcile([needs()], seen(node("full"), node("free"), full=[asking("1")]))
    assert isinstance(batch, InBatches)
    [binding] = batch.writes
    assert isinstance(binding, Create)
    assert binding.subresource == "binding"
    assert binding.object["target"]["name"] == "free"
    assert binding.object["metadata"]["uid"] == "uid-new"


def test_more_important_pods_come_first() -> None:
    late = needs("late", spec={"priority": 10, "containers": [container("1500m")]})
    early = needs("early", spec={"containers": [container("1500m")]})
    batch, *_ = reconcile([early, late], seen(node()))
    assert isinstance(batch, InBatches)
    assert [write.name for write in batch.writes if isinstance(write, Create)] == ["late"]


def test_other_schedulers_pods_and_gated_ones_wait() -> None:
    assert reconcile([asking(schedulerName="mine")], seen(node())) == []
    [patch] = reconcile([asking(schedulingGates=[{"name": "quota"}])], seen(node()))
    assert isinstance(patch, Patch)
    assert patch.patch["status"]["conditions"][0]["reason"] == "SchedulingGated"


@pytest.mark.parametrize(
    ("obstacles_by_node", "message"),
    [
        ([], "no nodes available to schedule pods"),
        (
            [["Insufficient cpu"], ["Insufficient cpu", "Insufficient memory"]],
            "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu.",
        ),
    ],
    ids=["no node", "several"],
)
def test_messages(obstacles_by_node: list[list[str]], message: str) -> None:
    assert explain(obstacles_by_node) == message


async def test_pods_are_bound_and_wait_for_room() -> None:
    async with world() as it:
        big = {"metadata": {"name": "big", "namespace": "default"}, "spec": {"containers": [container("40")]}}
        await it.client.create(PODS, big)
        await it.client.create(PODS, big | {"metadata": {"name": "second", "namespace": "default"}})
        await it.settle()
        first, second = it.client.all(PODS)
        assert first["spec"]["nodeName"] == "here"
        assert "nodeName" not in second["spec"]
        assert it.events("FailedScheduling") == ["0/1 nodes are available: 1 Insufficient cpu."]
        assert it.events("Scheduled") == ["Successfully assigned default/big to here"]
        revision = it.client.revision
        await it.clock.advance(600)
        assert it.client.revision == revision, "it must not poll"
        await it.client.delete(PODS, "default", "big")
        await it.bury()
        await it.settle()
        assert it.client.all(PODS)[0]["spec"]["nodeName"] == "here"


async def test_a_finished_pod_makes_room_and_so_does_a_larger_node() -> None:
    async with world() as it:
        for name in "abc":
            await it.client.create(
                PODS, {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container("40")]}}
            )
        await it.settle()
        await it.client.patch(PODS, "default", "a", {"status": {"phase": "Succeeded"}}, subresource="status")
        await it.settle()
        assert [bool(each["spec"].get("nodeName")) for each in it.client.all(PODS)] == [True, True, False]
        await it.client.patch(NODES, "", "here", {"status": {"allocatable": {"cpu": "200"}}}, subresource="status")
        await it.settle()
        assert all(each["spec"].get("nodeName") for each in it.client.all(PODS))


async def test_bindings_are_not_repeated_while_the_cache_lags() -> None:
    async with world() as it:
        await it.client.create(PODS, {"metadata": {"name": "a", "namespace": "default"}, "spec": {"containers": []}})
        await it.until(lambda: bool(it.client.all(PODS)[0]["spec"].get("nodeName")))
        it.client.hold_watches()
        await it.settle()
        await it.client.patch(NAMESPACES, "", "default", {"metadata": {"labels": {"x": "y"}}})
        it.client.release_watches()
        await it.settle()
        assert [call[0] for call in it.client.calls if call[2].name == "a" and call[1] == "pods"].count("create") == 2
        assert len(it.client.all(EVENTS)) == 1
