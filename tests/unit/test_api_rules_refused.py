"""What this platform does not do is refused with a reason: a row per refusal, and each of them in the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from api_rules_objects import changed, deployment, ingress, plain, pod, refusals, service

from grandstand.api.rules.pods import ACCEPTED_WITH_WARNING, REFUSED_IN_CONTAINER, REFUSED_IN_POD
from grandstand.api.rules.services import REFUSED_TYPES
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    INGRESSES,
    LEASES,
    PODS,
    SECRETS,
    SERVICES,
)

REFERENCE = (Path(__file__).parents[2] / "docs/reference/kubernetes-api.md").read_text()

IN_POD: dict[str, Any] = {
    "securityContext.windowsOptions": {"hostProcess": True},
    "securityContext.seLinuxOptions": {"level": "s0"},
    "securityContext.seccompProfile.type": "Localhost",
    "securityContext.appArmorProfile.type": "RuntimeDefault",
    "securityContext.seLinuxChangePolicy": "MountOption",
    "securityContext.supplementalGroupsPolicy": "Strict",
    "shareProcessNamespace": True,
    "hostUsers": False,
    "runtimeClassName": "gvisor",
    "overhead": {"cpu": "10m"},
    "ephemeralContainers": [{"name": "debug"}],
    "resourceClaims": [{"name": "gpu"}],
    "resources": {"limits": {"cpu": "1"}},
    "schedulingGates": [{"name": "later"}],
    "schedulingGroup": {"podGroupName": "all"},
    "evictionResponders": [{"name": "a"}],
    "setHostnameAsFQDN": True,
    "hostnameOverride": "other",
    "schedulerName": "mine",
    "os.name": "windows",
}
IN_CONTAINER: dict[str, Any] = {
    "securityContext.windowsOptions": {"hostProcess": True},
    "securityContext.seLinuxOptions": {"level": "s0"},
    "securityContext.seccompProfile.type": "Localhost",
    "securityContext.appArmorProfile.type": "Localhost",
    "securityContext.procMount": "Unmasked",
    "volumeDevices": [{"name": "disk", "devicePath": "/dev/x"}],
    "restartPolicyRules": [{"action": "Restart"}],
    "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
    "livenessProbe.grpc": {"port": 1},
    "readinessProbe.grpc": {"port": 1},
    "startupProbe.grpc": {"port": 1},
}
HARMLESS = {
    "shareProcessNamespace": False,
    "hostUsers": True,
    "setHostnameAsFQDN": False,
    "schedulerName": "default-scheduler",
    "os.name": "linux",
    "securityContext.seccompProfile.type": "RuntimeDefault",
    "securityContext.appArmorProfile.type": "Unconfined",
    "securityContext.supplementalGroupsPolicy": "Merge",
}


def test_every_refusal_has_a_row() -> None:
    assert {refused.field for refused in REFUSED_IN_POD} == IN_POD.keys()
    assert {refused.field for refused in REFUSED_IN_CONTAINER} == IN_CONTAINER.keys()


@pytest.mark.parametrize("refused", REFUSED_IN_POD, ids=lambda refused: refused.field)
def test_refused_in_pods(refused: Any) -> None:
    wrong = changed(pod(), f"spec.{refused.field}", IN_POD[refused.field])
    assert refusals(PODS, wrong) == [f"spec.{refused.field}: Forbidden: {refused.why}"]


@pytest.mark.parametrize("refused", REFUSED_IN_CONTAINER, ids=lambda refused: refused.field)
def test_refused_in_containers(refused: Any) -> None:
    wrong = changed(pod(), f"spec.containers.0.{refused.field}", IN_CONTAINER[refused.field])
    assert f"spec.containers[0].{refused.field}: Forbidden: {refused.why}" in refusals(PODS, wrong)


@pytest.mark.parametrize(("field", "value"), HARMLESS.items(), ids=HARMLESS)
def test_the_ordinary_value_is_not_refused(field: str, value: object) -> None:
    assert refusals(PODS, changed(pod(), f"spec.{field}", value)) == []


def test_templates_are_refused_as_pods_are() -> None:
    wrong = changed(deployment(), "spec.template.spec.hostUsers", False)
    (refusal,) = refusals(DEPLOYMENTS, wrong)
    assert refusal.startswith("spec.template.spec.hostUsers: Forbidden: user namespaces need runc 1.2 or crun 1.9")


def _volume(**source: Any) -> Object:
    return pod(volumes=[{"name": "v", **source}])


def _mount(**options: Any) -> Object:
    mounted = pod(volumes=[{"name": "v"}])
    return changed(mounted, "spec.containers.0.volumeMounts", [{"name": "v", "mountPath": "/v", **options}])


ELSEWHERE: list[tuple[str, Resource, Object, str]] = [
    (
        "claim",
        PODS,
        _volume(persistentVolumeClaim={"claimName": "a"}),
        "spec.volumes[0].persistentVolumeClaim: Forbidden: volumes of this type are not supported: "
        "there is one machine and no volume claims: use hostPath for data that outlives the Pod",
    ),
    (
        "image volume",
        PODS,
        _volume(image={"reference": "a"}),
        "spec.volumes[0].image: Forbidden: volumes of this type are not supported: "
        "use an init container that copies the files into an emptyDir",
    ),
    (
        "other volume",
        PODS,
        _volume(nfs={"server": "a", "path": "/"}),
        "spec.volumes[0].nfs: Forbidden: volumes of this type are not supported: "
        "use one of configMap, downwardAPI, emptyDir, hostPath, projected, secret",
    ),
    (
        "token",
        PODS,
        _volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
        "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: this projection is not supported: "
        "no service account tokens are issued: keep a token in a Secret, and project that",
    ),
    (
        "huge pages",
        PODS,
        _volume(emptyDir={"medium": "HugePages-2Mi"}),
        "spec.volumes[0].emptyDir.medium: Forbidden: huge pages are not supported: use Memory",
    ),
    (
        "mode of a directory",
        PODS,
        _volume(emptyDir={"mode": 448}),
        "spec.volumes[0].emptyDir.mode: Forbidden: the mode of an emptyDir is always 0777: "
        "set fsGroup, or chmod in an init container",
    ),
    (
        "recursive read-only",
        PODS,
        _mount(recursiveReadOnly="Enabled", readOnly=True),
        "spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: "
        "recursive read-only mounts are not supported: use readOnly, or IfPossible",
    ),
    (
        "mount options",
        PODS,
        _mount(bindMountOptions=["noexec"]),
        "spec.containers[0].volumeMounts[0].bindMountOptions: Forbidden: "
        "mount options are not supported: leave them out",
    ),
    (
        "huge pages requested",
        PODS,
        changed(pod(), "spec.containers.0.resources", {"requests": {"hugepages-2Mi": "2Mi"}}),
        "spec.containers[0].resources.requests[hugepages-2Mi]: Forbidden: "
        "huge pages are not supported: request memory instead",
    ),
    (
        "device",
        PODS,
        changed(pod(), "spec.containers.0.resources", {"requests": {"nvidia.com/gpu": "1"}}),
        "spec.containers[0].resources.requests[nvidia.com/gpu]: Forbidden: "
        "this node has no nvidia.com/gpu: devices and other extended resources are not supported",
    ),
    (
        "claims of a container",
        PODS,
        changed(pod(), "spec.containers.0.resources", {"claims": [{"name": "gpu"}]}),
        "spec.containers[0].resources.claims: Forbidden: "
        "resource claims are not supported: use cpu and memory requests and limits",
    ),
    (
        "restart policy of a container",
        PODS,
        changed(pod(), "spec.containers.0.restartPolicy", "Never"),
        "spec.containers[0].restartPolicy: Forbidden: "
        "restart policies of single containers are not supported: use that of the Pod",
    ),
    (
        "file in the environment",
        PODS,
        changed(pod(), "spec.containers.0.env", [{"name": "A", "valueFrom": {"fileKeyRef": {"key": "a"}}}]),
        "spec.containers[0].env[0].valueFrom.fileKeyRef: Forbidden: "
        "values from files in volumes are not supported: use a ConfigMap or a Secret",
    ),
    (
        "priority class",
        PODS,
        pod(priorityClassName="mine"),
        "spec.priorityClassName: Forbidden: no PriorityClass with name mine was found: "
        "the only ones are system-cluster-critical and system-node-critical; leave it out",
    ),
    (
        "working directory",
        PODS,
        changed(pod(), "spec.containers.0.workingDir", "//proc/self/fd/8"),
        "spec.containers[0].workingDir: Forbidden: a working directory below /proc is not allowed: choose another",
    ),
    (
        "node port",
        SERVICES,
        service(type="NodePort"),
        "spec.type: Forbidden: NodePort is not supported: there is no port range to hand out on one machine; "
        "use ClusterIP, and reach the Service from outside as http://<service>.<namespace>.localhost, "
        "or through an Ingress",
    ),
    (
        "load balancer",
        SERVICES,
        service(type="LoadBalancer"),
        "spec.type: Forbidden: LoadBalancer is not supported: there is no load balancer to order on one machine; "
        "use ClusterIP, and reach the Service from outside as http://<service>.<namespace>.localhost, "
        "or through an Ingress",
    ),
    (
        "external addresses",
        SERVICES,
        service(externalIPs=["192.0.2.1"]),
        "spec.externalIPs: Forbidden: external addresses are not supported: use an Ingress, or hostPort in the Pod",
    ),
    (
        "SCTP",
        SERVICES,
        service(ports=[{"port": 80, "protocol": "SCTP"}]),
        "spec.ports[0].protocol: Forbidden: SCTP is not supported: use TCP or UDP",
    ),
    (
        "IPv6",
        SERVICES,
        service(ipFamilies=["IPv6"]),
        'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster: '
        "Pods and Services have IPv4 addresses",
    ),
    (
        "dual stack",
        SERVICES,
        service(ipFamilyPolicy="RequireDualStack"),
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
        "this cluster is not configured for dual-stack services",
    ),
    (
        "resource behind an Ingress",
        INGRESSES,
        ingress(defaultBackend={"resource": {"kind": "Bucket", "name": "a"}}),
        "spec.defaultBackend.resource: Forbidden: the gateway routes to Services only: use service",
    ),
    (
        "slice of names",
        ENDPOINT_SLICES,
        plain("EndpointSlice", addressType="FQDN"),
        "addressType: Forbidden: endpoints of the type FQDN are not served: Services have IPv4 addresses only",
    ),
    (
        "account token",
        SECRETS,
        plain("Secret", type="kubernetes.io/service-account-token"),
        "type: Forbidden: no service account tokens are issued: use a credential of the kubeconfig",
    ),
    (
        "leader election",
        LEASES,
        plain("Lease", spec={"strategy": "OldestEmulationVersion"}),
        "spec.strategy: Forbidden: coordinated leader election is not supported: leave it out",
    ),
]


@pytest.mark.parametrize(
    ("resource", "obj", "refusal"), [row[1:] for row in ELSEWHERE], ids=[row[0] for row in ELSEWHERE]
)
def test_refused_elsewhere(resource: Resource, obj: Object, refusal: str) -> None:
    assert refusals(resource, obj) == [refusal]


@pytest.mark.parametrize("name", ["kernel.msgmax", "net.core.somaxconn", "vm.swappiness"])
def test_other_sysctls_are_refused(name: str) -> None:
    wrong = pod(securityContext={"sysctls": [{"name": name, "value": "1"}]})
    (refusal,) = refusals(PODS, wrong)
    assert refusal.startswith(
        "spec.securityContext.sysctls[0].name: Forbidden: only these sysctls are supported: kernel.shm_rmid_forced, "
    )


def _reasons() -> list[str]:
    fields = [refused.why for refused in (*REFUSED_IN_POD, *REFUSED_IN_CONTAINER)]
    return [*fields, *ACCEPTED_WITH_WARNING.values(), *REFUSED_TYPES.values(), *(row[3] for row in ELSEWHERE)]


@pytest.mark.parametrize("reason", sorted(set(_reasons())))
def test_the_reference_names_every_refusal(reason: str) -> None:
    """Field and message stand in the table; of those with a path, what comes after it."""
    message = reason.split(": ", 2)[-1] if ": Forbidden: " in reason or ": Invalid value: " in reason else reason
    assert message.split('": ')[-1] in REFERENCE
