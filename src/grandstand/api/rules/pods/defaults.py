"""Fill in what a Pod leaves out, as Kubernetes does. In place: on a copy that is the caller's own."""

from __future__ import annotations

from itertools import chain

from grandstand.api.rules.fields import fill, items, part
from grandstand.kinds import Object

FILE_MODE = 0o644

PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
PRIORITY_CLASSES = tuple(PRIORITIES)


def default_pod(pod: Object) -> None:
    """A Pod of its own. What Kubernetes' admission adds to it is included, but for the `not-ready` and `unreachable`
    tolerations: with one node there is nowhere else to run, so Pods are never evicted from it."""
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    fill(spec, serviceAccountName="default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("priority", PRIORITIES.get(spec.get("priorityClassName", ""), 0))
    fill(spec, preemptionPolicy="PreemptLowerPriority")
    for container in chain(items(spec, "containers"), items(spec, "initContainers")):
        _request_what_is_limited(container)


def _request_what_is_limited(container: Object) -> None:
    if limits := part(container["resources"], "limits"):
        container["resources"]["requests"] = {**limits, **part(container["resources"], "requests")}


def default_pod_spec(spec: Object) -> None:
    """What a Pod and a template have in common."""
    fill(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in chain(items(spec, "containers"), items(spec, "initContainers")):
        _default_container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in items(spec, "volumes"):
        _default_volume(volume)


def _default_container(container: Object, *, host_network: bool) -> None:
    fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    fill(container, imagePullPolicy="Always" if _is_latest(container.get("image") or "") else "IfNotPresent")
    container.setdefault("resources", {})
    for port in items(container, "ports"):
        fill(port, protocol="TCP")
        if host_network and port.get("containerPort"):
            fill(port, hostPort=port["containerPort"])
    for variable in items(container, "env"):
        _default_sources(variable.get("valueFrom") or {})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _default_probe(container[name])
    for hook in part(container, "lifecycle").values():
        if isinstance(hook, dict):
            _default_handler(hook)


def _is_latest(image: str) -> bool:
    """Whether an image has the tag `latest`, or neither tag nor digest."""
    if "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")


def _default_probe(probe: Object) -> None:
    fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _default_handler(probe)
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _default_handler(handler: Object) -> None:
    if "httpGet" in handler:
        fill(handler["httpGet"], path="/", scheme="HTTP")


def _default_sources(source: Object) -> None:
    """`fieldRef` and `resourceFieldRef`, in an environment variable or a downwardAPI file."""
    if "fieldRef" in source:
        fill(source["fieldRef"], apiVersion="v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")


def _default_volume(volume: Object) -> None:
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if kind in volume:
            volume[kind].setdefault("defaultMode", FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for item in items(part(volume, "downwardAPI"), "items"):
        _default_sources(item)
    for source in items(part(volume, "projected"), "sources"):
        for item in items(part(source, "downwardAPI"), "items"):
            _default_sources(item)
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
