"""Cut lists into pages, with AWS's markers. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

from .faults import invalid, out_of_bounds, validation

T = TypeVar("T")
DEFAULT_ITEMS, MOST_ITEMS = 50, 10_000


def page(
    items: Iterable[T], key: Callable[[T], str], marker: str, max_items: str, default: int = DEFAULT_ITEMS
) -> tuple[list[T], str]:
    """The items after a marker, in the order of their keys, and the marker of the next page ("": none)."""
    wanted = _number(max_items, default)
    after = _decoded(marker)
    left = sorted((item for item in items if not after or key(item) > after), key=key)
    shown = left[:wanted]
    return shown, _encoded(key(shown[-1])) if len(left) > wanted else ""


def _number(text: str, default: int) -> int:
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
    if not 1 <= number <= MOST_ITEMS:
        raise validation([out_of_bounds("maxItems", text, f"Member must have value between 1 and {MOST_ITEMS}")])
    return min(number, default)


def _encoded(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decoded(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise invalid("Invalid pagination token: use the NextMarker of the page before") from error
