"""What the API does with ReplicaSets."""

from __future__ import annotations

from grandstand.kinds import Object

from .fields import Causes, check_non_negative, check_unchanged, part
from .kind_rules import KindRules
from .pods import check_selector, check_template
from .workloads import default_template, workload_warnings


def _default(replica_set: Object) -> None:
    default_template(replica_set.setdefault("spec", {}))


def _check(replica_set: Object) -> Causes:
    spec = part(replica_set, "spec")
    yield from check_non_negative(spec, "spec", "replicas", "minReadySeconds")
    yield from check_selector(spec, "spec", "deployment")
    yield from check_template(spec, "spec", "ReplicaSet")


def _check_update(new: Object, old: Object) -> Causes:
    return check_unchanged(part(new, "spec"), part(old, "spec"), "spec", "selector")


RULES = KindRules(
    default=_default,
    check=_check,
    check_update=_check_update,
    initial_status=lambda replica_set: {"replicas": 0},
    has_generation=True,
    selectable=frozenset(("status.replicas",)),
    warn=workload_warnings,
)
