"""The bill of a month at AWS's prices: requests, tiers, what is free."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.functions.metering import Counts, Metered, Usage
from grandstand.functions.metering.bill import billed, gb_seconds, tiered
from grandstand.functions.metering.price_list import prices_for

PRICES = prices_for("2026-11")
GB_SECOND = 1024 * 1000
BILLION = 10**9


def used(
    requests: int, gb_s: int, architecture: str = "x86_64", function: str = "hello", day: str = "2026-11-27"
) -> Usage:
    return Usage(day, Metered(function, "$LATEST", architecture), Counts(requests, gb_s * 1000, gb_s * GB_SECOND))


def test_the_prices_are_those_that_aws_has_published() -> None:
    assert (PRICES.valid_from, PRICES.million_requests) == ("2025-08-01", Decimal("0.20"))
    assert (PRICES.free_requests, PRICES.free_gb_seconds) == (1_000_000, 400_000)
    first = {architecture: tiers[0].price for architecture, tiers in PRICES.gb_second.items()}
    assert first == {"x86_64": Decimal("0.0000166667"), "arm64": Decimal("0.0000133334")}


def test_a_month_before_all_lists_has_the_oldest() -> None:
    assert prices_for("2020-01").valid_from == "2025-08-01"


@pytest.mark.parametrize(
    ("architecture", "amount", "charge"),
    [
        ("x86_64", 0, "0"),
        ("x86_64", 1, "0.0000166667"),
        ("x86_64", 6 * BILLION, "100000.2"),
        ("x86_64", 7 * BILLION, "115000.2"),
        ("x86_64", 15 * BILLION, "235000.2"),
        ("x86_64", 16 * BILLION, "248333.6"),
        ("arm64", 1, "0.0000133334"),
        ("arm64", 7_500_000_000, "100000.5"),
        ("arm64", 18_750_000_000, "235001.625"),
        ("arm64", 19_750_000_000, "245668.325"),
    ],
)
def test_gb_seconds_cost_less_from_tier_to_tier(architecture: str, amount: int, charge: str) -> None:
    assert tiered(Decimal(amount), PRICES.gb_second[architecture]) == Decimal(charge)


@pytest.mark.parametrize(
    ("usage", "total"),
    [
        ([], "0.00"),
        ([used(0, 0)], "0.00"),
        ([used(1_000_000, 400_000)], "0.00"),
        ([used(2_000_000, 0)], "0.20"),
        ([used(1_000_000, 1_400_000)], "16.67"),
        ([used(1_000_000, 1_400_000, "arm64")], "13.33"),
        ([used(3_000_000, 1_500_000)], "18.73"),
        ([used(0, 700_000), used(0, 700_000, "arm64")], "15.00"),
        ([used(0, 700_000), used(0, 700_000, day="2026-11-28")], "16.67"),
        ([used(0, 6 * BILLION + 400_000)], "100000.20"),
    ],
    ids=[
        *("no function", "no traffic", "all free", "requests", "x86", "arm", "three million of 1 GB and 0.5 s"),
        *("free for both", "days together", "tiers begin after what is free"),
    ],
)
def test_the_total_of_a_month(usage: list[Usage], total: str) -> None:
    assert billed(usage, PRICES).total == Decimal(total)


def test_a_function_has_one_line_of_all_its_days() -> None:
    made = billed(
        [used(1, 5, function="b"), used(2, 3, function="a"), used(4, 1, function="b", day="2026-11-28")], PRICES
    )
    assert [(line.function, line.counts.requests, line.gb_seconds) for line in made.lines] == [("a", 2, 3), ("b", 5, 6)]


def test_memory_is_in_gb_of_1024_mb() -> None:
    assert gb_seconds(Counts(1, 1, 128)) == Decimal("0.000125")


USAGE = st.lists(
    st.builds(
        used,
        st.integers(0, 10**10),
        st.integers(0, 10**11),
        st.sampled_from(["x86_64", "arm64"]),
        st.sampled_from(["a", "b", "c"]),
    )
)


@given(USAGE)
def test_what_is_free_is_never_more_than_the_list_price_and_lines_add_up(usage: list[Usage]) -> None:
    made = billed(usage, PRICES)
    assert 0 <= made.free <= made.list_price
    assert abs(sum((line.list_price for line in made.lines), Decimal(0)) - made.list_price) < Decimal("1e-9")
    assert abs(made.list_price - made.free - made.total) <= Decimal("0.005")
