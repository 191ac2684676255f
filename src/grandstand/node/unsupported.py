"""What a Pod may ask for that this node cannot do: it is refused with a reason, never left out in silence. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from grandstand.kinds import Object

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def unsupported(spec: Object) -> list[str]:
    """Each thing in a Pod's spec that this node lacks, and what to do instead."""
    found = list(_of_pod(spec))
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or []:
            found += [f"{field}[{container['name']}].{problem}" for problem in _of_container(container)]
    return found


def _of_pod(spec: Object) -> Iterator[str]:
    if spec.get("hostUsers") is False:
        yield "hostUsers: false needs runc 1.2 or crun 1.9 and ID-mapped mounts, which this node lacks: remove it"
    if spec.get("runtimeClassName"):
        yield "runtimeClassName: this node has one runtime: remove it"
    if spec.get("shareProcessNamespace"):
        yield "shareProcessNamespace is not supported: remove it, or use hostPID"
    if spec.get("setHostnameAsFQDN"):
        yield "setHostnameAsFQDN is not supported: remove it"
    if spec.get("resourceClaims"):
        yield "resourceClaims: this node has no devices to claim: remove it"
    if spec.get("resources"):
        yield "resources of the whole Pod are not supported: give them to its containers"
    if (spec.get("os") or {}).get("name", "linux") != "linux":
        yield "os.name: this node runs linux only"
    yield from _of_security(spec.get("securityContext") or {})
    if (spec.get("securityContext") or {}).get("supplementalGroupsPolicy") == "Strict":
        yield "securityContext.supplementalGroupsPolicy: Strict is not supported: use Merge"


def _of_security(context: Object) -> Iterator[str]:
    for name in ("seLinuxOptions", "windowsOptions"):
        if context.get(name):
            yield f"securityContext.{name} is not supported: remove it"
    for name in ("appArmorProfile", "seccompProfile"):
        if (context.get(name) or {}).get("type") == "Localhost":
            yield f"securityContext.{name}.type: Localhost is not supported: use RuntimeDefault"
    if context.get("procMount") == "Unmasked":
        yield "securityContext.procMount: Unmasked is not supported: remove it"


def _of_container(container: Object) -> Iterator[str]:
    yield from _of_security(container.get("securityContext") or {})
    if container.get("volumeDevices"):
        yield "volumeDevices are not supported: use volumeMounts"
    if container.get("restartPolicyRules"):
        yield "restartPolicyRules are not supported: use the Pod's restartPolicy"
    yield from _of_actions(container)
    for mount in container.get("volumeMounts") or []:
        if mount.get("recursiveReadOnly") == "Enabled":
            yield f"volumeMounts[{mount['name']}].recursiveReadOnly: Enabled is not supported: use IfPossible"
    for variable in container.get("env") or []:
        if "fileKeyRef" in (variable.get("valueFrom") or {}):
            yield f"env[{variable['name']}].valueFrom.fileKeyRef is not supported: use a ConfigMap"


def _of_actions(container: Object) -> Iterator[str]:
    for probe in _PROBES:
        if "grpc" in (container.get(probe) or {}):
            yield f"{probe}.grpc is not supported: use httpGet, tcpSocket or exec"
    for hook, handler in (container.get("lifecycle") or {}).items():
        if hook in ("postStart", "preStop") and "tcpSocket" in (handler or {}):
            yield f"lifecycle.{hook}.tcpSocket is not supported, as on Kubernetes: use exec, httpGet or sleep"
