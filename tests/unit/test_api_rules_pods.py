"""Pods: defaults, quality of service, what is fine, warnings."""

from __future__ import annotations

import copy

import pytest
from api_rules_objects import changed, created, pod, pod_with, refusals

from grandstand.api import rules
from grandstand.api.rules.pods import quality_of_service
from grandstand.kinds.resources import PODS


def test_a_pod_gets_every_default() -> None:
    sent = pod(
        containers=[
            {
                "name": "web",
                "image": "payment-app",
                "ports": [{"containerPort": 8000}],
                "env": [
                    {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                ],
                "resources": {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "500m"}},
                "readinessProbe": {"httpGet": {"port": 8000}},
                "lifecycle": {"preStop": {"httpGet": {"port": 8000, "path": "/stop"}}},
            }
        ],
        initContainers=[{"name": "init", "image": "payment-app:v1"}],
        volumes=[
            {"name": "none"},
            {"name": "config", "configMap": {"name": "config"}},
            {"name": "secret", "secret": {"secretName": "secret"}},
            {"name": "host", "hostPath": {"path": "/srv"}},
            {"name": "about", "downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"name": "all", "projected": {"sources": [{"configMap": {"name": "config"}}]}},
        ],
    )
    before = copy.deepcopy(sent)

    stored = created(PODS, sent)

    assert sent == before
    assert stored == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": "payment-app",
                    "imagePullPolicy": "Always",
                    "ports": [{"containerPort": 8000, "protocol": "TCP"}],
                    "env": [
                        {"name": "ME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
                        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}},
                    ],
                    "resources": {
                        "limits": {"cpu": "1", "memory": "64Mi"},
                        "requests": {"cpu": "500m", "memory": "64Mi"},
                    },
                    "readinessProbe": {
                        "httpGet": {"port": 8000, "path": "/", "scheme": "HTTP"},
                        "timeoutSeconds": 1,
                        "periodSeconds": 10,
                        "successThreshold": 1,
                        "failureThreshold": 3,
                    },
                    "lifecycle": {"preStop": {"httpGet": {"port": 8000, "path": "/stop", "scheme": "HTTP"}}},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }
            ],
            "initContainers": [
                {
                    "name": "init",
                    "image": "payment-app:v1",
                    "imagePullPolicy": "IfNotPresent",
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }
            ],
            "volumes": [
                {"name": "none", "emptyDir": {}},
                {"name": "config", "configMap": {"name": "config", "defaultMode": 420}},
                {"name": "secret", "secret": {"secretName": "secret", "defaultMode": 420}},
                {"name": "host", "hostPath": {"path": "/srv", "type": ""}},
                {
                    "name": "about",
                    "downwardAPI": {
                        "defaultMode": 420,
                        "items": [{"path": "n", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}],
                    },
                },
                {"name": "all", "projected": {"defaultMode": 420, "sources": [{"configMap": {"name": "config"}}]}},
            ],
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": 30,
            "securityContext": {},
            "enableServiceLinks": True,
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }
    assert rules.validate(PODS, stored, None) == ()


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("registry:5000/nginx", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry:5000/nginx:1.27", "IfNotPresent"),
        (f"nginx@sha256:{'0' * 64}", "IfNotPresent"),
    ],
    ids=["no tag", "latest", "a port is no tag", "tag", "port and tag", "digest"],
)
def test_the_pull_policy_follows_from_the_tag(image: str, policy: str) -> None:
    stored = created(PODS, pod_with(image=image))
    assert stored["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_ports_of_a_pod_on_the_host_network_are_host_ports() -> None:
    stored = created(
        PODS, pod(hostNetwork=True, containers=[{"name": "a", "image": "b:1", "ports": [{"containerPort": 80}]}])
    )
    assert stored["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    assert rules.validate(PODS, stored, None) == ()


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ([{}], "BestEffort"),
        ([{"limits": {"cpu": "0"}}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}], "Burstable"),
    ],
    ids=["nothing", "zero is nothing", "requests", "equal amounts", "one container without", "memory missing"],
)
def test_quality_of_service(resources: list[dict[str, object]], quality: str) -> None:
    spec = {"containers": [{"name": f"c{i}", "resources": wanted} for i, wanted in enumerate(resources)]}
    assert quality_of_service(spec) == quality


@pytest.mark.parametrize(
    ("spec", "container"),
    [
        ({"restartPolicy": "Never"}, {}),
        ({"hostPID": True, "hostIPC": True}, {}),
        (
            {
                "initContainers": [
                    {
                        "name": "log",
                        "image": "a:1",
                        "restartPolicy": "Always",
                        "startupProbe": {"exec": {"command": ["a"]}},
                    }
                ]
            },
            {},
        ),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"], "searches": ["_a.b."]}}, {}),
        ({"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}}, {}),
        ({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 1}}, {}),
        ({"priorityClassName": "system-node-critical"}, {}),
        ({"volumes": [{"name": "a", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]}, {}),
        ({"tolerations": [{"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}]}, {}),
        (
            {"os": {"name": "linux"}},
            {"lifecycle": {"stopSignal": "SIGRTMIN+3", "postStart": {"exec": {"command": ["a"]}}}},
        ),
        ({}, {"resources": {"limits": {"cpu": "0.5", "memory": "1e8"}}}),
        ({}, {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}),
        ({}, {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]}),
        ({}, {"workingDir": "/process"}),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_what_is_fine_in_a_pod(spec: dict[str, object], container: dict[str, object]) -> None:
    fine = pod(**spec)
    fine["spec"]["containers"][0].update(container)
    assert refusals(PODS, fine) == []


@pytest.mark.parametrize(
    ("obj", "warning"),
    [
        (
            pod(imagePullSecrets=[{"name": "a"}]),
            "spec.imagePullSecrets: registry credentials are not used for pulling: for a private registry, "
            "run `grandstand image pull` or `grandstand image load` first",
        ),
        (
            pod(automountServiceAccountToken=True),
            "spec.automountServiceAccountToken: no service account token is mounted into containers",
        ),
        (
            pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
            'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        ),
        (
            pod_with(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
            'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        ),
        (
            pod_with(ports=[{"containerPort": 1}, {"containerPort": 1}]),
            "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
        ),
        (
            pod_with(resources={"limits": {"ephemeral-storage": "1Gi"}}),
            "spec.containers[0].resources.limits[ephemeral-storage]: disk usage is not limited; "
            "set emptyDir.sizeLimit instead",
        ),
        (
            changed(pod(), "metadata.annotations", {"container.apparmor.security.beta.kubernetes.io/web": "x"}),
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/web]: "
            "AppArmor profiles are not applied",
        ),
    ],
    ids=["pull secrets", "token", "node label", "environment", "port", "disk", "apparmor"],
)
def test_warnings(obj: dict, warning: str) -> None:
    assert rules.warnings(PODS, created(PODS, obj)) == (warning,)


def test_no_warnings_where_nothing_surprises() -> None:
    assert rules.warnings(PODS, created(PODS, pod())) == ()
