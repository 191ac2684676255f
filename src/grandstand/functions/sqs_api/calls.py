"""What operations of SQS's API are given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from grandstand.functions.queues.ports import Queues
from grandstand.kinds import Object

from .faults import missing, no_queue
from .names import Home, name_in_url


@dataclass(frozen=True, slots=True)
class Parts:
    """What operations work with. `changing` is held while a queue is read to be changed: no change is lost."""

    queues: Queues
    home: Home
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its body, the host (with port) that it was sent to, and whether who sent it is gone by now."""

    body: bytes
    host: str
    gone: Callable[[], bool]


Operation = Callable[[Parts, Call], Awaitable[Object | None]]
"""Answers with a JSON object, or None for no body."""


def queue_name(url: str | None, home: Home) -> str:
    """The queue that a QueueUrl means. Raises ServiceFault."""
    if not url:
        raise missing("QueueUrl")
    name = name_in_url(home, url)
    if name is None:
        raise no_queue()
    return name
