"""Pages of queues' names, as SQS's API asks for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from grandstand.functions.paging import cut

from .faults import invalid, invalid_value

MOST_RESULTS = 1_000


def page(names: Iterable[str], token: str | None, most: int | None) -> tuple[list[str], str]:
    """The names after a token, and the token of the next page ("": there is none). Raises ServiceFault."""
    if most is not None and not 1 <= most <= MOST_RESULTS:
        raise invalid_value(most, "MaxResults", f"MaxResults must be between 1 and {MOST_RESULTS}.")
    try:
        return cut(names, str, token or "", most or MOST_RESULTS)
    except ValueError:
        raise invalid("Invalid NextToken: use the NextToken of the page before") from None
