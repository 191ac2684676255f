"""Warn of what is accepted in a Pod, but will surprise: the few that Kubernetes has, and what is ours."""

from __future__ import annotations

from collections.abc import Iterator

from grandstand.api.rules import names
from grandstand.api.rules.fields import indexed, part
from grandstand.kinds import Object

from .environment import defined_twice
from .refused import ACCEPTED_WITH_WARNING

_DEPRECATED_NODE_LABELS = {
    "beta.kubernetes.io/arch": ("v1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": ("v1.14", "kubernetes.io/os"),
    "failure-domain.beta.kubernetes.io/region": ("v1.17", "topology.kubernetes.io/region"),
    "failure-domain.beta.kubernetes.io/zone": ("v1.17", "topology.kubernetes.io/zone"),
    "beta.kubernetes.io/instance-type": ("v1.17", "node.kubernetes.io/instance-type"),
}
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


def pod_warnings(pod: Object) -> Iterator[str]:
    name = part(pod, "metadata").get("name") or ""
    if name and (problems := names.dns_label(name)):
        yield (
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )
    yield from template_warnings(pod, "")


def template_warnings(template: Object, path: str) -> Iterator[str]:
    """`path` is "" for a Pod, and ends with a dot for a template: `spec.template.`."""
    spec, where = part(template, "spec"), f"{path}spec"
    for label in part(spec, "nodeSelector"):
        if label in _DEPRECATED_NODE_LABELS:
            since, instead = _DEPRECATED_NODE_LABELS[label]
            yield f'{where}.nodeSelector[{label}]: deprecated since {since}; use "{instead}" instead'
    for key, warning in ACCEPTED_WITH_WARNING.items():
        if spec.get(key):
            yield f"{where}.{key}: {warning}"
    for key in part(part(template, "metadata"), "annotations"):
        if key.startswith(_APPARMOR_ANNOTATION):
            yield f"{path}metadata.annotations[{key}]: AppArmor profiles are not applied"
    for key in ("initContainers", "containers"):
        for container_path, container in indexed(spec, key, where):
            yield from _container_warnings(container, container_path)


def _container_warnings(container: Object, path: str) -> Iterator[str]:
    yield from defined_twice(container, path)
    if "ephemeral-storage" in part(part(container, "resources"), "limits"):
        yield f"{path}.resources.limits[ephemeral-storage]: disk usage is not limited; set emptyDir.sizeLimit instead"
    seen: dict[tuple[int, str], int] = {}
    for index, (where, port) in enumerate(indexed(container, "ports", path)):
        claim = (port.get("containerPort") or 0, port.get("protocol") or "TCP")
        if claim in seen:
            yield f"{where}: duplicate port definition with {path}.ports[{seen[claim]}]"
        seen.setdefault(claim, index)
