"""Conditions: what is understood, in expr-lang's precedence, and what is refused with which words."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.expressions import BadCondition, read_condition

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("text", "result", "holds"),
    [
        ("result <= 0.05", 0.05, True),
        ("result[0] <= 0.05", 0.06, False),
        ("result > .5 and result < 1e2", 1, True),
        ("result > 0.5 && result < 1", 1, False),
        ("result == 1 || result == 2 && false", 1, True),
        ("(result == 1 or result == 2) and false", 1, False),
        ("!(result > 5)", 4, True),
        ("not (result > 5)", 6, False),
        ("not isNaN(result) and result >= 1", 1, True),
        ("result + 1 * 2 == 5", 3, True),
        ("(result + 1) * 2 == 8", 3, True),
        ("8 / 2 / 2 == result", 2, True),
        ("5 - 2 - 1 == result", 2, True),
        ("-result < - -1", -0.5, True),
        ("result != 3", 3, False),
        ("(result > 1) == (result > 2)", 1.5, False),
        ("result / 0 > 1", 1, True),
        ("isInf(result / 0)", -1, True),
        ("isNaN(0 / result)", 0, True),
        ("isNaN(result) || result <= 0.05", NAN, True),
        ("result <= 0.05", NAN, False),
        ("isInf(result)", INF, True),
        ("asInt(result) == 3", 3.9, True),
        ("asFloat(result) == 3.9", 3.9, True),
        ("default(result, 0) <= 0.05", None, True),
        ("default(result[0], 1) <= 0.05", None, False),
        ("default(result, 1) <= 0.05", 0.01, True),
        ("isNil(result) || result < 1", None, True),
        ("isNil(result)", 0, False),
        ("true", None, True),
        (" ( ( result ) >= 0.95 ) \n", 0.95, True),
    ],
)
def test_what_is_understood(text: str, result: float | None, holds: bool) -> None:
    assert read_condition(text).holds(result) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it ends too early"),
        ("result", "it must be true or false"),
        ("result <=", "it ends too early"),
        ("result <= 1 1", "'1' is not expected there"),
        ("result[1] > 0", "there is one result"),
        ("result[0 > 0", "']' is expected before '>'"),
        ("(result > 0", "')' is expected before its end"),
        ("default(result) > 0", "',' is expected before ')'"),
        ("result == 'true'", "\"'true'\" is not understood"),
        ("len(result) > 0", "'len' is not understood"),
        ("result.code == 200", "'.code == 200' is not understood"),
        ("result > 1 ? true : false", "'? true : false' is not understood"),
        ("not result > 5", "not needs a comparison in parentheses"),
        ("1 < result < 2", "< needs a number on both sides"),
        ("result && true", "&& needs a comparison on both sides"),
        ("-(result > 1)", "a sign needs a number"),
        ("isNaN(result > 1)", "a number is needed there"),
        ("(" * 60 + "result > 0" + ")" * 60, "it is too long"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadCondition) as raised:
        read_condition(text)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "result", "message"),
    [
        ("result < 1", None, "result is nil, there was no data"),
        ("isNaN(result)", None, "result is nil, there was no data"),
        ("asInt(result) < 1", NAN, "nan is no whole number"),
        ("asInt(result) < 1", INF, "inf is no whole number"),
    ],
)
def test_what_cannot_be_answered(text: str, result: float | None, message: str) -> None:
    with pytest.raises(BadCondition, match=message):
        read_condition(text).holds(result)


SIGNS = ["(", ")", "[0]", "!", "&&", "||", "+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", ","]
NAMES = ["result", "result[0]", "not", "and", "or", "isNaN", "isInf", "isNil", "default", "asFloat", "asInt", "true"]
WORDS = [*SIGNS, *NAMES, "0", "1", ".5", "1e999", "9" * 400, "len", "'a'", "\u00b2"]
texts = st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=120).map(" ".join))
results = st.one_of(st.none(), st.floats())


@given(texts, results)
def test_no_text_raises_anything_else(text: str, result: float | None) -> None:
    with suppress(BadCondition):
        assert read_condition(text).holds(result) in (True, False)


numbers = st.recursive(
    st.one_of(st.just("result"), st.integers(0, 99).map(str), st.floats(0, 99).map("{:.4f}".format)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        inner.map("default({}, 0)".format),
        inner.map("-{}".format),
    ),
    max_leaves=8,
)


@given(numbers, st.sampled_from(("<", "<=", "==", "!=", ">", ">=")), numbers, results)
def test_what_is_built_by_the_rules_is_understood(left: str, sign: str, right: str, result: float | None) -> None:
    understood = read_condition(f"{left} {sign} {right}")
    if result is not None:
        assert understood.holds(result) in (True, False)


@pytest.mark.parametrize(
    "text", ["!" * 99 + "true", "-" * 97 + "1 < 2", "(" * 48 + "1 < 2" + ")" * 48, "1" + "+1" * 48 + " > result"]
)
def test_the_deepest_nesting_is_evaluated(text: str) -> None:
    assert read_condition(text).holds(3.0) in (True, False)
