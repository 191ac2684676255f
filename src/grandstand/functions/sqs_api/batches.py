"""Batches of SQS: what makes all of one wrong, and the answer for each entry. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from grandstand.errors import ServiceFault
from grandstand.kinds import Object

from .faults import query_code

MOST_ENTRIES = 10
MOST_BYTES = 1_048_576
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Entry(Protocol):
    """Named by whoever sends it."""

    @property
    def id(self) -> str | None: ...


E = TypeVar("E", bound=Entry)
T = TypeVar("T")


def entries(found: Sequence[E] | None, kind: str) -> dict[str, E]:
    """The entries by their names, in their order; `kind` is AWS's name of one. Raises ServiceFault."""
    if not found:
        raise ServiceFault("EmptyBatchRequest", f"There should be at least one {kind} in the request.", 400)
    if len(found) > MOST_ENTRIES:
        message = f"Maximum number of entries per request are {MOST_ENTRIES}. You have sent {len(found)}."
        raise ServiceFault("TooManyEntriesInBatchRequest", message, 400)
    named = [(entry.id or "", entry) for entry in found]
    if not all(_ID.fullmatch(name) for name, _ in named):
        message = (
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long."
        )
        raise ServiceFault("InvalidBatchEntryId", message, 400)
    name, times = Counter(name for name, _ in named).most_common(1)[0]
    if times > 1:
        raise ServiceFault("BatchEntryIdsNotDistinct", f"Id {name} repeated.", 400)
    return dict(named)


def check_size(size: int) -> None:
    """Of all entries together, in bytes. Raises ServiceFault."""
    if size > MOST_BYTES:
        message = f"Batch requests cannot be longer than {MOST_BYTES} bytes. You have sent {size} bytes."
        raise ServiceFault("BatchRequestTooLong", message, 400)


def sorted_out(found: Mapping[str, E], check: Callable[[E], T]) -> tuple[dict[str, T], dict[str, ServiceFault]]:
    """What a check makes of each entry, and why it refuses others."""
    good: dict[str, T] = {}
    bad: dict[str, ServiceFault] = {}
    for name, entry in found.items():
        try:
            good[name] = check(entry)
        except ServiceFault as fault:
            bad[name] = fault
    return good, bad


def answer(good: Mapping[str, Object], bad: Mapping[str, ServiceFault]) -> Object:
    """AWS leaves out Failed where nothing has failed."""
    done: Object = {"Successful": [{"Id": name, **fields} for name, fields in good.items()]}
    failed = [
        {"Id": name, "SenderFault": True, "Code": query_code(fault), "Message": fault.message}
        for name, fault in bad.items()
    ]
    return done | ({"Failed": failed} if failed else {})
