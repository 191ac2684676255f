"""Kubernetes' rules for each kind: defaults, checks across fields, what an update may change. Pure, on JSON.

Objects that come in are never changed; what comes out is a copy. Types and unknown fields are the schema's affair:
`validate` expects objects that the schema has passed, and that `prepare_*` has filled in.
"""

from __future__ import annotations

from grandstand.errors import Cause
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import (
    ANALYSIS_RUNS,
    ANALYSIS_TEMPLATES,
    CLUSTER_ANALYSIS_TEMPLATES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    FUNCTION_LAYERS,
    FUNCTION_TRIGGERS,
    FUNCTION_VERSIONS,
    FUNCTIONS,
    HORIZONTAL_POD_AUTOSCALERS,
    INGRESSES,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    ROLLOUTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)

from . import (
    analysis,
    autoscalers,
    config_maps,
    deployments,
    endpoint_slices,
    events,
    function_sources,
    functions,
    ingresses,
    leases,
    meta,
    namespaces,
    nodes,
    pods,
    replica_sets,
    rollouts,
    secrets,
    service_accounts,
    services,
)
from .comparison import same
from .fields import copied, part
from .kind_rules import KindRules

_RULES: dict[Resource, KindRules] = {
    ANALYSIS_RUNS: analysis.RUNS,
    ANALYSIS_TEMPLATES: analysis.TEMPLATES,
    CLUSTER_ANALYSIS_TEMPLATES: analysis.TEMPLATES,
    CONFIG_MAPS: config_maps.RULES,
    DEPLOYMENTS: deployments.RULES,
    ENDPOINT_SLICES: endpoint_slices.RULES,
    EVENTS: events.RULES,
    FUNCTIONS: functions.FUNCTIONS,
    FUNCTION_LAYERS: function_sources.LAYERS,
    FUNCTION_TRIGGERS: function_sources.TRIGGERS,
    FUNCTION_VERSIONS: functions.VERSIONS,
    HORIZONTAL_POD_AUTOSCALERS: autoscalers.RULES,
    INGRESSES: ingresses.RULES,
    LEASES: leases.RULES,
    NAMESPACES: namespaces.RULES,
    NODES: nodes.RULES,
    PODS: pods.RULES,
    REPLICA_SETS: replica_sets.RULES,
    ROLLOUTS: rollouts.RULES,
    SECRETS: secrets.RULES,
    SERVICES: services.RULES,
    SERVICE_ACCOUNTS: service_accounts.RULES,
}

_SELECTABLE = frozenset(("metadata.name", "metadata.namespace"))


def prepare_create(resource: Resource, obj: Object, now: float) -> Object:
    """The object as it is stored at creation: defaults filled in, status and generation as Kubernetes starts them."""
    rules = _RULES[resource]
    new: Object = copied(obj)
    new.setdefault("metadata", {})
    rules.default(new)
    if rules.initial_status is not None:
        new["status"] = rules.initial_status(new)
    else:
        new.pop("status", None)
    if rules.has_generation:
        new["metadata"]["generation"] = 1
    else:
        new["metadata"].pop("generation", None)
    return new


def prepare_update(resource: Resource, new: Object, old: Object, now: float) -> Object:
    """The object as it is stored by an update of its main resource.

    Status and what else is not the client's to change stay as in `old`; the generation grows when the description does.
    """
    rules = _RULES[resource]
    new = copied(new)
    meta.keep(new.setdefault("metadata", {}), part(old, "metadata"))
    rules.default(new)
    rules.keep(new, old)
    if rules.initial_status is not None:
        _put_back(new, old, "status")
    if rules.has_generation and not all(same(new.get(key), old.get(key)) for key in rules.described_by):
        new["metadata"]["generation"] = part(old, "metadata").get("generation", 0) + 1
    return new


def prepare_status(resource: Resource, new: Object, old: Object) -> Object:
    """The object as it is stored by a write to its status endpoint: `old`, with the status of `new`.

    As in Kubernetes, labels, annotations and finalizers may change with it (for a Deployment: not its labels).
    """
    rules = _RULES[resource]
    status_write: Object = {**copied(old), "metadata": copied(part(new, "metadata"))}
    meta.keep(status_write["metadata"], part(old, "metadata"))
    status_write["status"] = copied(part(new, "status"))
    rules.keep_in_status(status_write, old)
    return status_write


def _put_back(new: Object, old: Object, key: str) -> None:
    if key in old:
        new[key] = copied(old[key])
    else:
        new.pop(key, None)


def validate(resource: Resource, obj: Object, old: Object | None) -> tuple[Cause, ...]:
    """What is wrong with an object, or with changing `old` into it; () where nothing is."""
    rules = _RULES[resource]
    new_meta = part(obj, "metadata")
    causes = [*meta.check(new_meta, "metadata", rules.name, namespaced=resource.namespaced), *rules.check(obj)]
    if old is not None:
        causes += meta.check_update(new_meta, part(old, "metadata"), "metadata")
        causes += rules.check_update(obj, old)
    # Rules may find the same thing twice; kubectl would print it twice.
    return tuple(dict.fromkeys(causes))


def selectable_fields(resource: Resource) -> frozenset[str]:
    """The paths that a fieldSelector may name."""
    return _SELECTABLE | _RULES[resource].selectable


def warnings(resource: Resource, obj: Object) -> tuple[str, ...]:
    """What the client should know about an object that is accepted."""
    return tuple(_RULES[resource].warn(obj))


__all__ = ["prepare_create", "prepare_status", "prepare_update", "selectable_fields", "validate", "warnings"]
