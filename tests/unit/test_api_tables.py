"""Tables: the columns and cells that `kubectl get` shows."""

from __future__ import annotations

from typing import Any

import pytest

from grandstand.api.tables import human_duration, row, table
from grandstand.clock import rfc3339
from grandstand.kinds import RESOURCES, Object, Resource, resources

NOW = 1_800_000_000.0
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


def ago(seconds: float) -> str:
    return rfc3339(NOW - seconds)


def meta(**fields: Any) -> Object:
    return {"name": "web", "namespace": "default", "creationTimestamp": ago(5 * MINUTE), **fields}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (5 * MINUTE + 30, "5m30s"),
        (10 * MINUTE + 30, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (7 * HOUR + 5 * MINUTE, "7h5m"),
        (8 * HOUR + 5 * MINUTE, "8h"),
        (2 * DAY - 1, "47h"),
        (2 * DAY, "2d"),
        (7 * DAY + 3 * HOUR, "7d3h"),
        (8 * DAY + 3 * HOUR, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (3 * YEAR + 20 * DAY, "3y20d"),
        (8 * YEAR + 20 * DAY, "8y"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def cells(resource: Resource, obj: Object, *, wide: bool = True) -> list[Any]:
    shown = table(resource, [obj], resource_version="7", include="None", now=NOW)
    priorities = [column["priority"] for column in shown["columnDefinitions"]]
    return [cell for cell, hidden in zip(shown["rows"][0]["cells"], priorities, strict=True) if wide or not hidden]


def names(resource: Resource, *, wide: bool = True) -> list[str]:
    shown = table(resource, [], resource_version="7", include="None", now=NOW)
    return [column["name"] for column in shown["columnDefinitions"] if wide or not column["priority"]]


@pytest.mark.parametrize(
    ("resource", "narrow", "wide"),
    [
        (
            resources.PODS,
            ["Name", "Ready", "Status", "Restarts", "Age"],
            ["IP", "Node", "Nominated Node", "Readiness Gates"],
        ),
        (
            resources.DEPLOYMENTS,
            ["Name", "Ready", "Up-to-date", "Available", "Age"],
            ["Containers", "Images", "Selector"],
        ),
        (
            resources.REPLICA_SETS,
            ["Name", "Desired", "Current", "Ready", "Age"],
            ["Containers", "Images", "Selector"],
        ),
        (
            resources.SERVICES,
            ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"],
            ["Selector"],
        ),
        (resources.ENDPOINT_SLICES, ["Name", "AddressType", "Ports", "Endpoints", "Age"], []),
        (resources.INGRESSES, ["Name", "Class", "Hosts", "Address", "Ports", "Age"], []),
        (
            resources.HORIZONTAL_POD_AUTOSCALERS,
            ["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"],
            [],
        ),
        (
            resources.NODES,
            ["Name", "Status", "Roles", "Age", "Version"],
            ["Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"],
        ),
        (resources.CONFIG_MAPS, ["Name", "Data", "Age"], []),
        (resources.SECRETS, ["Name", "Type", "Data", "Age"], []),
        (resources.NAMESPACES, ["Name", "Status", "Age"], []),
        (resources.SERVICE_ACCOUNTS, ["Name", "Secrets", "Age"], []),
        (resources.LEASES, ["Name", "Holder", "Age"], []),
        (resources.FUNCTIONS, ["Name", "Runtime", "Handler", "State", "Instances", "Age"], ["Image"]),
        (resources.FUNCTION_VERSIONS, ["Name", "Function", "Version", "Runtime", "Handler", "Age"], []),
        (resources.FUNCTION_LAYERS, ["Name", "Layer", "Version", "Age"], []),
        (resources.FUNCTION_TRIGGERS, ["Name", "Function", "Source", "Enabled", "Age"], []),
    ],
    ids=lambda value: value.plural if isinstance(value, Resource) else "",
)
def test_columns(resource: Resource, narrow: list[str], wide: list[str]) -> None:
    assert names(resource, wide=False) == narrow
    assert [name for name in names(resource) if name not in narrow] == wide


def test_columns_of_events() -> None:
    assert names(resources.EVENTS, wide=False) == ["Last Seen", "Type", "Reason", "Object", "Message"]
    assert names(resources.EVENTS) == [
        *("Last Seen", "Type", "Reason", "Object", "Subobject", "Source", "Message", "First Seen", "Count", "Name"),
    ]


def running(name: str = "web", *, ready: bool = True, restarts: int = 0, **more: Any) -> Object:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": {"running": {}}, **more}


def waiting(reason: str, **more: Any) -> Object:
    return {"name": "web", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}, **more}


def ended(code: int = 0, reason: str = "", **more: Any) -> Object:
    state = {"exitCode": code, **({"reason": reason} if reason else {}), **more}
    return {"name": "web", "ready": False, "restartCount": 0, "state": {"terminated": state}}


def pod(*, containers: int = 1, init: list[Object] | None = None, deleting: bool = False, **status: Any) -> Object:
    return {
        "metadata": meta(**({"deletionTimestamp": ago(1)} if deleting else {})),
        "spec": {
            "containers": [{"name": f"c{index}"} for index in range(containers)],
            "initContainers": init or [],
            "nodeName": "grandstand",
        },
        "status": {"phase": "Running", "podIP": "10.1.0.4", **status},
    }


INIT: list[Object] = [{"name": "a"}, {"name": "b"}]
SIDECAR: list[Object] = [{"name": "log", "restartPolicy": "Always"}, {"name": "b"}]
READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"),
    [
        (pod(containerStatuses=[running()]), "1/1", "Running", "0"),
        (pod(phase="Pending"), "0/1", "Pending", "0"),
        (pod(phase="Pending", containerStatuses=[waiting("ContainerCreating")]), "0/1", "ContainerCreating", "0"),
        (
            pod(
                containerStatuses=[
                    waiting("CrashLoopBackOff", restartCount=3, lastState={"terminated": {"finishedAt": ago(300)}})
                ]
            ),
            "0/1",
            "CrashLoopBackOff",
            "3 (5m ago)",
        ),
        (pod(phase="Pending", containerStatuses=[waiting("ErrImagePull")]), "0/1", "ErrImagePull", "0"),
        (pod(containers=2, containerStatuses=[running(), running("b", ready=False)]), "1/2", "Running", "0"),
        (pod(phase="Succeeded", containerStatuses=[ended(0, "Completed")]), "0/1", "Completed", "0"),
        (pod(phase="Failed", containerStatuses=[ended(1, "Error")]), "0/1", "Error", "0"),
        (pod(phase="Failed", containerStatuses=[ended(3)]), "0/1", "ExitCode:3", "0"),
        (pod(containerStatuses=[ended(137, signal=9)]), "0/1", "Signal:9", "0"),
        (pod(containerStatuses=[ended(137, "OOMKilled")]), "0/1", "OOMKilled", "0"),
        (
            pod(containers=2, conditions=READY, containerStatuses=[ended(0, "Completed"), running("b")]),
            "1/2",
            "Running",
            "0",
        ),
        (pod(containers=2, containerStatuses=[ended(0, "Completed"), running("b")]), "1/2", "NotReady", "0"),
        (pod(deleting=True, containerStatuses=[running()]), "1/1", "Terminating", "0"),
        (pod(deleting=True, phase="Failed", containerStatuses=[ended(1, "Error")]), "0/1", "Error", "0"),
        (pod(phase="Failed", reason="Evicted"), "0/1", "Evicted", "0"),
        (pod(phase="Pending", init=INIT, initContainerStatuses=[running("a")]), "0/1", "Init:0/2", "0"),
        (
            pod(
                phase="Pending", init=INIT, initContainerStatuses=[{**ended(), "name": "a"}, waiting("PodInitializing")]
            ),
            "0/1",
            "Init:1/2",
            "0",
        ),
        (
            pod(phase="Pending", init=INIT, initContainerStatuses=[waiting("CrashLoopBackOff", restartCount=2)]),
            "0/1",
            "Init:CrashLoopBackOff",
            "2",
        ),
        (pod(phase="Pending", init=INIT, initContainerStatuses=[ended(2, "Error")]), "0/1", "Init:Error", "0"),
        (pod(phase="Pending", init=INIT, initContainerStatuses=[ended(2)]), "0/1", "Init:ExitCode:2", "0"),
        (
            pod(
                init=SIDECAR,
                initContainerStatuses=[running("log", started=True, restarts=1), {**ended(), "restartCount": 4}],
                containerStatuses=[running(restarts=2)],
            ),
            "2/2",
            "Running",
            "3",
        ),
        (
            pod(phase="Pending", init=SIDECAR, initContainerStatuses=[running("log", started=True), waiting("")]),
            "1/2",
            "Init:1/2",
            "0",
        ),
    ],
    ids=[
        *("running", "pending", "creating", "crash loop", "image", "half ready", "completed", "error", "exit code"),
        *(
            "signal",
            "out of memory",
            "one of two ended",
            "not ready",
            "terminating",
            "ended before deletion",
            "evicted",
        ),
        *("first init", "second init", "init crash loop", "init error", "init exit code", "sidecar", "sidecar first"),
    ],
)
def test_what_is_the_matter_with_a_pod(obj: Object, ready: str, status: str, restarts: str) -> None:
    assert cells(resources.PODS, obj, wide=False) == ["web", ready, status, restarts, "5m"]


def test_wide_cells_of_a_pod() -> None:
    gated = pod(conditions=[{"type": "a", "status": "True"}])
    gated["spec"]["readinessGates"] = [{"conditionType": "a"}, {"conditionType": "b"}]
    assert cells(resources.PODS, gated)[5:] == ["10.1.0.4", "grandstand", "<none>", "1/2"]
    unborn = {"metadata": meta(), "spec": {"containers": [{}]}, "status": {"phase": "Pending"}}
    assert cells(resources.PODS, unborn)[5:] == ["<none>", "<none>", "<none>", "<none>"]


def test_finished_pods_are_marked() -> None:
    finished = row(resources.PODS, pod(phase="Succeeded"), "None", NOW)
    assert finished["conditions"] == [
        {
            "type": "Completed",
            "status": "True",
            "reason": "Succeeded",
            "message": "The pod has completed successfully.",
        }
    ]
    assert "conditions" not in row(resources.PODS, pod(), "None", NOW)


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}}
SELECTOR = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "new", "operator": "Exists"},
    ],
}


