"""What durable queues offer to whoever sends, receives and serves: SQS's API, events, and mappings to functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

MOST_RECEIVED = 10
"""Of one Receive, as SQS allows."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Messages that were received `most_receives` times go to another queue instead of being received again."""

    queue: str
    most_receives: int


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """SQS's defaults. Times in seconds."""

    visibility_seconds: int = 30
    delay_seconds: int = 0
    retention_seconds: int = 345_600
    wait_seconds: int = 0
    most_message_bytes: int = 1_048_576
    dead_letters: DeadLetters | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """Times in seconds since the epoch."""

    name: str
    settings: QueueSettings
    tags: Mapping[str, str]
    created: float
    changed: float


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`attributes` is whatever belongs to the message, as JSON. `delay_seconds` None: the queue's."""

    body: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    delay_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """Times in milliseconds since the epoch. `receives` counts this one. `receipt` is good until the next receive.

    `dead_letter_source`: the queue that gave the message up; "" where none did.
    """

    id: str
    receipt: str
    body: str
    attributes: Mapping[str, Any]
    sent_ms: int
    first_received_ms: int
    receives: int
    dead_letter_source: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """About how many messages a queue has."""

    visible: int
    in_flight: int
    delayed: int


class Queues(Protocol):
    """Durable: what was sent, deleted or changed is on disk when the call returns.

    A message is received at least once, roughly in the order of sending.
    Every call raises NotFound for a queue that is not there.
    """

    async def create(self, name: str, settings: QueueSettings, tags: Mapping[str, str] | None = None) -> Queue:
        """The queue; one that is there is returned as it is, and not changed."""

    async def change(self, name: str, settings: QueueSettings) -> Queue: ...

    async def tag(self, name: str, tags: Mapping[str, str]) -> Queue:
        """Replace all tags."""

    async def delete(self, name: str) -> None:
        """With all its messages."""

    async def get(self, name: str) -> Queue: ...

    async def names(self, prefix: str = "") -> Sequence[str]:
        """In alphabetical order."""

    async def send(self, name: str, messages: Sequence[Outgoing]) -> Sequence[str]:
        """The identifiers of the messages: all are taken, or none."""

    async def receive(
        self, name: str, most: int = 1, visibility_seconds: int | None = None, wait_seconds: float | None = None
    ) -> Sequence[Received]:
        """Up to `most` messages, hidden from others for a while; waits for the first. None: as the queue says."""

    async def settle(self, name: str, receipts: Sequence[str]) -> Sequence[bool]:
        """Delete messages that were received. False for a receipt that is no longer good."""

    async def postpone(self, name: str, receipts: Sequence[str], seconds: float) -> Sequence[bool]:
        """Hide messages for so long from now on (0: show them again).

        False for a receipt that is no longer good, and for a message that is shown again: others may have it by now.
        """

    async def purge(self, name: str) -> None: ...

    async def counts(self, name: str) -> Counts: ...
