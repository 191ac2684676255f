"""What a Pod asks of a node, in numbers and terms. Pure; read once per Pod."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from grandstand.kinds import Container, Key, LabelSelector, Object, Pod, View, millicores, view, whole_bytes
from grandstand.kinds.meta import LabelSelectorRequirement

DEFAULT_SCHEDULER = "default-scheduler"

Amounts = Mapping[str, int]
"""Amounts by resource name: cpu in thousandths of a core, everything else in whole units (bytes, devices)."""


class NodeSelectorTerm(View, frozen=True):
    match_expressions: list[LabelSelectorRequirement] = []
    match_fields: list[LabelSelectorRequirement] = []


class NodeSelector(View, frozen=True):
    node_selector_terms: list[NodeSelectorTerm] = []


class NodeAffinity(View, frozen=True):
    required: NodeSelector | None = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution", default=None)


class PodTerm(View, frozen=True):
    """One term of Pod affinity or anti-affinity."""

    topology_key: str
    label_selector: LabelSelector | None = None
    namespaces: list[str] = []
    namespace_selector: LabelSelector | None = None
    match_label_keys: list[str] = []
    mismatch_label_keys: list[str] = []


class PodAffinity(View, frozen=True):
    required: list[PodTerm] = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution", default=[])


class Affinity(View, frozen=True):
    node_affinity: NodeAffinity = NodeAffinity()
    pod_affinity: PodAffinity = PodAffinity()
    pod_anti_affinity: PodAffinity = PodAffinity()


class Toleration(View, frozen=True):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class Spread(View, frozen=True):
    """One topology spread constraint."""

    max_skew: int
    topology_key: str
    when_unsatisfiable: str = "DoNotSchedule"
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    match_label_keys: list[str] = []


@dataclass(frozen=True, slots=True)
class Needs:
    """A Pod as the scheduler sees it. `order` is its place in line: priority first, then age."""

    key: Key
    uid: str
    labels: Mapping[str, str]
    order: tuple[int, int]
    scheduler: str
    gated: bool
    amounts: Amounts
    host_ports: frozenset[tuple[str, str, int]]
    node_selector: Mapping[str, str]
    affinity: Affinity
    tolerations: tuple[Toleration, ...]
    spread: tuple[Spread, ...]
    raw: Object = field(compare=False)


def needs_of(obj: Object) -> Needs:
    """Read a Pod's needs from its JSON."""
    pod, spec = view(Pod, obj), obj["spec"]
    return Needs(
        key=pod.metadata.key,
        uid=pod.metadata.uid,
        labels=pod.metadata.labels,
        order=(-int(spec.get("priority") or 0), int(pod.metadata.resource_version or 0)),
        scheduler=spec.get("schedulerName") or DEFAULT_SCHEDULER,
        gated=bool(spec.get("schedulingGates")),
        amounts=amounts_of(pod, spec.get("overhead") or {}),
        host_ports=frozenset(_host_ports(pod)),
        node_selector=pod.spec.node_selector,
        affinity=msgspec.convert(spec.get("affinity") or {}, Affinity),
        tolerations=tuple(msgspec.convert(pod.spec.tolerations, list[Toleration])),
        spread=tuple(msgspec.convert(spec.get("topologySpreadConstraints") or [], list[Spread])),
        raw=obj,
    )


def amounts_of(pod: Pod, overhead: Mapping[str, Any]) -> Amounts:
    """What a Pod requests: its containers together, or an init container that alone asks for more.

    Sidecars (init containers that restart always) run on: they count with the containers, and with every init container
    that starts after them.
    """
    running, peak = Counter[str](), Counter[str]()
    for container in pod.spec.init_containers:
        if container.restart_policy == "Always":
            running.update(requested(container))
            peak |= running
        else:
            peak |= running + Counter(requested(container))
    for container in pod.spec.containers:
        running.update(requested(container))
    total = peak | running
    total.update({name: amount(name, quantity) for name, quantity in overhead.items()})
    return {**total, "pods": 1}


def requested(container: Container) -> Amounts:
    """A container's requests; a limit alone is a request too."""
    asked = container.resources.limits | container.resources.requests
    return {name: amount(name, quantity) for name, quantity in asked.items()}


def amount(name: str, quantity: str | int | float) -> int:
    """A quantity in the unit that amounts of this resource have."""
    return _amount(name == "cpu", str(quantity))


@lru_cache(maxsize=4096)
def _amount(cpu: bool, quantity: str) -> int:
    return millicores(quantity) if cpu else whole_bytes(quantity)


def _host_ports(pod: Pod) -> Iterable[tuple[str, str, int]]:
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            number = port.container_port if pod.spec.host_network else port.host_port
            if number:
                yield port.host_ip or "0.0.0.0", port.protocol, number