@pytest.mark.parametrize(
    ("resource", "fields", "shown"),
    [
        (
            resources.DEPLOYMENTS,
            {
                "spec": {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
                "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1},
            },
            ["web", "2/3", 3, 1, "5m", "a,b", "a:1,b:1", "app=web,new,!old,tier in (a,b)"],
        ),
        (
            resources.REPLICA_SETS,
            {"spec": {"replicas": 3, "selector": {}, "template": TEMPLATE}, "status": {"replicas": 2}},
            ["web", 3, 2, 0, "5m", "a,b", "a:1,b:1", "<none>"],
        ),
        (
            resources.SERVICES,
            {
                "spec": {
                    "type": "ClusterIP",
                    "clusterIP": "10.0.128.9",
                    "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
                    "selector": {"b": "2", "a": "1"},
                }
            },
            ["web", "ClusterIP", "10.0.128.9", "<none>", "80/TCP,53/UDP", "5m", "a=1,b=2"],
        ),
        (
            resources.SERVICES,
            {"spec": {"type": "ExternalName", "externalName": "example.com"}},
            ["web", "ExternalName", "<none>", "example.com", "<none>", "5m", "<none>"],
        ),
        (
            resources.ENDPOINT_SLICES,
            {
                "addressType": "IPv4",
                "ports": [{"port": 80}, {"name": "any"}],
                "endpoints": [{"addresses": [f"10.1.0.{n}"]} for n in range(5)],
            },
            ["web", "IPv4", "80,any", "10.1.0.0,10.1.0.1,10.1.0.2 + 2 more...", "5m"],
        ),
        (
            resources.FUNCTIONS,
            {
                "spec": {"runtime": "python3.11", "handler": "app.handler"},
                "status": {"state": "Active", "instances": 2},
            },
            ["web", "python3.11", "app.handler", "Active", 2, "5m", "<none>"],
        ),
        (
            resources.FUNCTIONS,
            {"spec": {"code": {"image": "hello:1"}}},
            ["web", "image", "<none>", "Pending", 0, "5m", "hello:1"],
        ),
        (
            resources.FUNCTION_TRIGGERS,
            {"spec": {"functionName": "a", "qualifier": "live", "sqs": {"queueArn": "arn"}, "enabled": False}},
            ["web", "a:live", "arn", False, "5m"],
        ),
        (
            resources.ENDPOINT_SLICES,
            {"addressType": "IPv4", "endpoints": []},
            ["web", "IPv4", "<unset>", "<unset>", "5m"],
        ),
        (
            resources.INGRESSES,
            {
                "spec": {"ingressClassName": "grandstand", "rules": [{"host": "a.b"}, {}], "tls": [{}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}, {"hostname": "a"}]}},
            },
            ["web", "grandstand", "a.b", "127.0.0.1,a", "80, 443", "5m"],
        ),
        (resources.INGRESSES, {"spec": {}}, ["web", "<none>", "*", "", "80", "5m"]),
        (
            resources.NODES,
            {
                "metadata": meta(labels={"node-role.kubernetes.io/control-plane": ""}),
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                    "nodeInfo": {"kubeletVersion": "v1.37.0", "osImage": "Debian", "kernelVersion": "6.18"},
                },
            },
            [
                *("web", "Ready,SchedulingDisabled", "control-plane", "5m", "v1.37.0", "10.0.0.1", "<none>"),
                *("Debian", "6.18", "<unknown>"),
            ],
        ),
        (
            resources.EVENTS,
            {
                "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{web}"},
                "type": "Warning",
                "reason": "BackOff",
                "message": "Back-off restarting\n",
                "firstTimestamp": ago(HOUR),
                "lastTimestamp": ago(90),
                "count": 4,
                "source": {"component": "kubelet", "host": "grandstand"},
            },
            [
                *("90s", "Warning", "BackOff", "pod/web", "spec.containers{web}", "kubelet, grandstand"),
                *("Back-off restarting", "60m", 4, "web"),
            ],
        ),
        (
            resources.EVENTS,
            {
                "involvedObject": {"kind": "Node"},
                "eventTime": "2027-01-15T07:59:00.000000Z",
                "series": {"count": 2, "lastObservedTime": ago(5)},
                "reportingComponent": "scheduler",
            },
            ["5s", "", "", "node", "", "scheduler", "", "60s", 2, "web"],
        ),
        (resources.CONFIG_MAPS, {"data": {"a": ""}, "binaryData": {"b": ""}}, ["web", 2, "5m"]),
        (resources.SECRETS, {"type": "Opaque", "data": {"a": ""}}, ["web", "Opaque", 1, "5m"]),
        (resources.NAMESPACES, {"status": {"phase": "Active"}}, ["web", "Active", "5m"]),
        (resources.SERVICE_ACCOUNTS, {}, ["web", 0, "5m"]),
        (resources.LEASES, {"spec": {"holderIdentity": "me"}}, ["web", "me", "5m"]),
    ],
    ids=lambda value: value.plural if isinstance(value, Resource) else "",
)
def test_cells(resource: Resource, fields: Object, shown: list[Any]) -> None:
    assert cells(resource, {"metadata": meta(), **fields}) == shown


