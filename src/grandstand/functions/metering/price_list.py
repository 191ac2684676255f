"""Read the dated price lists that come with Grandstand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

_LISTS = Path(__file__).parent / "prices"


class Tier(msgspec.Struct, frozen=True):
    """`price` in USD for each GB-second of a month up to `up_to`; without it, for all that are left."""

    up_to: int | None
    price: Decimal


class Prices(msgspec.Struct, frozen=True):
    """In USD; what is free is free every month."""

    source: str
    region: str
    valid_from: str
    million_requests: Decimal
    free_requests: int
    free_gb_seconds: int
    gb_second: dict[str, list[Tier]]


def prices_for(month: str) -> Prices:
    """The newest list that is valid on a month's first day; the oldest for a month before all of them."""
    lists = sorted(
        (msgspec.json.decode(path.read_bytes(), type=Prices) for path in _LISTS.glob("aws-lambda-*.json")),
        key=lambda prices: prices.valid_from,
    )
    return next((prices for prices in reversed(lists) if prices.valid_from <= f"{month}-01"), lists[0])
