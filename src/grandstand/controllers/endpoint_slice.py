"""Keep the EndpointSlices of each Service to the Pods that its selector finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from grandstand import selectors
from grandstand.kinds import Key, Object, Pod, Service, key_of, uid_of
from grandstand.kinds.network import ServicePort
from grandstand.kinds.resources import ENDPOINT_SLICES, PODS, SERVICES
from grandstand.reconcile.actions import Action, Create, Delete, InBatches, Patch, Write
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from .ownership import controller_reference

MOST_ENDPOINTS = 100
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"


class Port(NamedTuple):
    """One port of a slice, as the Pods behind it have it."""

    name: str
    protocol: str
    port: int
    app_protocol: str | None

    def as_json(self) -> Object:
        fields = {"name": self.name, "protocol": self.protocol, "port": self.port, "appProtocol": self.app_protocol}
        return {name: value for name, value in fields.items() if value is not None}


Ports = tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Pods that the selector finds, and the slices that this controller has made for the Service."""

    pods: Sequence[Pod]
    slices: Sequence[Object]


def reconcile(wanted: Service, seen: Seen) -> list[Action]:
    """Change as few slices as can be: Pods that stay, stay where they are. A Service without selector is left alone."""
    if not wanted.spec.selector or wanted.spec.type == "ExternalName" or wanted.metadata.deletion_timestamp is not None:
        return []
    groups: dict[Ports, dict[str, Object]] = {}
    for pod in sorted(seen.pods, key=lambda pod: pod.metadata.name):
        if is_endpoint(pod):
            groups.setdefault(ports_of(wanted, pod), {})[pod.metadata.uid] = endpoint_of(wanted, pod)
    writes: list[Write] = []
    left = list(seen.slices)
    for ports, endpoints in sorted(groups.items(), key=lambda group: -len(group[1])):
        same = [each for each in left if _ports_in(each) == ports] or [
            each for each in left if not each.get("endpoints")
        ][:1]
        left = [each for each in left if each not in same]
        writes += _packed(wanted, ports, endpoints, same)
    if not groups:  # one empty slice says that there is nobody; no slice would say that nobody has looked
        keep = left[:1]
        left = left[1:]
        writes += [_create(wanted, (), [])] if not keep else _change(wanted, keep[0], (), [])
    writes += [Delete(ENDPOINT_SLICES, key_of(each), uid_of(each)) for each in left]
    return [InBatches(tuple(writes))] if writes else []


def is_endpoint(pod: Pod) -> bool:
    """Whether a Pod has an address and has not ended; one that terminates counts: it may still be serving."""
    return bool(pod.status.pod_ip) and not pod.finished


def ports_of(service: Service, pod: Pod) -> Ports:
    """The Service's ports on this Pod; named ones are looked up, and left out where the Pod has no such name."""
    found = ((port, _number_of(port, pod)) for port in service.spec.ports)
    return tuple(
        Port(port.name, port.protocol, number, port.app_protocol) for port, number in found if number is not None
    )


def endpoint_of(service: Service, pod: Pod) -> Object:
    """The endpoint of a Pod; ready means: send new requests here; serving: it still answers."""
    serving, terminating = pod.ready, pod.metadata.deletion_timestamp is not None
    meta = pod.metadata
    endpoint: Object = {
        "addresses": [pod.status.pod_ip],
        "conditions": {
            "ready": service.spec.publish_not_ready_addresses or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid},
    }
    if pod.spec.node_name:
        endpoint["nodeName"] = pod.spec.node_name
    if pod.spec.hostname and pod.spec.subdomain == service.metadata.name:
        endpoint["hostname"] = pod.spec.hostname
    return endpoint


def labels_of(service: Service) -> dict[str, str]:
    """The labels of a Service's slices: its own, and by which they are found."""
    own = {name: text for name, text in service.metadata.labels.items() if name not in (MANAGED_BY, SERVICE_NAME)}
    headless = {HEADLESS: ""} if service.spec.headless else {}
    return own | headless | {SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}