def _metric(kind: str, target: Object, **source: Any) -> Object:
    field = kind[0].lower() + kind[1:]
    return {"type": kind, field: {"target": target, **source}}


def _current(kind: str, current: Object) -> Object:
    return {"type": kind, kind[0].lower() + kind[1:]: {"current": current}}


@pytest.mark.parametrize(
    ("metrics", "current", "text"),
    [
        ([_metric("Resource", {"averageUtilization": 80}, name="cpu")], [], "cpu: <unknown>/80%"),
        (
            [_metric("Resource", {"averageUtilization": 80}, name="cpu")],
            [_current("Resource", {"averageUtilization": 42})],
            "cpu: 42%/80%",
        ),
        (
            [_metric("Resource", {"averageValue": "1Gi"}, name="memory")],
            [_current("Resource", {"averageValue": "512Mi"})],
            "memory: 512Mi/1Gi",
        ),
        ([_metric("Pods", {"averageValue": "100"})], [_current("Pods", {"averageValue": "7"})], "7/100"),
        ([_metric("External", {"averageValue": "100"})], [], "<unknown>/100 (avg)"),
        ([_metric("Object", {"value": "100"})], [_current("Object", {"value": "7"})], "7/100"),
        (
            [_metric("Resource", {"averageUtilization": n}, name="cpu") for n in (1, 2, 3)],
            [],
            "cpu: <unknown>/1%, cpu: <unknown>/2% + 1 more...",
        ),
        ([], [], "<none>"),
    ],
    ids=["unknown", "percent", "amount", "pods", "external", "object", "many", "none"],
)
def test_targets_of_autoscalers(metrics: list[Object], current: list[Object], text: str) -> None:
    autoscaler = {
        "metadata": meta(),
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5, "metrics": metrics},
        "status": {"currentMetrics": current, "currentReplicas": 2},
    }
    shown = cells(resources.HORIZONTAL_POD_AUTOSCALERS, autoscaler)
    assert shown == ["web", "Deployment/web", text, "<unset>", 5, 2, "5m"]


