"""What is wrong with a Pod: one row per rule, with the words that Kubernetes has for it."""

from __future__ import annotations

import pytest
from api_rules_objects import changed, pod, refusals

from grandstand.kinds.resources import PODS

WRONG = [
    ("spec.containers", [], "spec.containers: Required value"),
    ("spec.containers.0.name", "", "spec.containers[0].name: Required value"),
    ("spec.containers.0.image", "", "spec.containers[0].image: Required value"),
    (
        "spec.containers.0.image",
        " web",
        'spec.containers[0].image: Invalid value: " web": must not have leading or trailing whitespace',
    ),
    (
        "spec.initContainers",
        [{"name": "web", "image": "a:1"}],
        'spec.initContainers[0].name: Duplicate value: "web"',
    ),
    (
        "spec.containers.0.imagePullPolicy",
        "Sometimes",
        'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": '
        'supported values: "Always", "IfNotPresent", "Never"',
    ),
    (
        "spec.containers.0.ports",
        [{"containerPort": 70000}],
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ),
    ("spec.containers.0.ports", [{"name": "a"}], "spec.containers[0].ports[0].containerPort: Required value"),
    (
        "spec.containers.0.ports",
        [{"containerPort": 1, "name": "a-very-long-port-name"}],
        'spec.containers[0].ports[0].name: Invalid value: "a-very-long-port-name": must be no more than 15 characters',
    ),
    (
        "spec.containers.0.ports",
        [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}],
        'spec.containers[0].ports[1].name: Duplicate value: "a"',
    ),
    (
        "spec.containers.0.ports",
        [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}],
        'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//5"',
    ),
    (
        "spec.containers.0.resources",
        {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}},
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    (
        "spec.containers.0.resources",
        {"requests": {"memory": "-1"}},
        'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
    ),
    (
        "spec.containers.0.resources",
        {"requests": {"colour": "1"}},
        'spec.containers[0].resources.requests[colour]: Unsupported value: "colour": '
        'supported values: "cpu", "memory", "ephemeral-storage"',
    ),
    (
        "spec.containers.0.livenessProbe",
        {"periodSeconds": 5},
        "spec.containers[0].livenessProbe: Required value: must specify a handler type",
    ),
    (
        "spec.containers.0.livenessProbe",
        {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}},
        "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    ),
    (
        "spec.containers.0.livenessProbe",
        {"exec": {"command": ["a"]}, "successThreshold": 2},
        "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
    ),
    (
        "spec.containers.0.startupProbe",
        {"exec": {}, "successThreshold": 1},
        "spec.containers[0].startupProbe.exec.command: Required value",
    ),
    (
        "spec.containers.0.readinessProbe",
        {"httpGet": {"port": 0}},
        "spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    (
        "spec.containers.0.readinessProbe",
        {"tcpSocket": {"port": 80}, "initialDelaySeconds": -1},
        "spec.containers[0].readinessProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        "spec.containers.0.readinessProbe",
        {"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 3},
        "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 3: "
        "must not be set for readinessProbes",
    ),
    (
        "spec.containers.0.lifecycle",
        {"preStop": {}},
        "spec.containers[0].lifecycle.preStop: Required value: must specify a handler type",
    ),
    (
        "spec.containers.0.lifecycle",
        {"preStop": {"sleep": {"seconds": 31}}},
        "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: "
        "must be non-negative and less than terminationGracePeriodSeconds (30)",
    ),
    (
        "spec.containers.0.lifecycle",
        {"stopSignal": "SIGUSR1"},
        "spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`",
    ),
    ("spec.containers.0.env", [{"value": "a"}], "spec.containers[0].env[0].name: Required value"),
    (
        "spec.containers.0.env",
        [{"name": "A", "value": "a", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
        'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ),
    (
        "spec.containers.0.env",
        [{"name": "A", "valueFrom": {}}],
        'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: '
        "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
    ),
    (
        "spec.containers.0.env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.restartPolicy"}}}],
        "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "
        '"spec.restartPolicy": supported values: "metadata.name", "metadata.namespace", "metadata.uid", '
        '"spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", '
        '"status.podIPs"',
    ),
    (
        "spec.containers.0.envFrom",
        [{"configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}],
        'spec.containers[0].envFrom[0]: Invalid value: "": may not have more than one field specified at a time',
    ),
    (
        "spec.containers.0.volumeMounts",
        [{"name": "data", "mountPath": "/data"}],
        'spec.containers[0].volumeMounts[0].name: Not found: "data"',
    ),
    (
        "spec.volumes",
        [{"name": "a"}, {"name": "a"}],
        'spec.volumes[1].name: Duplicate value: "a"',
    ),
    (
        "spec.volumes",
        [{"name": "a", "emptyDir": {}, "secret": {"secretName": "b"}}],
        "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
    ),
    (
        "spec.volumes",
        [{"name": "a", "hostPath": {"path": "/a/../b"}}],
        "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
    ),
    (
        "spec.volumes",
        [{"name": "a", "configMap": {"name": "b", "defaultMode": 4096}}],
        "spec.volumes[0].configMap.defaultMode: Invalid value: 4096: "
        "must be a number between 0 and 0777 (octal), both inclusive",
    ),
    (
        "spec.volumes",
        [{"name": "a", "secret": {"secretName": "b", "items": [{"key": "k", "path": "../k"}]}}],
        "spec.volumes[0].secret.items[0].path: Invalid value: \"../k\": must not contain '..'",
    ),
    (
        "spec.volumes",
        [
            {
                "name": "a",
                "projected": {
                    "sources": [
                        {"secret": {"name": "b", "items": [{"key": "k", "path": "p"}]}},
                        {"configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}},
                    ]
                },
            }
        ],
        'spec.volumes[0].projected.sources[1].configMap.items[0].path: Invalid value: "p": conflicting duplicate paths',
    ),
    (
        "spec.restartPolicy",
        "Perhaps",
        'spec.restartPolicy: Unsupported value: "Perhaps": supported values: "Always", "OnFailure", "Never"',
    ),
    (
        "spec.terminationGracePeriodSeconds",
        -1,
        "spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        "spec.dnsPolicy",
        "None",
        "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
    ),
    (
        "spec.tolerations",
        [{"operator": "Exists", "value": "a"}],
        "spec.tolerations[0].operator: Invalid value: \"Exists\": value must be empty when `operator` is 'Exists'",
    ),
    (
        "spec.topologySpreadConstraints",
        [{"maxSkew": 0, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}],
        "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
    ),
    (
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
        {"nodeSelectorTerms": []},
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
        "Required value: must have at least one node selector term",
    ),
    (
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution",
        [{"labelSelector": {}}],
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: "
        "Required value: can not be empty",
    ),
    (
        "spec.containers.0.securityContext",
        {"allowPrivilegeEscalation": False, "privileged": True},
        'spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true}: '
        "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
    ),
    (
        "spec.containers.0.securityContext",
        {"runAsUser": -1},
        "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    ),
    (
        "spec.priority",
        7,
        "spec.priority: Forbidden: the integer value of priority (7) must not be provided in pod spec; "
        "priority admission controller computed 0 from the given PriorityClass name",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "refusal"), WRONG, ids=[refusal.partition(": ")[0] for _, _, refusal in WRONG]
)
def test_what_is_wrong_with_a_pod(path: str, value: object, refusal: str) -> None:
    assert refusals(PODS, changed(pod(), path, value)) == [refusal]


def test_mounts_must_differ_and_be_absolute() -> None:
    mounts = [{"name": "a", "mountPath": "/a"}, {"name": "a", "mountPath": "/a"}, {"name": "a", "mountPath": "b"}]
    wrong = changed(pod(volumes=[{"name": "a"}]), "spec.containers.0.volumeMounts", mounts)
    assert refusals(PODS, wrong) == [
        'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
        'spec.containers[0].volumeMounts[2].mountPath: Invalid value: "b": must be an absolute path',
    ]
