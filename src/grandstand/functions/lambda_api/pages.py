"""Pages of lists, as Lambda's API asks for them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from grandstand.functions.paging import cut

from .faults import invalid, out_of_bounds, validation

T = TypeVar("T")
DEFAULT_ITEMS, MOST_ITEMS = 50, 10_000


def page(
    items: Iterable[T], key: Callable[[T], str], marker: str, max_items: str, default: int = DEFAULT_ITEMS
) -> tuple[list[T], str]:
    """The items after a marker, in the order of their keys, and the marker of the next page ("": none)."""
    wanted = _number(max_items, default)
    try:
        return cut(items, key, marker, wanted)
    except ValueError as error:
        raise invalid("Invalid pagination token: use the NextMarker of the page before") from error


def _number(text: str, default: int) -> int:
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
    if not 1 <= number <= MOST_ITEMS:
        raise validation([out_of_bounds("maxItems", text, f"Member must have value between 1 and {MOST_ITEMS}")])
    return min(number, default)
