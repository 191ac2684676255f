"""Hand every committed change to those who watch for it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

from grandstand.errors import Expired

from .history import Entry
from .records import Change

MOST_TAKEN = 500
"""One `take` gives at most so many changes, so that a long replay does not hold up the event loop."""


class Subscription:
    """An async iterator of changes, in order, for one consumer. Ends when it or the store is closed.

    Changes of the past are parsed only as they are taken.
    """

    def __init__(self, replay: Iterable[Entry], buffer: int, on_close: Callable[[Subscription], None]) -> None:
        self._replay = deque(replay)
        self._changes: deque[Change] = deque()
        self._buffer = buffer
        self._on_close = on_close
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._lagged = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Change:
        """The next change. Raises Expired when the consumer fell behind by more than its buffer."""
        if not await self._ready():
            raise StopAsyncIteration
        return self._next()

    async def take(self) -> list[Change]:
        """At least one change, and more when they are there already; none at the end. Raises Expired as above."""
        if not await self._ready():
            return []
        waiting = len(self._replay) + len(self._changes)
        return [self._next() for _ in range(min(waiting, MOST_TAKEN))]

    def close(self) -> None:
        """Stop at once, dropping what was not yet taken."""
        self._replay.clear()
        self._changes.clear()
        self.end()

    def end(self) -> None:
        """Stop after what is buffered."""
        self._ended = True
        self._on_close(self)
        self._wake()

    def push(self, change: Change) -> None:
        if len(self._changes) >= self._buffer:
            self._lagged = True
            self.close()
            return
        self._changes.append(change)
        self._wake()

    async def _ready(self) -> bool:
        while not self._replay and not self._changes:
            if self._lagged:
                raise Expired(
                    f"this watch fell more than {self._buffer} changes behind: list again, and watch from there"
                )
            if self._ended:
                return False
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return True

    def _next(self) -> Change:
        return self._replay.popleft().change() if self._replay else self._changes.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Subscriptions:
    """All subscriptions, found by resource and namespace ("" for all namespaces)."""

    def __init__(self) -> None:
        self._by_scope: dict[tuple[str, str], dict[Subscription, None]] = {}

    def add(self, resource: str, namespace: str, replay: Iterable[Entry], buffer: int) -> Subscription:
        scope = (resource, namespace)

        def forget(subscription: Subscription) -> None:
            members = self._by_scope.get(scope, {})
            members.pop(subscription, None)
            if not members:
                self._by_scope.pop(scope, None)

        subscription = Subscription(replay, buffer, forget)
        self._by_scope.setdefault(scope, {})[subscription] = None
        return subscription

    def counts(self) -> Mapping[str, int]:
        """How many there are, by resource."""
        found: Counter[str] = Counter()
        for (resource, _), members in self._by_scope.items():
            found[resource] += len(members)
        return found

    def publish(self, change: Change) -> None:
        for namespace in {"", change.key.namespace}:
            # A copy: who falls behind leaves while we walk.
            for subscription in tuple(self._by_scope.get((change.key.resource, namespace), ())):
                subscription.push(change)

    def end(self) -> None:
        """End every subscription after what is buffered."""
        for members in tuple(self._by_scope.values()):
            for subscription in tuple(members):
                subscription.end()
