"""Keep the rules of Services in step with Services and EndpointSlices."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from grandstand.clock import Clock
from grandstand.errors import NetworkFailure
from grandstand.kinds import Key, Object, Service, view
from grandstand.reconcile.informer import Informer

from .endpoint_index import EndpointIndex
from .ruleset import NOTHING, Ruleset, union
from .services import rules_for
from .table import SERVICES, Table

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class ServiceRules:
    """Watches, and writes only what changed. Changes that come while the kernel takes the last ones go together."""

    def __init__(self, table: Table, services: Informer, slices: Informer, *, clock: Clock) -> None:
        self._table = table
        self._services = services
        self._slices = slices
        self._clock = clock
        self._rules: dict[Key, Ruleset] = {}
        self._changed: set[Key] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Never returns by itself: cancel it. The rules stay in force."""
        await self._services.synced()
        await self._slices.synced()
        self._services.subscribe(self._service_changed)
        endpoints = EndpointIndex(self._slices, self._mark)
        self._wake.set()  # also with no Service at all: those of an earlier process may have to go
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, set()
            for key in changed:
                self._rules[key] = self._rules_of(key, endpoints)
            try:
                await self._table.set(SERVICES, union(self._rules.values()))
            except NetworkFailure as error:
                log.error("the rules of Services could not be written: %s; again in %.0f s", error, RETRY_SECONDS)
                await self._clock.sleep(RETRY_SECONDS)
                self._wake.set()

    def _service_changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        self._mark(key)

    def _mark(self, service: Key) -> None:
        self._changed.add(service)
        self._wake.set()

    def _rules_of(self, key: Key, endpoints: EndpointIndex) -> Ruleset:
        obj = self._services.get(key)
        if obj is None:
            return NOTHING
        try:
            return rules_for((view(Service, obj),), endpoints.of(key))
        except msgspec.ValidationError as error:
            log.warning("the Service %s is left out: %s", key, error)
            return NOTHING
