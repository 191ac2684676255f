"""Put decisions into the store: for a dry run only in thought, for Services with the ClusterIP that they get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from grandstand.api.store import Store, Stored, StoreKey
from grandstand.kinds import Object
from grandstand.kinds.resources import SERVICES

from .claims import AddressClaims
from .intake import Write

Decision = Callable[[Object | None], Object | None]
"""What a request makes of an object (None: it is not there), as `Store.write` takes it."""


@dataclass(frozen=True, slots=True)
class Written:
    """The object as it was stored, and whether it is new."""

    stored: Stored
    new: bool = False


class Writer:
    """Writes to one store."""

    def __init__(self, store: Store, claims: AddressClaims) -> None:
        self._store = store
        self._claims = claims

    async def change(self, write: Write, namespace: str, name: str, decide: Decision) -> Written:
        """Write what a decision makes of an object, with a ClusterIP where it is a Service."""
        new, claimed = False, None

        def decide_with_address(old: Object | None) -> Object | None:
            nonlocal new, claimed
            new, after = old is None, decide(old)
            if write.resource is SERVICES and after is not None and not write.subresource:
                after = claimed = self._claims.claim(after)
            return after

        key = StoreKey(write.resource.qualified, namespace, name)
        try:
            return Written(await self.write(key, decide_with_address, write.options.dry_run), new)
        finally:
            if claimed is not None:
                self._claims.release(claimed)

    async def write(self, key: StoreKey, decide: Decision, dry_run: bool) -> Stored:
        """Write a decision that creates an object, or raises where there is none."""
        if not dry_run:
            stored = await self._store.write(key, decide)
            assert stored is not None, "a decision on what is not there creates it or raises"
            return stored
        before = self._store.get(key)
        after = decide(None if before is None else before.object)
        if after is None:
            assert before is not None, "what is not there is not deleted"
            return before
        return Stored(key, after, 0 if before is None else before.revision, msgspec.json.encode(after))
