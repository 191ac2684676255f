"""What a month of requests costs at AWS's prices. Pure.

    charge = (requests - free) / 1,000,000 * price + sum over tiers of (GB-seconds of the tier) * its price
    GB-seconds = MB / 1,024 * billed milliseconds / 1,000

Free GB-seconds go to the architectures by their shares; tiers begin after what is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from .ledger import NOTHING, Counts
from .price_list import Prices, Tier
from .reading import Usage

CENT = Decimal("0.01")
_MB_MS_OF_GB_SECOND = 1024 * 1000
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One function's month. `list_price` is its part in USD before anything is free."""

    function: str
    architecture: str
    counts: Counts
    list_price: Decimal

    @property
    def gb_seconds(self) -> Decimal:
        return gb_seconds(self.counts)


@dataclass(frozen=True, slots=True)
class Bill:
    """`total` is `list_price` without `free`, in whole cents; all in USD."""

    lines: tuple[Line, ...]
    counts: Counts
    list_price: Decimal
    free: Decimal
    total: Decimal

    @property
    def gb_seconds(self) -> Decimal:
        return gb_seconds(self.counts)


def gb_seconds(counts: Counts) -> Decimal:
    """Memory by time, as AWS bills it."""
    return Decimal(counts.mb_ms) / _MB_MS_OF_GB_SECOND


def tiered(amount: Decimal, tiers: Iterable[Tier]) -> Decimal:
    """USD for so many GB-seconds of a month."""
    charge, begin = _NONE, _NONE
    for tier in tiers:
        end = amount if tier.up_to is None else min(amount, Decimal(tier.up_to))
        charge += max(end - begin, _NONE) * tier.price
        begin = max(begin, end)
    return charge


def billed(usage: Iterable[Usage], prices: Prices) -> Bill:
    """The bill of a month; functions by name, and one that was of both architectures twice."""
    by_function: dict[tuple[str, str], Counts] = {}
    for each in usage:
        key = each.metered.function, each.metered.architecture
        by_function[key] = by_function.get(key, NOTHING) + each.counts
    all_counts = sum(by_function.values(), NOTHING)
    amounts: dict[str, Decimal] = {}
    for (_, architecture), counts in by_function.items():
        amounts[architecture] = amounts.get(architecture, _NONE) + gb_seconds(counts)
    full = {architecture: tiered(amount, prices.gb_second[architecture]) for architecture, amount in amounts.items()}
    list_price = sum(full.values(), _NONE) + _for_requests(all_counts.requests, prices)
    charge = _charged(all_counts, amounts, prices)
    lines = tuple(
        Line(*key, counts, _for_requests(counts.requests, prices) + _share(counts, key[1], amounts, full))
        for key, counts in sorted(by_function.items())
    )
    total = charge.quantize(CENT, ROUND_HALF_UP)
    return Bill(lines, all_counts, list_price, list_price - charge, total)


def _charged(counts: Counts, amounts: Mapping[str, Decimal], prices: Prices) -> Decimal:
    """USD after what is free."""
    used = gb_seconds(counts)
    beyond = max(used - prices.free_gb_seconds, _NONE)
    charge = _for_requests(max(counts.requests - prices.free_requests, 0), prices)
    for architecture, amount in amounts.items():
        if beyond and amount:
            charge += tiered(beyond * amount / used, prices.gb_second[architecture])
    return charge


def _for_requests(requests: int, prices: Prices) -> Decimal:
    return Decimal(requests) * prices.million_requests / 1_000_000


def _share(
    counts: Counts, architecture: str, amounts: Mapping[str, Decimal], charges: Mapping[str, Decimal]
) -> Decimal:
    whole = amounts[architecture]
    return charges[architecture] * gb_seconds(counts) / whole if whole else _NONE
