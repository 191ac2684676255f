"""Cut lists into pages, with markers that say where the next one begins. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def cut(items: Iterable[T], key: Callable[[T], str], marker: str, most: int) -> tuple[list[T], str]:
    """The items after a marker ("": all), in the order of their keys, and the marker of the next page ("": none).

    Raises ValueError for a marker that is none.
    """
    after = _decoded(marker)
    left = sorted((item for item in items if not after or key(item) > after), key=key)
    shown = left[:most]
    return shown, _encoded(key(shown[-1])) if len(left) > most else ""


def _encoded(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decoded(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(f"{marker} is no marker of a page") from error
