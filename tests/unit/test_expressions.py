"""Conditions: what they mean, and what is refused."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.expressions import BadCondition, read_condition


@pytest.mark.parametrize(
    ("text", "result", "holds"),
    [
        ("result < 0.05", 0.04, True),
        ("result[0] < 0.05", 0.05, False),
        ("result[0] <= 5e-2", 0.05, True),
        ("result == 1 or result == 2", 2, True),
        ("result > 1 && result < 3", 2, True),
        ("result > 1 and not (result > 3)", 4, False),
        ("!(result > 3) || false", 4, False),
        ("1 + 2 * 3 == 7", 0, True),
        ("(1 + 2) * 3 == 9", 0, True),
        ("8 / 2 / 2 == 2", 0, True),
        ("5 - 2 - 1 == 2", 0, True),
        ("-result < 0", 1, True),
        ("isNaN(result)", math.nan, True),
        ("isNaN(result) || result <= 0.1", 0.2, False),
        ("default(result, 0) < 1", math.nan, True),
        ("isInf(result / 0)", 1, True),
        ("asInt(result) == 2", 2.9, True),
        ("result >= .5", 0.5, True),
        ("true", 0, True),
    ],
)
def test_what_holds(text, result, holds) -> None:
    assert read_condition(text).holds(result) is holds


@pytest.mark.parametrize(
    "text",
    [
        *("", "result <", "result < 1 2", "result[1] < 1", "len(result) > 0", "result.x", "(result < 1", "a < 1"),
        *("default(result)", "'x' == 'x'", "result < 1;", "result ? 1 : 2", "(" * 200, "-" * 200 + "1 < 2", "x" * 2000),
    ],
)
def test_what_is_no_condition_is_refused(text) -> None:
    with pytest.raises(BadCondition):
        read_condition(text)


@pytest.mark.parametrize("text", ["result", "result + 1", "not result", "result and true", "(result < 1) + 1 < 2"])
def test_a_number_is_neither_true_nor_false(text) -> None:
    with pytest.raises(BadCondition):
        read_condition(text).holds(1.0)


@given(st.text(alphabet="result[0]<>=!&|()+-*/. andotrue1isNaN,", max_size=40), st.floats())
def test_whatever_is_written_only_its_own_error_is_raised(text, result) -> None:
    with contextlib.suppress(BadCondition):
        read_condition(text).holds(result)
