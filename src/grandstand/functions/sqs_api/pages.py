"""Cut names of queues into pages, with tokens. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from .faults import invalid, invalid_value

MOST_RESULTS = 1_000


def page(names: Sequence[str], token: str | None, most: int | None) -> tuple[list[str], str | None]:
    """The names after a token, and the token of the next page; None: there is none. Raises ServiceFault."""
    if most is not None and not 1 <= most <= MOST_RESULTS:
        raise invalid_value(most, "MaxResults", f"MaxResults must be between 1 and {MOST_RESULTS}.")
    after = _decoded(token) if token else ""
    left = [name for name in sorted(names) if name > after]
    shown = left[: most or MOST_RESULTS]
    return shown, _encoded(shown[-1]) if len(left) > len(shown) else None


def _encoded(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise invalid("Invalid NextToken: use the NextToken of the page before") from None
