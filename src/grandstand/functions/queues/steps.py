"""What is done to queues and messages, as steps of a transaction. Times in milliseconds since the epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from grandstand.errors import NotFound

from .ports import Counts, DeadLetters, Outgoing, Queue, QueueSettings, Received

_FIND = "SELECT settings, tags, created, changed FROM queues WHERE name = ?"
_SEND = """
INSERT INTO messages (queue, id, body, attributes, sent_ms, visible_ms) VALUES (?, ?, ?, ?, ?, ?)
"""
_DUE = """
SELECT number, id, body, attributes, sent_ms, first_received_ms, receives, source FROM messages
WHERE queue = ? AND visible_ms <= ? ORDER BY visible_ms, number LIMIT ?
"""
_RECEIVE = """
UPDATE messages SET visible_ms = ?, receives = ?, first_received_ms = ?, receipt = ? WHERE number = ?
"""
_GIVE_UP = """
UPDATE messages SET source = queue, queue = ?, visible_ms = ?, receives = 0, first_received_ms = 0, receipt = ''
WHERE number = ?
"""
_FORGET = "DELETE FROM messages WHERE queue = ? AND sent_ms < ?"
_COUNT = """
SELECT total(visible_ms <= ?), total(visible_ms > ? AND receives > 0), total(visible_ms > ? AND receives = 0)
FROM messages WHERE queue = ?
"""


class Rows(Protocol):
    """A connection to the database, within a transaction."""

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Any: ...

    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]], /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What a receive finds: messages; the queue that got dead letters; else when the next message is visible."""

    messages: tuple[Received, ...]
    moved_to: str | None
    next_ms: int | None


def find(rows: Rows, name: str) -> Queue:
    """Raises NotFound."""
    row = rows.execute(_FIND, (name,)).fetchone()
    if row is None:
        raise NotFound(f"there is no queue {name}")
    settings, tags, created, changed = row
    return Queue(name, _settings(settings), json.loads(tags), created, changed)


def create(rows: Rows, name: str, settings: QueueSettings, tags: Mapping[str, str], now: float) -> Queue:
    row = (name, json.dumps(asdict(settings)), json.dumps(dict(tags)), now, now)
    rows.execute("INSERT INTO queues VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
    return find(rows, name)


def change(rows: Rows, name: str, settings: QueueSettings, now: float) -> Queue:
    row = (json.dumps(asdict(settings)), now, name)
    rows.execute("UPDATE queues SET settings = ?, changed = ? WHERE name = ?", row)
    return find(rows, name)


def tag(rows: Rows, name: str, tags: Mapping[str, str]) -> Queue:
    rows.execute("UPDATE queues SET tags = ? WHERE name = ?", (json.dumps(dict(tags)), name))
    return find(rows, name)


def delete(rows: Rows, name: str) -> None:
    find(rows, name)
    rows.execute("DELETE FROM queues WHERE name = ?", (name,))


def names(rows: Rows, prefix: str) -> list[str]:
    found = rows.execute("SELECT name FROM queues WHERE substr(name, 1, ?) = ? ORDER BY name", (len(prefix), prefix))
    return [name for (name,) in found]


def send(rows: Rows, name: str, messages: Sequence[tuple[str, Outgoing]], now_ms: int) -> list[str]:
    """Each message comes with its identifier."""
    settings = find(rows, name).settings
    for identifier, message in messages:
        delay = settings.delay_seconds if message.delay_seconds is None else message.delay_seconds
        attributes = json.dumps(dict(message.attributes))
        rows.execute(_SEND, (name, identifier, message.body, attributes, now_ms, now_ms + delay * 1000))
    return [identifier for identifier, _ in messages]


def receive(rows: Rows, name: str, receipts: Sequence[str], visibility_seconds: int | None, now_ms: int) -> Taken:
    """As many messages as there are `receipts`; those that are too old are forgotten, dead letters moved."""
    settings = find(rows, name).settings
    _forget(rows, name, settings, now_ms)
    rule = settings.dead_letters
    moved_to = None
    # Only what would be received is looked at: a queue may hold a million messages.
    while (found := rows.execute(_DUE, (name, now_ms, len(receipts))).fetchall()) and rule is not None:
        if not _give_up(rows, rule, [row for row in found if row[6] >= rule.most_receives], now_ms):
            break
        moved_to = rule.queue
    hidden = settings.visibility_seconds if visibility_seconds is None else visibility_seconds
    messages = []
    for chance, (number, identifier, body, attributes, sent, first, receives, source) in zip(
        receipts, found, strict=False
    ):
        receipt, first_ms = f"{number}.{chance}", first or now_ms
        rows.execute(_RECEIVE, (now_ms + hidden * 1000, receives + 1, first_ms, receipt, number))
        kept = json.loads(attributes)
        messages.append(Received(identifier, receipt, body, kept, sent, first_ms, receives + 1, source))
    next_ms = None
    if not messages:
        next_ms = rows.execute("SELECT min(visible_ms) FROM messages WHERE queue = ?", (name,)).fetchone()[0]
    return Taken(tuple(messages), moved_to, next_ms)


def settle(rows: Rows, name: str, receipts: Sequence[str]) -> list[bool]:
    find(rows, name)
    gone = "DELETE FROM messages WHERE number = ? AND queue = ? AND receipt = ?"
    return [rows.execute(gone, (_number(each), name, each)).rowcount == 1 for each in receipts]


def postpone(rows: Rows, name: str, receipts: Sequence[str], seconds: float, now_ms: int) -> list[bool]:
    """Only of messages that are hidden: others may have been promised to somebody else."""
    find(rows, name)
    until = now_ms + round(seconds * 1000)
    hide = "UPDATE messages SET visible_ms = ? WHERE number = ? AND queue = ? AND receipt = ? AND visible_ms > ?"
    return [rows.execute(hide, (until, _number(each), name, each, now_ms)).rowcount == 1 for each in receipts]


def purge(rows: Rows, name: str) -> None:
    find(rows, name)
    rows.execute("DELETE FROM messages WHERE queue = ?", (name,))


def counts(rows: Rows, name: str, now_ms: int) -> Counts:
    _forget(rows, name, find(rows, name).settings, now_ms)
    return Counts(*(int(each) for each in rows.execute(_COUNT, (now_ms, now_ms, now_ms, name)).fetchone()))


def _forget(rows: Rows, name: str, settings: QueueSettings, now_ms: int) -> None:
    rows.execute(_FORGET, (name, now_ms - settings.retention_seconds * 1000))


def _give_up(rows: Rows, rule: DeadLetters, dead: Sequence[Sequence[Any]], now_ms: int) -> bool:
    """Whether messages were moved. While their queue is not there they stay, and are received on."""
    if not dead or rows.execute(_FIND, (rule.queue,)).fetchone() is None:
        return False
    rows.executemany(_GIVE_UP, [(rule.queue, now_ms, number) for number, *_ in dead])
    return True


def _settings(text: str) -> QueueSettings:
    given = json.loads(text)
    dead = given.pop("dead_letters")
    return QueueSettings(**given, dead_letters=None if dead is None else DeadLetters(**dead))


def _number(receipt: str) -> int:
    """The row that a receipt is of; 0, which is no row, for what is no receipt."""
    number = receipt.partition(".")[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0
