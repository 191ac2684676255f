"""Queues in memory, for tests of what works through them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from grandstand.clock import Clock
from grandstand.errors import NotFound

from .ports import MOST_RECEIVED, Counts, Outgoing, Queue, QueueSettings, Received


@dataclass(slots=True)
class _Message:
    """`visible_at` and `sent` in seconds since the epoch."""

    id: str
    content: Outgoing
    sent: float
    visible_at: float
    receipt: str | None = None
    receives: int = 0
    first_received_ms: int = 0
    dead_letter_source: str = ""


@dataclass(slots=True)
class _Held:
    """A queue with its messages in the order of sending; `changed` is set, once, when something happens to it.

    `waited_for` is set while somebody waits for a message.
    """

    queue: Queue
    messages: list[_Message] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    waited_for: asyncio.Event = field(default_factory=asyncio.Event)


class FakeQueues:
    """Forgets everything at its end; otherwise as the port says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, _Held] = {}

    async def create(self, name: str, settings: QueueSettings, tags: Mapping[str, str] | None = None) -> Queue:
        now = self._clock.now()
        made = _Held(Queue(name, settings, dict(tags or {}), now, now))
        return self._held.setdefault(name, made).queue

    async def change(self, name: str, settings: QueueSettings) -> Queue:
        held = self._find(name)
        held.queue = replace(held.queue, settings=settings, changed=self._clock.now())
        _announce(held)
        return held.queue

    async def tag(self, name: str, tags: Mapping[str, str]) -> Queue:
        held = self._find(name)
        held.queue = replace(held.queue, tags=dict(tags))
        return held.queue

    async def delete(self, name: str) -> None:
        _announce(self._find(name))
        del self._held[name]

    async def get(self, name: str) -> Queue:
        return self._find(name).queue

    async def names(self, prefix: str = "") -> Sequence[str]:
        return sorted(name for name in self._held if name.startswith(prefix))

    async def send(self, name: str, messages: Sequence[Outgoing]) -> Sequence[str]:
        held, now = self._find(name), self._clock.now()
        sent = []
        for each in messages:
            delay = held.queue.settings.delay_seconds if each.delay_seconds is None else each.delay_seconds
            sent.append(_Message(self._clock.uid(), each, now, now + delay))
        held.messages += sent
        _announce(held)
        return [message.id for message in sent]

    async def receive(
        self, name: str, most: int = 1, visibility_seconds: int | None = None, wait_seconds: float | None = None
    ) -> Sequence[Received]:
        settings = self._find(name).queue.settings
        ends = self._clock.now() + (settings.wait_seconds if wait_seconds is None else wait_seconds)
        while True:
            held = self._find(name)
            hidden = held.queue.settings.visibility_seconds if visibility_seconds is None else visibility_seconds
            taken = self._take(held, min(most, MOST_RECEIVED), hidden)
            left = ends - self._clock.now()
            if taken or left <= 0:
                return taken
            await self._something(held, left)

    async def settle(self, name: str, receipts: Sequence[str]) -> Sequence[bool]:
        held = self._find(name)
        done = []
        for receipt in receipts:
            message = _with_receipt(held, receipt)
            done.append(message is not None)
            if message is not None:
                held.messages.remove(message)
        return done

    async def postpone(self, name: str, receipts: Sequence[str], seconds: float) -> Sequence[bool]:
        held, now = self._find(name), self._clock.now()
        hidden = [_with_receipt(held, receipt) for receipt in receipts]
        done = []
        for message in hidden:
            done.append(message is not None and message.visible_at > now)
            if message is not None and done[-1]:
                message.visible_at = now + seconds
        _announce(held)
        return done

    async def purge(self, name: str) -> None:
        self._find(name).messages.clear()

    async def counts(self, name: str) -> Counts:
        held, now = self._find(name), self._clock.now()
        _expire(held, now)
        hidden = [message for message in held.messages if message.visible_at > now]
        in_flight = sum(message.receipt is not None for message in hidden)
        return Counts(len(held.messages) - len(hidden), in_flight, len(hidden) - in_flight)

    async def waited_for(self, name: str) -> None:
        """Return when somebody waits for a message of a queue: for tests that send one then."""
        await self._find(name).waited_for.wait()

    def _find(self, name: str) -> _Held:
        if name not in self._held:
            raise NotFound(f"There is no queue {name}.")
        return self._held[name]

    def _take(self, held: _Held, most: int, hidden_seconds: float) -> list[Received]:
        now = self._clock.now()
        _expire(held, now)
        self._give_up(held, now)
        visible = [message for message in held.messages if message.visible_at <= now]
        for message in visible[:most]:
            message.receipt, message.visible_at = self._clock.uid(), now + hidden_seconds
            message.receives += 1
            message.first_received_ms = message.first_received_ms or _ms(now)
        return [_shown(message) for message in visible[:most]]

    def _give_up(self, held: _Held, now: float) -> None:
        """Messages stay where they are while the other queue is not there."""
        rule = held.queue.settings.dead_letters
        if rule is None or rule.queue not in self._held:
            return
        dead = [m for m in held.messages if m.visible_at <= now and m.receives >= rule.most_receives]
        held.messages = [message for message in held.messages if message not in dead]
        target = self._held[rule.queue]
        target.messages += [_Message(m.id, m.content, m.sent, now, dead_letter_source=held.queue.name) for m in dead]
        _announce(target)

    async def _something(self, held: _Held, most_seconds: float) -> None:
        """Wait until something happens to a queue, or a message can be seen again, or the time is over."""
        now = self._clock.now()
        soonest = min((message.visible_at - now for message in held.messages), default=most_seconds)
        tasks = [
            asyncio.ensure_future(held.changed.wait()),
            asyncio.ensure_future(self._clock.sleep(min(soonest, most_seconds))),
        ]
        held.waited_for.set()
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            held.waited_for.clear()
            for task in tasks:
                task.cancel()


def _announce(held: _Held) -> None:
    held.changed.set()
    held.changed = asyncio.Event()


def _expire(held: _Held, now: float) -> None:
    oldest = now - held.queue.settings.retention_seconds
    held.messages = [message for message in held.messages if message.sent >= oldest]


def _with_receipt(held: _Held, receipt: str) -> _Message | None:
    return next((message for message in held.messages if message.receipt == receipt), None)


def _shown(message: _Message) -> Received:
    return Received(
        message.id,
        message.receipt or "",
        message.content.body,
        message.content.attributes,
        _ms(message.sent),
        message.first_received_ms,
        message.receives,
        message.dead_letter_source,
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
