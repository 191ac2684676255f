"""Delete Kubernetes Events an hour after they last happened, as Kubernetes does."""

from __future__ import annotations

from collections.abc import Iterable

from grandstand.clock import parse_time
from grandstand.kinds import Key, Object, key_of, uid_of
from grandstand.kinds.resources import EVENTS
from grandstand.reconcile.actions import Action, Again, Delete
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

LIFETIME_SECONDS = 3600.0


def reconcile(wanted: Object, now: float) -> list[Action]:
    """Delete the event when its time is over, else look again then."""
    left = last_seen(wanted) + LIFETIME_SECONDS - now
    return [Delete(EVENTS, key_of(wanted), uid_of(wanted))] if left <= 0 else [Again(left)]


def last_seen(event: Object) -> float:
    """When the event happened last, in wall-clock seconds; events come in two styles."""
    series = (event.get("series") or {}).get("lastObservedTime")
    made = event["metadata"]["creationTimestamp"]
    return parse_time(series or event.get("lastTimestamp") or event.get("eventTime") or made)


def controller(caches: Caches) -> Controller[Key, Object, float]:
    """The description for the runner."""
    events = caches.informer(EVENTS)

    async def look(key: Key, now: float) -> tuple[Object, float] | None:
        wanted = events.get(key)
        return None if wanted is None else (wanted, now)

    def of_event(before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(after)] if after is not None else []

    return Controller("event-expiry", {EVENTS: of_event}, look, reconcile)
