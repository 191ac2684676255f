"""Check what a Pod says about where it may run: affinity, tolerations, spreading."""

from __future__ import annotations

from grandstand.api.rules import label_selectors, names
from grandstand.api.rules.fields import (
    Causes,
    check_choice,
    check_name,
    check_optional_choice,
    duplicate,
    forbidden,
    indexed,
    invalid,
    items,
    not_supported,
    part,
    required,
)
from grandstand.api.rules.meta import check_labels
from grandstand.kinds import Object

_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def check_scheduling(spec: Object, path: str) -> Causes:
    yield from check_labels(part(spec, "nodeSelector"), f"{path}.nodeSelector")
    affinity = part(spec, "affinity")
    yield from _check_node_affinity(part(affinity, "nodeAffinity"), f"{path}.affinity.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from _check_pod_affinity(part(affinity, kind), f"{path}.affinity.{kind}")
    for where, toleration in indexed(spec, "tolerations", path):
        yield from _check_toleration(toleration, where)
    yield from _check_spreading(spec, path)


def _check_node_affinity(affinity: Object, path: str) -> Causes:
    if (needed := affinity.get(_REQUIRED)) is not None:
        where = f"{path}.{_REQUIRED}"
        if not items(needed, "nodeSelectorTerms"):
            yield required(f"{where}.nodeSelectorTerms", "must have at least one node selector term")
        for term_path, term in indexed(needed, "nodeSelectorTerms", where):
            yield from _check_node_term(term, term_path)
    for where, preferred in indexed(affinity, _PREFERRED, path):
        yield from _check_weight(preferred, where)
        yield from _check_node_term(part(preferred, "preference"), f"{where}.preference")


def _check_node_term(term: Object, path: str) -> Causes:
    for where, expression in indexed(term, "matchExpressions", path):
        key = expression.get("key") or ""
        yield from check_name(f"{where}.key", key, names.qualified_name(key))
        yield from _check_node_operator(expression, where)
    for where, expression in indexed(term, "matchFields", path):
        if expression.get("key") != "metadata.name":
            yield not_supported(f"{where}.key", expression.get("key") or "", ("metadata.name",))
        yield from check_choice(expression, "operator", where, ("In", "NotIn"))
        if len(items(expression, "values")) != 1:
            yield required(
                f"{where}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            )


def _check_node_operator(expression: Object, path: str) -> Causes:
    operator, values = expression.get("operator") or "", items(expression, "values")
    if operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    elif operator not in _NODE_OPERATORS:
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")


def _check_weight(preferred: Object, path: str) -> Causes:
    weight = preferred.get("weight", 0)
    if not 1 <= weight <= 100:
        yield invalid(f"{path}.weight", weight, "must be in the range 1-100")


def _check_pod_affinity(affinity: Object, path: str) -> Causes:
    for where, term in indexed(affinity, _REQUIRED, path):
        yield from _check_pod_term(term, where)
    for where, preferred in indexed(affinity, _PREFERRED, path):
        yield from _check_weight(preferred, where)
        yield from _check_pod_term(part(preferred, "podAffinityTerm"), f"{where}.podAffinityTerm")


def _check_pod_term(term: Object, path: str) -> Causes:
    for key in ("labelSelector", "namespaceSelector"):
        yield from label_selectors.check(part(term, key), f"{path}.{key}")
    for where, namespace in indexed(term, "namespaces", path):
        yield from check_name(where, namespace, names.dns_label(namespace))
    topology = term.get("topologyKey") or ""
    if not topology:
        yield required(f"{path}.topologyKey", "can not be empty")
    else:
        yield from check_name(f"{path}.topologyKey", topology, names.qualified_name(topology))
    for where, key in (*indexed(term, "matchLabelKeys", path), *indexed(term, "mismatchLabelKeys", path)):
        yield from check_name(where, key, names.qualified_name(key))


def _check_toleration(toleration: Object, path: str) -> Causes:
    key, operator = toleration.get("key") or "", toleration.get("operator") or "Equal"
    if key:
        yield from check_name(f"{path}.key", key, names.qualified_name(key))
    if not key and operator != "Exists":
        yield invalid(
            f"{path}.operator",
            toleration.get("operator") or "",
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        )
    if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
        yield invalid(
            f"{path}.effect",
            toleration.get("effect") or "",
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        )
    if operator == "Exists" and toleration.get("value"):
        yield invalid(f"{path}.operator", operator, "value must be empty when `operator` is 'Exists'")
    elif operator == "Equal":
        yield from check_name(
            f"{path}.operator", toleration.get("value") or "", names.label_value(toleration.get("value") or "")
        )
    elif operator != "Exists":
        yield not_supported(f"{path}.operator", operator, ("Equal", "Exists"))
    yield from check_optional_choice(toleration, "effect", path, _EFFECTS)


def _check_spreading(spec: Object, path: str) -> Causes:
    seen: set[tuple[str, str]] = set()
    for where, constraint in indexed(spec, "topologySpreadConstraints", path):
        if constraint.get("maxSkew", 0) <= 0:
            yield invalid(f"{where}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero")
        key = constraint.get("topologyKey") or ""
        if not key:
            yield required(f"{where}.topologyKey", "can not be empty")
        else:
            yield from check_name(f"{where}.topologyKey", key, names.qualified_name(key))
        yield from check_choice(constraint, "whenUnsatisfiable", where, ("DoNotSchedule", "ScheduleAnyway"))
        pair = (key, constraint.get("whenUnsatisfiable") or "")
        if pair in seen:
            yield duplicate(where, "{" + ", ".join(pair) + "}")
        seen.add(pair)
        yield from _check_spreading_details(constraint, where)


def _check_spreading_details(constraint: Object, path: str) -> Causes:
    domains = constraint.get("minDomains")
    if domains is not None and domains <= 0:
        yield invalid(f"{path}.minDomains", domains, "must be greater than zero")
    if domains is not None and constraint.get("whenUnsatisfiable") != "DoNotSchedule":
        yield invalid(
            f"{path}.minDomains",
            domains,
            "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
            + (constraint.get("whenUnsatisfiable") or ""),
        )
    for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        yield from check_optional_choice(constraint, policy, path, ("Honor", "Ignore"))
    yield from label_selectors.check(part(constraint, "labelSelector"), f"{path}.labelSelector")
    for where, key in indexed(constraint, "matchLabelKeys", path):
        yield from check_name(where, key, names.qualified_name(key))