def _number_of(port: ServicePort, pod: Pod) -> int | None:
    target = port.target_port if port.target_port is not None else port.port
    if isinstance(target, int):
        return target
    sidecars = [container for container in pod.spec.init_containers if container.restart_policy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for declared in container.ports:
            if declared.name == target and declared.protocol == port.protocol:
                return declared.container_port
    return None


def _packed(service: Service, ports: Ports, wanted: Mapping[str, Object], slices: Sequence[Object]) -> list[Write]:
    """Writes that give these slices these endpoints: update in place, fill up the fullest, then open new ones."""
    missing = dict(wanted)
    kept: list[tuple[Object, list[Object]]] = []
    for each in slices:
        uids = [_uid_of(endpoint) for endpoint in each.get("endpoints") or []]
        kept.append((each, [missing.pop(uid) for uid in uids if uid in missing]))
    for _, endpoints in sorted(kept, key=lambda pair: -len(pair[1])):
        while missing and len(endpoints) < MOST_ENDPOINTS and endpoints:
            endpoints.append(missing.pop(next(iter(missing))))
    writes: list[Write] = []
    for each, endpoints in kept:
        if not endpoints and missing:
            chunk = list(missing)[:MOST_ENDPOINTS]
            endpoints = [missing.pop(uid) for uid in chunk]
        if endpoints:
            writes += _change(service, each, ports, endpoints)
        else:
            writes.append(Delete(ENDPOINT_SLICES, key_of(each), uid_of(each)))
    rest = list(missing.values())
    chunks = [rest[start : start + MOST_ENDPOINTS] for start in range(0, len(rest), MOST_ENDPOINTS)]
    return writes + [_create(service, ports, chunk) for chunk in chunks]


def _change(service: Service, known: Object, ports: Ports, endpoints: list[Object]) -> list[Write]:
    """The patch that makes a slice say this, or nothing."""
    patch: Object = {}
    if (known.get("endpoints") or []) != endpoints:
        patch["endpoints"] = endpoints
    if _ports_in(known) != ports:
        patch["ports"] = [port.as_json() for port in ports]
    labels, wanted = known["metadata"].get("labels") or {}, labels_of(service)
    if labels != wanted:
        patch["metadata"] = {"labels": dict.fromkeys(labels.keys() - wanted.keys()) | wanted}
    return [Patch(ENDPOINT_SLICES, key_of(known), patch, uid=uid_of(known))] if patch else []


def _create(service: Service, ports: Ports, endpoints: list[Object]) -> Create:
    meta = service.metadata
    made = {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {
            "generateName": f"{meta.name}-",
            "namespace": meta.namespace,
            "labels": labels_of(service),
            "ownerReferences": [controller_reference(SERVICES, meta)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [port.as_json() for port in ports],
    }
    return Create(ENDPOINT_SLICES, made)


def _ports_in(obj: Object) -> Ports:
    return tuple(
        Port(port.get("name", ""), port.get("protocol", "TCP"), port["port"], port.get("appProtocol"))
        for port in obj.get("ports") or []
    )


def _uid_of(endpoint: Object) -> str:
    return str((endpoint.get("targetRef") or {}).get("uid", ""))


class Sight:
    """Finds Services by Pod and Pods by Service, through the label pairs that both name."""

    def __init__(self, caches: Caches) -> None:
        self._services = caches.table(SERVICES, Service)
        pods = caches.table(PODS, Pod)
        self._pods = pods.index(lambda pod: [(pod.metadata.namespace, *pair) for pair in pod.metadata.labels.items()])
        self._selecting = self._services.index(
            lambda service: [
                (service.metadata.namespace, *pair) for pair in sorted((service.spec.selector or {}).items())[:1]
            ]
        )
        self._slices: dict[Key, dict[Key, Object]] = {}
        caches.informer(ENDPOINT_SLICES).subscribe(self._take)

    async def look(self, key: Key, now: float) -> tuple[Service, Seen] | None:
        wanted = self._services.get(key)
        if wanted is None:
            return None
        pairs = [(key.namespace, *pair) for pair in (wanted.spec.selector or {}).items()]
        rarest = min(pairs, key=self._pods.count, default=None)
        selector = selectors.from_labels(wanted.spec.selector)
        candidates = self._pods[rarest] if rarest is not None else []
        pods = [pod for pod in candidates if selectors.matches(selector, pod.metadata.labels)]
        return wanted, Seen(pods, list(self._slices.get(key, {}).values()))

    def of_service(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(obj) for obj in (after or before,) if obj is not None]

    def of_pod(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        """The Services that find or found the Pod, where something changed that a slice shows."""
        if before is not None and after is not None and _shown(before) == _shown(after):
            return set()
        return {key for obj in (before, after) if obj is not None for key in self._finding(obj["metadata"])}

    def of_slice(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return {key for obj in (before, after) if (key := _service_of(obj)) is not None}

    def _finding(self, meta: Object) -> Iterable[Key]:
        labels: Mapping[str, str] = meta.get("labels") or {}
        for pair in labels.items():
            for service in self._selecting[(meta["namespace"], *pair)]:
                if selectors.matches(selectors.from_labels(service.spec.selector), labels):
                    yield service.metadata.key

    def _take(self, key: Key, before: Object | None, after: Object | None) -> None:
        was, now = _service_of(before), _service_of(after)
        if was is not None and was != now:
            self._slices[was].pop(key, None)
            if not self._slices[was]:
                del self._slices[was]
        if now is not None and after is not None:
            self._slices.setdefault(now, {})[key] = after


def _service_of(obj: Object | None) -> Key | None:
    """The Service of a slice of ours."""
    if obj is None:
        return None
    meta = obj["metadata"]
    labels = meta.get("labels") or {}
    if labels.get(MANAGED_BY) != MANAGER or not labels.get(SERVICE_NAME) or meta.get("deletionTimestamp"):
        return None
    return Key(meta["namespace"], labels[SERVICE_NAME])


def _shown(pod: Object) -> tuple[object, ...]:
    """What a slice, or a Service's choice of Pods, depends on."""
    meta, spec, now = pod["metadata"], pod["spec"], pod.get("status") or {}
    ready = [condition["status"] for condition in now.get("conditions") or () if condition["type"] == "Ready"]
    deleting = meta.get("deletionTimestamp") is not None
    return meta.get("labels"), meta["uid"], deleting, now.get("podIP"), now.get("phase"), ready, spec.get("nodeName")


def controller(caches: Caches) -> Controller[Key, Service, Seen]:
    """The description for the runner."""
    sight = Sight(caches)
    watches = {SERVICES: sight.of_service, PODS: sight.of_pod, ENDPOINT_SLICES: sight.of_slice}
    return Controller("endpoint-slice", watches, sight.look, reconcile)
