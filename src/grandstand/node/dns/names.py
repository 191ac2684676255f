"""Keep the zone as current as the informers of Services, EndpointSlices and Pods."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from grandstand.engine import CLUSTER_DOMAIN
from grandstand.kinds import EndpointSlice, Key, Object, Service, view
from grandstand.node.network import EndpointIndex
from grandstand.reconcile.informer import Informer

from .zone import Zone, host_of, ready_endpoints

log = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")


class Names:
    """`zone` answers from dictionaries that change in place."""

    def __init__(self, services: Informer, slices: Informer, pods: Informer) -> None:
        self._services: dict[Key, Service] = {}
        self._service_at: dict[str, Key] = {}
        self._hosts_at: dict[str, set[tuple[Key, str]]] = {}
        self._hosts: dict[Key, set[tuple[str, str]]] = {}
        self._pods_at: dict[str, set[str]] = {}
        self._pod_addresses: dict[Key, str] = {}
        self._namespaces: Counter[str] = Counter()
        self._endpoints: EndpointIndex | None = None
        services.subscribe(self._take_service)
        pods.subscribe(self._take_pod)
        self._endpoints = EndpointIndex(slices, self._index_hosts)
        for key in self._services:
            self._index_hosts(key)
        self.zone = Zone(
            domain=CLUSTER_DOMAIN,
            services=self._services,
            slices=_Slices(self._endpoints),
            service_at=self._service_at,
            hosts_at=self._hosts_at,
            pods_at=self._pods_at,
            namespaces=self._namespaces,
        )

    def _take_service(self, key: Key, before: Object | None, after: Object | None) -> None:
        old = self._services.pop(key, None)
        if old is not None:
            self._service_at.pop(old.spec.cluster_ip, None)
            self._leave(key.namespace)
        try:
            new = view(Service, after) if after is not None else None
        except msgspec.ValidationError as error:
            log.warning("the Service %s gets no name: %s", key, error)
            new = None
        if new is not None:
            self._services[key] = new
            self._namespaces[key.namespace] += 1
            if new.spec.cluster_ip not in ("", "None"):
                self._service_at[new.spec.cluster_ip] = key
        self._index_hosts(key)

    def _take_pod(self, key: Key, before: Object | None, after: Object | None) -> None:
        old = self._pod_addresses.pop(key, None)
        if old is not None:
            _discard(self._pods_at, old, key.namespace)
            self._leave(key.namespace)
        status = (after or {}).get("status", {})
        address = status.get("podIP", "")
        if address and status.get("phase") not in ("Succeeded", "Failed"):
            self._pod_addresses[key] = address
            self._pods_at.setdefault(address, set()).add(key.namespace)
            self._namespaces[key.namespace] += 1

    def _leave(self, namespace: str) -> None:
        self._namespaces[namespace] -= 1
        if not self._namespaces[namespace]:
            del self._namespaces[namespace]

    def _index_hosts(self, key: Key) -> None:
        """The reverse names of a headless Service's endpoints."""
        for host, address in self._hosts.pop(key, ()):
            _discard(self._hosts_at, address, (key, host))
        service = self._services.get(key)
        if service is None or not service.spec.headless or self._endpoints is None:
            return
        self._hosts[key] = {(host_of(e), e.addresses[0]) for e in ready_endpoints(self._endpoints.of(key))}
        for host, address in self._hosts[key]:
            self._hosts_at.setdefault(address, set()).add((key, host))


class _Slices(Mapping[Key, Sequence[EndpointSlice]]):
    """The index, seen as the mapping that the zone asks for; it never says that a key is missing."""

    def __init__(self, index: EndpointIndex) -> None:
        self._index = index

    def __getitem__(self, key: Key) -> Sequence[EndpointSlice]:
        return self._index.of(key)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._index)

    def __len__(self) -> int:
        return sum(1 for _ in self._index)


def _discard(sets: dict[K, set[V]], key: K, value: V) -> None:
    """Remove a value from one of several sets, and the set when it was its last."""
    found = sets.get(key)
    if found is not None:
        found.discard(value)
        if not found:
            del sets[key]
