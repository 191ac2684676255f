"""What Deployments and ReplicaSets have in common."""

from __future__ import annotations

from collections.abc import Iterator

from grandstand.kinds import Object

from . import names
from .fields import part
from .pods import default_pod_spec, template_warnings


def default_template(spec: Object) -> None:
    """The defaults of `spec.template`, and of the number of replicas."""
    spec.setdefault("replicas", 1)
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def workload_warnings(workload: Object) -> Iterator[str]:
    yield from template_warnings(part(part(workload, "spec"), "template"), "spec.template.")
    name = part(workload, "metadata").get("name") or ""
    if name and (problems := names.dns_label(name)):
        yield (
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )
