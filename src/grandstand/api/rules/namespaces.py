"""What the API does with Namespaces."""

from __future__ import annotations

from grandstand.kinds import Object

from . import names
from .fields import Causes, indexed, invalid, part
from .kind_rules import KindRules

_NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"


def _default(namespace: Object) -> None:
    """Every namespace carries its name as a label, so that selectors can name it."""
    meta = namespace.setdefault("metadata", {})
    if meta.get("name"):
        meta["labels"] = {**part(meta, "labels"), _NAME_LABEL: meta["name"]}
    spec = namespace.setdefault("spec", {})
    if not namespace["metadata"].get("deletionTimestamp") and not spec.get("finalizers"):
        spec["finalizers"] = [FINALIZER]


def _keep(new: Object, old: Object) -> None:
    """Finalizers of a namespace change through its `finalize` endpoint only."""
    new["spec"] = {**new["spec"]}
    finalizers = part(old, "spec").get("finalizers")
    if finalizers is None:
        new["spec"].pop("finalizers", None)
    else:
        new["spec"]["finalizers"] = finalizers


def _check(namespace: Object) -> Causes:
    for where, finalizer in indexed(part(namespace, "spec"), "finalizers", "spec"):
        if problems := names.qualified_name(finalizer):
            yield invalid(where, finalizer, problems[0])
        elif "/" not in finalizer and finalizer != FINALIZER:
            yield invalid(where, finalizer, "name is neither a standard finalizer name nor is it fully qualified")


RULES = KindRules(
    default=_default,
    check=_check,
    name=names.dns_label,
    initial_status=lambda namespace: {"phase": "Active"},
    keep=_keep,
    selectable=frozenset(("status.phase",)),
)
