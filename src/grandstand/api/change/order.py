"""Put the items of a patched list in order: as the patch wants them, and the others where they stood."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def interleaved(listed: list[T], others: list[T], precedes: Callable[[T, T], bool]) -> list[T]:
    """`listed` in its order, with each of `others` before the first listed item that it precedes on the server."""
    merged: list[T] = []
    waiting = list(others)
    for item in listed:
        while waiting and precedes(waiting[0], item):
            merged.append(waiting.pop(0))
        merged.append(item)
    return merged + waiting


def applied_order(live: list[T], applied: list[T]) -> list[T]:
    """`applied` in its order, with each item that only `live` has as early as its order there allows."""
    wanted, known = set(applied), set(live)
    merged: list[T] = []
    place = 0
    for index, item in enumerate(applied):
        shared = next((other for other in applied[index:] if other in known), None)
        while place < len(live) and (shared is None or live[place] != shared):
            if live[place] not in wanted:
                merged.append(live[place])
            place += 1
        merged.append(item)
        if item == shared:
            place += 1
    return merged + [item for item in live[place:] if item not in wanted]
