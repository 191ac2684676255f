"""Understand conditions such as `result[0] <= 0.05 && !isNaN(result)`: the part of expr-lang that numbers need. Pure.

Precedence as in expr-lang, from loose to tight: `||`, `&&`, comparisons, `+ -`, `not` and `!`, `* /`, sign.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

SUPPORTED = (
    "supported are result, numbers, true, false, + - * /, == != < <= > >=, and or not && || !, parentheses, "
    "isNaN, isInf, isNil, default(result, 0), asFloat, asInt"
)
MOST_TOKENS = 100
"""So that no condition is nested too deeply to be evaluated."""


class BadCondition(ValueError):
    """A condition is not understood, or cannot be answered for a result. The message says why."""


class Kind(StrEnum):
    """What an expression gives."""

    NUMBER = "a number"
    TRUTH = "true or false"


Result = float | None
"""None: there is no data; `nil` in expr-lang."""


@dataclass(frozen=True, slots=True)
class _Expression:
    """`value` gives a float or None for a NUMBER, a bool for TRUTH. Raises BadCondition."""

    kind: Kind
    value: Callable[[Result], float | bool | None]

    def number(self, result: Result) -> float:
        value = self.value(result)
        if value is None:
            raise BadCondition("result is nil, there was no data: ask with default(result, 0) or isNil(result)")
        return float(value)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was understood."""

    text: str
    _expression: _Expression

    def holds(self, result: Result) -> bool:
        """Whether it is true of a result. Raises BadCondition where that cannot be said."""
        return bool(self._expression.value(result))


def read_condition(text: str) -> Condition:
    """Raises BadCondition for what is not supported."""
    parser = _Parser(_tokens(text))
    expression = parser.expression(0)
    if parser.peek():
        raise BadCondition(f"{parser.peek()!r} is not expected there: {SUPPORTED}")
    if expression.kind is not Kind.TRUTH:
        raise BadCondition("it must be true or false, for example result <= 0.05")
    return Condition(text, expression)


_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(\|\||&&|[=!<>]=|[-+*/<>!()\[\],]))",
    re.ASCII,
)
_WORDS = {"or": "||", "and": "&&", "not": "!"}


def _tokens(text: str) -> list[str]:
    tokens, place, end = [], 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise BadCondition(f"{text[place:].strip()[:20]!r} is not understood: {SUPPORTED}")
        token = found[0].strip()
        tokens.append(_WORDS.get(token, token))
        place = found.end()
    if len(tokens) > MOST_TOKENS:
        raise BadCondition(f"it is too long: at most {MOST_TOKENS} numbers, names and signs")
    return tokens


def _divided(left: float, right: float) -> float:
    """As in Go: nothing is an error."""
    if right != 0:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BINDING = {"||": 10, "&&": 15, **dict.fromkeys(_COMPARISONS, 20), "+": 30, "-": 30, "*": 60, "/": 60}
_NOT_BINDING, _SIGN_BINDING = 50, 90


def _binary(sign: str, left: _Expression, right: _Expression) -> _Expression:
    kinds = {left.kind, right.kind}
    if sign in ("||", "&&"):
        if kinds != {Kind.TRUTH}:
            raise BadCondition(f"{sign} needs a comparison on both sides")
        if sign == "||":
            return _Expression(Kind.TRUTH, lambda result: bool(left.value(result) or right.value(result)))
        return _Expression(Kind.TRUTH, lambda result: bool(left.value(result) and right.value(result)))
    if kinds != {Kind.NUMBER} and not (kinds == {Kind.TRUTH} and sign in ("==", "!=")):
        raise BadCondition(f"{sign} needs a number on both sides")
    if sign in _COMPARISONS:
        compare = _COMPARISONS[sign]
        return _Expression(Kind.TRUTH, lambda result: compare(left.number(result), right.number(result)))
    compute = _ARITHMETIC[sign]
    return _Expression(Kind.NUMBER, lambda result: compute(left.number(result), right.number(result)))


def _whole(value: float) -> float:
    if not math.isfinite(value):
        raise BadCondition(f"{value} is no whole number")
    return float(math.trunc(value))


_FUNCTIONS: dict[str, tuple[Kind, Callable[[float], float | bool]]] = {
    "isNaN": (Kind.TRUTH, math.isnan),
    "isInf": (Kind.TRUTH, math.isinf),
    "asFloat": (Kind.NUMBER, float),
    "asInt": (Kind.NUMBER, _whole),
}


class _Parser:
    """Takes tokens from the front, by precedence climbing."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._place = tokens, 0

    def peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def expression(self, binding: int) -> _Expression:
        """What follows, as far as it is bound at least as tightly."""
        left = self._operand()
        while (sign := self.peek()) in _BINDING and _BINDING[sign] >= binding:
            self._take()
            left = _binary(sign, left, self.expression(_BINDING[sign] + 1))
        return left

    def _take(self) -> str:
        token = self.peek()
        self._place += 1
        return token

    def _expect(self, token: str) -> None:
        if self.peek() != token:
            found = repr(self.peek()) if self.peek() else "its end"
            raise BadCondition(f"{token!r} is expected before {found}")
        self._take()

    def _number(self) -> _Expression:
        found = self.expression(0)
        if found.kind is not Kind.NUMBER:
            raise BadCondition("a number is needed there, not a comparison")
        return found

    def _operand(self) -> _Expression:
        word = self._take()
        if word[:1].isdigit() or (word[:1] == "." and len(word) > 1):
            number = float(word)
            return _Expression(Kind.NUMBER, lambda _: number)
        match word:
            case "!":
                inner = self.expression(_NOT_BINDING)
                if inner.kind is not Kind.TRUTH:
                    raise BadCondition("not needs a comparison in parentheses: not (result > 5)")
                return _Expression(Kind.TRUTH, lambda result: not inner.value(result))
            case "-" | "+":
                return self._signed(-1.0 if word == "-" else 1.0)
            case "(":
                found = self.expression(0)
                self._expect(")")
                return found
            case "true" | "false":
                return _Expression(Kind.TRUTH, lambda _: word == "true")
            case "result":
                return self._result()
            case "isNil" | "default":
                return self._about_nil(word)
            case _ if word in _FUNCTIONS:
                return self._call(word)
        raise BadCondition(f"{word!r} is not understood: {SUPPORTED}" if word else "it ends too early")

    def _signed(self, sign: float) -> _Expression:
        inner = self.expression(_SIGN_BINDING)
        if inner.kind is not Kind.NUMBER:
            raise BadCondition("a sign needs a number")
        return _Expression(Kind.NUMBER, lambda result: sign * inner.number(result))

    def _result(self) -> _Expression:
        if self.peek() == "[":
            self._take()
            if self.peek() != "0":
                raise BadCondition("there is one result: result or result[0]")
            self._take()
            self._expect("]")
        return _Expression(Kind.NUMBER, lambda result: result)

    def _about_nil(self, name: str) -> _Expression:
        self._expect("(")
        asked = self._number()
        if name == "isNil":
            self._expect(")")
            return _Expression(Kind.TRUTH, lambda result: asked.value(result) is None)
        self._expect(",")
        instead = self._number()
        self._expect(")")

        def value(result: Result) -> float | bool | None:
            found = asked.value(result)
            return instead.value(result) if found is None else found

        return _Expression(Kind.NUMBER, value)

    def _call(self, name: str) -> _Expression:
        kind, function = _FUNCTIONS[name]
        self._expect("(")
        argument = self._number()
        self._expect(")")
        return _Expression(kind, lambda result: function(argument.number(result)))
