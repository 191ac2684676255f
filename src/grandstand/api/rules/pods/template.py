"""Check the Pod template of a Deployment or ReplicaSet."""

from __future__ import annotations

from grandstand.api.rules import label_selectors
from grandstand.api.rules.fields import Causes, forbidden, invalid, not_supported, part, required
from grandstand.api.rules.meta import check_annotations, check_labels
from grandstand.kinds import Object

from .spec import check_pod_spec

__all__ = ["check_selector", "check_template"]


def check_template(owner_spec: Object, path: str, kind: str) -> Causes:
    """The template of an owner that keeps its Pods running: its selector finds them, and they always restart."""
    template, where = part(owner_spec, "template"), f"{path}.template"
    if not template:
        yield required(where)
        return
    meta, spec = part(template, "metadata"), part(template, "spec")
    labels, selector = part(meta, "labels"), part(owner_spec, "selector")
    if label_selectors.is_empty(selector) or not label_selectors.found_by(selector, labels):
        yield invalid(f"{where}.metadata.labels", labels or None, "`selector` does not match template `labels`")
    yield from check_labels(labels, f"{where}.metadata.labels")
    yield from check_annotations(part(meta, "annotations"), f"{where}.metadata.annotations")
    yield from check_pod_spec(spec, f"{where}.spec")
    if spec.get("restartPolicy") in ("OnFailure", "Never"):
        yield not_supported(f"{where}.spec.restartPolicy", spec["restartPolicy"], ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        yield forbidden(f"{where}.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported")


def check_selector(owner_spec: Object, path: str, kind: str) -> Causes:
    selector = owner_spec.get("selector")
    if selector is None:
        yield required(f"{path}.selector")
        return
    yield from label_selectors.check(selector, f"{path}.selector")
    if label_selectors.is_empty(selector):
        yield invalid(f"{path}.selector", selector, f"empty selector is invalid for {kind}")
