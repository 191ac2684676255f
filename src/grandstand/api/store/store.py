"""Accept writes in order, commit them in groups, and show readers and watchers only what is durable.

While one group is being synced to disk, the next one collects: with many writers one sync serves them all. A write
builds on the newest *accepted* state, durable or not, so that nothing is lost between concurrent read-modify-writes; it
returns when it is durable. When a commit fails, everything accepted but not durable fails with it.

All of this happens on the event loop; only the database is touched in a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from grandstand.client import EventType
from grandstand.clock import Clock, SystemClock
from grandstand.errors import PlatformError, Unavailable
from grandstand.exposition import Histogram
from grandstand.kinds import Object

from .database import Database
from .history import History
from .records import Change, Stored, StoreKey, same, stamp
from .subscriptions import Subscription, Subscriptions

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
"""Of seconds: a solid-state disk syncs in about a millisecond, and what takes longer than 25 ms is felt."""


class Ledger(Protocol):
    """What keeps changes over a restart; called from one thread. `commit` may raise, and must then keep nothing."""

    def open(self) -> tuple[list[Stored], int]: ...

    def commit(self, changes: Sequence[Change]) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Group:
    """Changes that become durable together, and who waits for it."""

    changes: list[Change] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    async def durable(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        await waiter


class Store:
    """Objects under revisions. Use from one event loop; objects that come out are shared and read-only."""

    def __init__(
        self, path: Path | None, *, history: int = 20_000, ledger: Ledger | None = None, clock: Clock | None = None
    ) -> None:
        """`path` None keeps nothing over a restart. `history`: how many changes watches can go back."""
        self._clock = clock or SystemClock()
        self._ledger = ledger or (None if path is None else Database(path))
        self._place = "the store" if path is None else f"the database {path}"
        self._thread: ThreadPoolExecutor | None = None
        self._most_history = history
        self._history = History(entries=history)
        self._subscriptions = Subscriptions()
        self._open = False
        self._accepted = 0
        self._staged: dict[StoreKey, tuple[Change, _Group]] = {}
        self._collecting = _Group()
        self._committer: asyncio.Task[None] | None = None
        self.commits = 0
        """How many groups of changes were made durable since the store was opened."""
        self.commit_seconds = Histogram(
            "grandstand_store_commit_duration_seconds", "Time to make a group of changes durable.", BOUNDS
        )

    @property
    def watchers(self) -> Mapping[str, int]:
        """How many follow each resource that somebody follows."""
        return self._subscriptions.counts()

    @property
    def revision(self) -> int:
        """The newest committed revision."""
        return self._history.revision

    @property
    def compacted(self) -> int:
        """The oldest revision that `watch` and `list(at=)` can still go back to."""
        return self._history.compacted

    async def open(self) -> None:
        """Load everything. Raises PlatformError where the database cannot be used."""
        if self._ledger is not None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
            try:
                stored, revision = await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.open)
            except BaseException:
                self._thread.shutdown(wait=False)
                raise
            self._history = History(stored, revision, entries=self._most_history)
        self._accepted = self.revision
        self._open = True

    async def close(self) -> None:
        """Commit what was accepted, end all watches, and close the database."""
        if not self._open:
            return
        self._open = False
        if self._committer is not None:
            await asyncio.wait([self._committer])
        self._subscriptions.end()
        if self._ledger is not None and self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.close)
            self._thread.shutdown()

    def get(self, key: StoreKey) -> Stored | None:
        return self._history.get(key)

    def list(self, resource: str, namespace: str = "", at: int | None = None) -> Listed:
        """The objects of a resource, sorted by namespace and name, and the revision that they are as of.

        `at` gives them as they were at a revision. Raises Expired when history no longer reaches back so far.
        """
        return self._history.list(resource, namespace, at), self.revision if at is None else at

    def watch(self, resource: str, namespace: str = "", since: int | None = None, buffer: int = 10_000) -> Subscription:
        """Subscribe to every change after revision `since` (None: from now on).

        Raises Expired at once when history no longer reaches back so far; the subscription raises it when its consumer
        falls more than `buffer` changes behind.
        """
        self._check_open()
        replay = () if since is None else self._history.since(since, resource, namespace)
        return self._subscriptions.add(resource, namespace, replay, buffer)

    async def write(self, key: StoreKey, change: Callable[[Object | None], Object | None]) -> Stored | None:
        """Replace the object at `key` by what `change` makes of it, and return it when it is durable.

        `change` is called once, at once, with the newest accepted object (None: there is none). It returns the object
        to store, or None to delete it (the last state is returned then, with the revision of the deletion), or an equal
        object to write nothing; what it raises is passed on. A cancelled write may still be made.
        Raises PlatformError when the database could not be written: then nothing was.
        """
        self._check_open()
        staged = self._staged.get(key)
        before = self._history.get(key) if staged is None else _state(staged[0])
        obj = change(None if before is None else before.object)
        if obj is None and before is None:
            result, group = None, staged and staged[1]
        elif obj is not None and before is not None and same(obj, before.object):
            result, group = before, staged and staged[1]
        else:
            result, group = self._stage(key, before, obj)
        if group is not None:
            await group.durable()
        return result

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the store is closed: Grandstand is starting or stopping; try again in a second")

    def _stage(self, key: StoreKey, before: Stored | None, obj: Object | None) -> tuple[Stored, _Group]:
        last = None if before is None else before.object
        to_stamp = last if obj is None else obj
        assert to_stamp is not None, "what is not there is not deleted"
        stored = stamp(key, to_stamp, self._accepted + 1)
        self._accepted = stored.revision
        kind = EventType.DELETED if obj is None else EventType.ADDED if before is None else EventType.MODIFIED
        change = Change(kind, key, stored.object, last, stored.revision, stored.encoded)
        group = self._collecting
        group.changes.append(change)
        self._staged[key] = (change, group)
        if self._committer is None:
            self._committer = asyncio.get_running_loop().create_task(self._commit_groups())
        return stored, group

    async def _commit_groups(self) -> None:
        while self._collecting.changes:
            group, self._collecting = self._collecting, _Group()
            begun = self._clock.monotonic()
            try:
                await self._commit(group.changes)
            except Exception as error:  # whatever went wrong, those who wait must hear of it
                self._fail(group, error)
            else:
                self.commit_seconds.observe(self._clock.monotonic() - begun)
                self._publish(group)
            # The writers just woken get to stage their next write first, so that it joins the next group: without
            # this, writers fall into two groups that take turns, and every sync serves half of them.
            await asyncio.sleep(0)
        self._committer = None

    async def _commit(self, changes: Sequence[Change]) -> None:
        if self._ledger is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.commit, changes)

    def _publish(self, group: _Group) -> None:
        self.commits += 1
        for change in group.changes:
            self._history.apply(change)
            if self._staged[change.key][0] is change:
                del self._staged[change.key]
            self._subscriptions.publish(change)
        for waiter in group.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _fail(self, group: _Group, error: Exception) -> None:
        """Forget all that is not durable. Its revisions are not used again: whoever saw one must not mistake it."""
        later, self._collecting = self._collecting, _Group()
        self._staged.clear()
        for waiter in (*group.waiters, *later.waiters):
            if not waiter.done():
                waiter.set_exception(
                    PlatformError(
                        f"{self._place} could not be written: {error}. Nothing of this change was kept. "
                        "Check the space and health of the disk, then try again."
                    )
                )


def _state(change: Change) -> Stored | None:
    """What there is after a change."""
    if change.type is EventType.DELETED:
        return None
    return Stored(change.key, change.object, change.revision, change.encoded)


# Inside the class, `list` is the method.
Listed = tuple[list[Stored], int]
