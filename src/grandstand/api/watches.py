"""Follow the changes of a resource: from where, which ones, and bookmarks between them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

import msgspec

from grandstand.client import EventType
from grandstand.errors import Cause, Expired
from grandstand.kinds import Object, Resource

from .lists import ALL, NOT_OLDER_THAN, Filter, parse_version
from .refusals import invalid
from .store import Change, Store, Subscription

BOOKMARK_SECONDS = 60.0
FOREVER = math.inf
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
LIST_OPTIONS = Resource("meta.k8s.io", "v1", "listoptions", "ListOptions")


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`resource_version` "" and "0" begin with all objects as ADDED; a number begins after that revision.

    `initial_events` True (streaming list) does that too, and marks its end with an annotated bookmark; False begins
    with what comes next.
    """

    filter: Filter = ALL
    resource_version: str = ""
    version_match: str = ""
    initial_events: bool | None = None
    bookmarks: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event for one watcher; `encoded` is its object as JSON."""

    type: EventType
    object: Object
    encoded: bytes


EventStream = AsyncGenerator[list[Event], None]


def check_options(options: WatchOptions) -> None:
    """Raise Invalid for options that exclude each other, as Kubernetes does."""
    causes = []
    if options.initial_events is not None and options.version_match != NOT_OLDER_THAN:
        message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(Cause("FieldValueForbidden", message, "resourceVersionMatch"))
    if options.initial_events is None and options.version_match:
        message = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(Cause("FieldValueForbidden", message, "resourceVersionMatch"))
    if causes:
        raise invalid(LIST_OPTIONS, "", causes)


async def watch(store: Store, resource: Resource, namespace: str, options: WatchOptions) -> EventStream:
    """Yield events in order, as many at a time as there are.

    Raises Invalid at once, and Expired where history no longer reaches back or the watcher cannot keep up.
    Ends when `timeout_seconds` have passed or the store is closed.
    """
    check_options(options)
    initial, subscription = _begin(store, resource, namespace, options)
    try:
        if initial:
            yield initial
        async for events in _follow(store, resource, options, subscription):
            yield events
    finally:
        subscription.close()


def _begin(store: Store, resource: Resource, namespace: str, options: WatchOptions) -> tuple[list[Event], Subscription]:
    """What a watch begins with. Nothing may be awaited between the list and the subscription."""
    version = parse_version(options.resource_version or "0")
    if version > store.revision:
        raise Expired(f"Too large resource version: {version}, current: {store.revision}: list again")
    all_first = options.initial_events if options.initial_events is not None else not version
    if not all_first:
        since = version or store.revision
        return [], store.watch(resource.qualified, namespace, since=since)
    items, revision = store.list(resource.qualified, namespace)
    accepted = [item for item in items if options.filter.accepts(item.object)]
    initial = [Event(EventType.ADDED, item.object, item.encoded) for item in accepted]
    if options.initial_events and options.bookmarks:
        initial.append(bookmark(resource, revision, initial_end=True))
    return initial, store.watch(resource.qualified, namespace, since=revision)


async def _follow(store: Store, resource: Resource, options: WatchOptions, subscription: Subscription) -> EventStream:
    time = asyncio.get_running_loop().time
    end = FOREVER if options.timeout_seconds is None else time() + options.timeout_seconds
    interval = BOOKMARK_SECONDS if options.bookmarks else FOREVER
    next_bookmark = time() + interval
    while True:
        newest = store.revision
        changes = await _take(subscription, min(end, next_bookmark))
        if changes == []:
            return
        events = selected(options.filter, changes or ())
        if options.bookmarks and time() >= min(end, next_bookmark):
            # What had been committed when a wait in vain began would have ended it: up to there nothing is missing.
            events.append(bookmark(resource, changes[-1].revision if changes else newest))
            next_bookmark = time() + interval
        if events:
            yield events
        if time() >= end:
            return


async def _take(subscription: Subscription, deadline: float) -> list[Change] | None:
    """The next changes, [] at the end of the stream, None when none came in time."""
    if deadline == FOREVER:
        return await subscription.take()
    try:
        async with asyncio.timeout_at(deadline):
            return await subscription.take()
    except TimeoutError:
        return None


def selected(wanted: Filter, changes: Iterable[Change]) -> list[Event]:
    """The changes as one watcher sees them: an object that comes to match is ADDED, one that no longer does DELETED."""
    if wanted.everything:
        return [Event(change.type, change.object, change.encoded) for change in changes]
    return [event for change in changes if (event := _select(wanted, change)) is not None]


def _select(wanted: Filter, change: Change) -> Event | None:
    was = change.before is not None and wanted.accepts(change.before)
    matches = change.type is not EventType.DELETED and wanted.accepts(change.object)
    if was and matches:
        return Event(EventType.MODIFIED, change.object, change.encoded)
    if matches:
        return Event(EventType.ADDED, change.object, change.encoded)
    if not was or change.before is None:
        return None
    if change.type is EventType.DELETED:
        return Event(EventType.DELETED, change.object, change.encoded)
    # It left the selection: the watcher gets it as it last matched, at the revision of the change.
    version = change.object["metadata"]["resourceVersion"]
    last = {**change.before, "metadata": {**change.before["metadata"], "resourceVersion": version}}
    return Event(EventType.DELETED, last, msgspec.json.encode(last))


def bookmark(resource: Resource, revision: int, *, initial_end: bool = False) -> Event:
    """An event that says only how far the watcher has come."""
    metadata: Object = {"resourceVersion": str(revision)}
    if initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return Event(EventType.BOOKMARK, obj, msgspec.json.encode(obj))
