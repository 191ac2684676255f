"""Say what keeps a Pod from a node, in Kubernetes' words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from grandstand import selectors
from grandstand.kinds import LabelSelector, Node
from grandstand.kinds.meta import LabelSelectorRequirement
from grandstand.kinds.workloads import Taint
from grandstand.selectors import Operator, Requirement, Selector

from .needs import Needs, NodeSelectorTerm, PodTerm, Spread, Toleration, amount

ANYWHERE = "0.0.0.0"
UNSCHEDULABLE = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
NOTHING: Selector = (Requirement("", Operator.EXISTS),)


@dataclass(slots=True)
class Site:
    """A node, and the Pods on it: those that are bound already, and those that this pass is about to bind."""

    node: Node
    pods: list[Needs] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)

    def add(self, pod: Needs) -> None:
        self.pods.append(pod)
        self.used.update(pod.amounts)

    @property
    def name(self) -> str:
        return self.node.metadata.name

    @property
    def labels(self) -> Mapping[str, str]:
        return self.node.metadata.labels

    def free(self, name: str) -> int | None:
        """What is left of a resource; None where the node does not say how much it has."""
        whole = self.node.status.allocatable.get(name)
        return None if whole is None else amount(name, whole) - self.used[name]


@dataclass(frozen=True, slots=True)
class Cluster:
    """All nodes, and the labels of all namespaces."""

    sites: Sequence[Site]
    namespaces: Mapping[str, Mapping[str, str]]

    def within(self, key: str, value: str) -> Iterator[Needs]:
        """The Pods of one topology domain."""
        return (pod for site in self.sites if site.labels.get(key) == value for pod in site.pods)


def obstacles(pod: Needs, site: Site, cluster: Cluster) -> list[str]:
    """Why a Pod cannot go to a node; empty when it can. Only the first kind of obstacle is told, as in Kubernetes."""
    for check in (_taints, _node_affinity, _ports, _room, _spread, _pod_affinity):
        found = list(check(pod, site, cluster))
        if found:
            return found
    return []


def _taints(pod: Needs, site: Site, cluster: Cluster) -> Iterator[str]:
    if site.node.spec.unschedulable and not _tolerated(UNSCHEDULABLE, pod.tolerations):
        yield "node(s) were unschedulable"
    for taint in site.node.spec.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not _tolerated(taint, pod.tolerations):
            yield f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
            return


def _tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(
        toleration.effect in ("", taint.effect)
        and toleration.key in ("", taint.key)
        and (toleration.operator == "Exists" or (toleration.key != "" and toleration.value == taint.value))
        for toleration in tolerations
    )


def _node_affinity(pod: Needs, site: Site, cluster: Cluster) -> Iterator[str]:
    required = pod.affinity.node_affinity.required
    selected = selectors.matches(selectors.from_labels(pod.node_selector), site.labels)
    if not selected or (required is not None and not any(_term(term, site) for term in required.node_selector_terms)):
        yield "node(s) didn't match Pod's node affinity/selector"


def _term(term: NodeSelectorTerm, site: Site) -> bool:
    """Whether a node satisfies one term; an empty term matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": site.name}
    return all(_expression(each, site.labels) for each in term.match_expressions) and all(
        _expression(each, fields) for each in term.match_fields
    )