def test_a_table_says_where_the_list_goes_on() -> None:
    shown = table(
        resources.NAMESPACES, [], resource_version="7", include="None", now=NOW, continue_token="next", remaining=3
    )
    assert (shown["kind"], shown["apiVersion"], shown["rows"]) == ("Table", "meta.k8s.io/v1", [])
    assert shown["metadata"] == {"resourceVersion": "7", "continue": "next", "remainingItemCount": 3}
    assert shown["columnDefinitions"][0] == {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "Name must be unique within a namespace.",
        "priority": 0,
    }


@pytest.mark.parametrize("include", ["Metadata", "Object", "None"])
def test_rows_carry_as_much_of_the_object_as_was_asked_for(include: str) -> None:
    obj = {"metadata": meta(), "data": {"a": "b"}}
    carried = row(resources.CONFIG_MAPS, obj, include, NOW)["object"]
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta()}
    assert carried == {"Metadata": partial, "Object": obj, "None": None}[include]


def test_other_kinds_are_shown_by_name_and_time() -> None:
    unknown = Resource("example.com", "v1", "things", "Thing")
    assert names(unknown) == ["Name", "Created At"]
    assert cells(unknown, {"metadata": meta()}) == ["web", ago(5 * MINUTE)]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_an_empty_object_can_be_shown(resource: Resource) -> None:
    assert len(cells(resource, {})) == len(names(resource))
