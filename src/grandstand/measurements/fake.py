"""Measurements that a test sets by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grandstand.kinds import Key

from . import NodeUsage, PodUsage, Traffic


class FakeMeasurements:
    """Of resources and of traffic; what was not set is not measured."""

    def __init__(self) -> None:
        self.pods: dict[str, PodUsage] = {}
        self.nodes: dict[str, NodeUsage] = {}
        self.services: dict[Key, Traffic] = {}
        self.totals: dict[Key, tuple[int, int]] = {}
        self.served_by: dict[Key, dict[str, Traffic]] = {}
        self._told: list[Callable[[Key], None]] = []

    def pod_usage(self, uid: str) -> PodUsage | None:
        return self.pods.get(uid)

    def node_usage(self, name: str) -> NodeUsage | None:
        return self.nodes.get(name)

    def service_traffic(self, service: Key) -> Traffic | None:
        return self.services.get(service)

    def service_totals(self, service: Key) -> tuple[int, int] | None:
        return self.totals.get(service)

    def pod_traffic(self, service: Key) -> Mapping[str, Traffic]:
        return self.served_by.get(service, {})

    def on_demand(self, told: Callable[[Key], None]) -> None:
        self._told.append(told)

    def demand(self, service: Key) -> None:
        """Tell of requests that wait for a Service."""
        for told in self._told:
            told(service)
