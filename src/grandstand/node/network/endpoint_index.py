"""Find the EndpointSlices of a Service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

import msgspec

from grandstand.kinds import EndpointSlice, Key, Object, view
from grandstand.reconcile.informer import Informer

log = logging.getLogger(__name__)


def _ignore(service: Key) -> None:
    """Nobody wants to know."""


class EndpointIndex:
    """Typed EndpointSlices by Service, as current as the informer; `on_change` hears whose slices have changed."""

    def __init__(self, slices: Informer, on_change: Callable[[Key], None] = _ignore) -> None:
        self._by_service: dict[Key, dict[Key, EndpointSlice]] = {}
        self._service_of: dict[Key, Key] = {}
        self._on_change = on_change
        slices.subscribe(self._take)

    def of(self, service: Key) -> Sequence[EndpointSlice]:
        return tuple(self._by_service.get(service, {}).values())

    def __iter__(self) -> Iterator[Key]:
        """The Services that have slices."""
        return iter(self._by_service)

    def _take(self, key: Key, before: Object | None, after: Object | None) -> None:
        owner = self._service_of.pop(key, None)
        if owner is not None:
            pieces = self._by_service[owner]
            del pieces[key]
            if not pieces:
                del self._by_service[owner]
        piece = _readable(key, after)
        if piece is not None and piece.service_name:
            new_owner = Key(key.namespace, piece.service_name)
            self._by_service.setdefault(new_owner, {})[key] = piece
            self._service_of[key] = new_owner
            if new_owner != owner:
                self._on_change(new_owner)
        if owner is not None:
            self._on_change(owner)


def _readable(key: Key, obj: Object | None) -> EndpointSlice | None:
    if obj is None:
        return None
    try:
        return view(EndpointSlice, obj)
    except msgspec.ValidationError as error:
        log.warning("the EndpointSlice %s is left out: %s", key, error)
        return None