def _expression(expression: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    if expression.operator not in ("Gt", "Lt"):
        operator = Operator(expression.operator)
        return Requirement(expression.key, operator, frozenset(expression.values)).matches(labels)
    try:
        have, bound = int(labels[expression.key]), int(expression.values[0])
    except (KeyError, ValueError, IndexError):
        return False
    return have > bound if expression.operator == "Gt" else have < bound


def _ports(pod: Needs, site: Site, cluster: Cluster) -> Iterator[str]:
    taken = [port for other in site.pods for port in other.host_ports]
    for address, protocol, number in pod.host_ports:
        for other_address, other_protocol, other_number in taken:
            overlap = address == other_address or ANYWHERE in (address, other_address)
            if overlap and (protocol, number) == (other_protocol, other_number):
                yield "node(s) didn't have free ports for the requested pod ports"
                return


def _room(pod: Needs, site: Site, cluster: Cluster) -> Iterator[str]:
    for name, wanted in pod.amounts.items():
        free = site.free(name)
        if free is None and name in ("cpu", "memory", "pods", "ephemeral-storage"):
            continue  # the node does not say how much it has
        if wanted > (free or 0):
            yield "Too many pods" if name == "pods" else f"Insufficient {name}"


def _spread(pod: Needs, site: Site, cluster: Cluster) -> Iterator[str]:
    for constraint in pod.spread:
        if constraint.when_unsatisfiable != "DoNotSchedule":
            continue
        domain = site.labels.get(constraint.topology_key)
        if domain is None:
            yield "node(s) didn't match pod topology spread constraints (missing required label)"
        elif _skew(pod, constraint, domain, cluster) > constraint.max_skew:
            yield "node(s) didn't match pod topology spread constraints"


def _skew(pod: Needs, constraint: Spread, domain: str, cluster: Cluster) -> int:
    """By how much a domain would be ahead of the emptiest one with this Pod in it."""
    selector = _selector(constraint.label_selector, pod, constraint.match_label_keys, ())
    domains = dict.fromkeys(
        (s.labels[constraint.topology_key] for s in cluster.sites if constraint.topology_key in s.labels), 0
    )
    for name in domains:
        domains[name] = sum(
            other.key.namespace == pod.key.namespace and selectors.matches(selector, other.labels)
            for other in cluster.within(constraint.topology_key, name)
        )
    least = 0 if len(domains) < (constraint.min_domains or 1) else min(domains.values())
    return domains[domain] + selectors.matches(selector, pod.labels) - least


def _pod_affinity(pod: Needs, site: Site, cluster: Cluster) -> Iterator[str]:
    if not all(_attracted(term, pod, site, cluster) for term in pod.affinity.pod_affinity.required):
        yield "node(s) didn't match pod affinity rules"
    if any(_together(term, pod, site, cluster) for term in pod.affinity.pod_anti_affinity.required):
        yield "node(s) didn't match pod anti-affinity rules"
    if any(_repelled(pod, site, other, cluster) for other in cluster.sites):
        yield "node(s) didn't satisfy existing pods anti-affinity rules"


def _attracted(term: PodTerm, pod: Needs, site: Site, cluster: Cluster) -> bool:
    """Whether a Pod that the term means is in the domain; the first of a group that seeks itself may go anywhere."""
    if term.topology_key not in site.labels:
        return False
    if _together(term, pod, site, cluster):
        return True
    nobody = not any(_means(term, pod, other, cluster) for each in cluster.sites for other in each.pods)
    return nobody and _means(term, pod, pod, cluster)


def _together(term: PodTerm, pod: Needs, site: Site, cluster: Cluster) -> bool:
    domain = site.labels.get(term.topology_key)
    if domain is None:
        return False
    return any(_means(term, pod, other, cluster) for other in cluster.within(term.topology_key, domain))


def _repelled(pod: Needs, site: Site, other: Site, cluster: Cluster) -> bool:
    """Whether a Pod on the other node does not want this one in a domain that both nodes are in."""
    return any(
        term.topology_key in site.labels
        and site.labels[term.topology_key] == other.labels.get(term.topology_key)
        and _means(term, neighbour, pod, cluster)
        for neighbour in other.pods
        for term in neighbour.affinity.pod_anti_affinity.required
    )


def _means(term: PodTerm, owner: Needs, other: Needs, cluster: Cluster) -> bool:
    """Whether a term of one Pod selects another Pod."""
    selector = _selector(term.label_selector, owner, term.match_label_keys, term.mismatch_label_keys)
    return _in_namespace(term, owner, other, cluster) and selectors.matches(selector, other.labels)


def _in_namespace(term: PodTerm, owner: Needs, other: Needs, cluster: Cluster) -> bool:
    if term.namespace_selector is None and not term.namespaces:
        return other.key.namespace == owner.key.namespace
    if other.key.namespace in term.namespaces:
        return True
    if term.namespace_selector is None:
        return False
    labels = cluster.namespaces.get(other.key.namespace, {})
    return selectors.matches(selectors.from_label_selector(term.namespace_selector), labels)


def _selector(selector: LabelSelector | None, owner: Needs, same: Iterable[str], different: Iterable[str]) -> Selector:
    """A term's selector, with the labels that have to be as the owner's are, or not as they are."""
    if selector is None:
        return NOTHING
    values = {key: frozenset((owner.labels[key],)) for key in (*same, *different) if key in owner.labels}
    alike = tuple(Requirement(key, Operator.IN, values[key]) for key in same if key in values)
    unlike = tuple(Requirement(key, Operator.NOT_IN, values[key]) for key in different if key in values)
    return (*selectors.from_label_selector(selector), *alike, *unlike)
