"""Judge a measurement by a condition such as `result < 0.01`: a small, safe part of the language that Argo uses. Pure.

numbers, true, false, result, result[0], + - * /, == != < <= > >=, and or not && || !, parentheses,
isNaN(x), isInf(x), asFloat(x), asInt(x), default(x, y)
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = float | bool
Evaluate: TypeAlias = Callable[[float], Value]

LONGEST = 1000
DEEPEST = 50
SUPPORTED = (
    "numbers, result, result[0], + - * /, comparisons, and, or, not, parentheses, isNaN, isInf, asFloat, asInt, default"
)
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(&&|\|\||[=!<>]=|[-+*/<>!()\[\],]))")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Value]]] = {
    "isNaN": (1, math.isnan),
    "isInf": (1, math.isinf),
    "asFloat": (1, float),
    "asInt": (1, lambda value: float(math.trunc(value))),
    "default": (2, lambda value, other: other if math.isnan(value) else value),
}


class BadCondition(Exception):
    """A condition that cannot be read, or is not true or false. The message says why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read; `holds` for a measured value."""

    text: str
    evaluate: Evaluate

    def holds(self, result: float) -> bool:
        """Raises BadCondition where the answer is neither true nor false."""
        try:
            found = self.evaluate(result)
        except (ArithmeticError, ValueError) as error:
            raise BadCondition(f"{self.text!r} cannot be computed for {result:g}: {error}") from error
        if not isinstance(found, bool):
            raise BadCondition(f"{self.text!r} is a number, not true or false: compare it with something")
        return found


def read_condition(text: str) -> Condition:
    """Raises BadCondition for what is none, or has something in it that is not supported."""
    if len(text) > LONGEST:
        raise BadCondition(f"a condition has at most {LONGEST} characters")
    reader = _Reader(text)
    evaluate = reader.any_of()
    if reader.left:
        raise reader.error()
    return Condition(text, evaluate)


class _Reader:
    """Reads from the left, by precedence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.left: list[str] = []
        self._depth = 0
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise BadCondition(
                    f"{text!r}: {text[place:].strip()[:20]!r} is not understood; supported are {SUPPORTED}"
                )
            self.left.append(found[0].strip())
            place = found.end()

    def error(self) -> BadCondition:
        at = self.left[0] if self.left else "its end"
        return BadCondition(f"{self._text!r}: {at!r} was not expected; supported are {SUPPORTED}")

    def any_of(self) -> Evaluate:
        first = self.all_of()
        while self._take("or", "||"):
            first = _either(first, self.all_of())
        return first

    def all_of(self) -> Evaluate:
        first = self.negation()
        while self._take("and", "&&"):
            first = _both(first, self.negation())
        return first

    def negation(self) -> Evaluate:
        if self._take("not", "!"):
            self._deeper()
            inner = self.negation()
            return lambda result: not _truth(inner(result))
        return self.comparison()

    def comparison(self) -> Evaluate:
        first = self.sum()
        if self.left and self.left[0] in _COMPARISONS:
            compare, second = _COMPARISONS[self.left.pop(0)], self.sum()
            left = first
            return lambda result: bool(compare(_number(left(result)), _number(second(result))))
        return first

    def sum(self) -> Evaluate:
        first = self.product()
        while sign := self._take("+", "-"):
            first = _arithmetic(operator.add if sign == "+" else operator.sub, first, self.product())
        return first

    def product(self) -> Evaluate:
        first = self.unary()
        while sign := self._take("*", "/"):
            first = _arithmetic(operator.mul if sign == "*" else _divide, first, self.unary())
        return first

    def unary(self) -> Evaluate:
        if self._take("-"):
            self._deeper()
            inner = self.unary()
            return lambda result: -_number(inner(result))
        return self.atom()

    def atom(self) -> Evaluate:
        if not self.left:
            raise self.error()
        word = self.left[0]
        if word[0].isdigit() or word[0] == ".":
            number = float(self.left.pop(0))
            return lambda result: number
        if word in ("true", "false"):
            truth = self.left.pop(0) == "true"
            return lambda result: truth
        if word == "result":
            return self._result()
        if word in _FUNCTIONS:
            return self._call(self.left.pop(0))
        if self._take("("):
            self._deeper()
            inner = self.any_of()
            self._expect(")")
            return inner
        raise self.error()

    def _result(self) -> Evaluate:
        self.left.pop(0)
        if self._take("["):
            if not self._take("0"):
                raise self.error()  # a measurement is one number
            self._expect("]")
        return lambda result: result

    def _call(self, name: str) -> Evaluate:
        self._deeper()
        count, function = _FUNCTIONS[name]
        self._expect("(")
        arguments = [self.any_of()]
        while self._take(","):
            arguments.append(self.any_of())
        self._expect(")")
        if len(arguments) != count:
            raise BadCondition(f"{self._text!r}: {name} takes {count} arguments, not {len(arguments)}")
        return lambda result: function(*(_number(argument(result)) for argument in arguments))

    def _take(self, *tokens: str) -> str:
        return self.left.pop(0) if self.left and self.left[0] in tokens else ""

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self.error()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadCondition(f"{self._text[:40]!r}… is nested too deeply")


def _either(first: Evaluate, second: Evaluate) -> Evaluate:
    return lambda result: _truth(first(result)) or _truth(second(result))


def _both(first: Evaluate, second: Evaluate) -> Evaluate:
    return lambda result: _truth(first(result)) and _truth(second(result))


def _arithmetic(compute: Callable[[float, float], float], first: Evaluate, second: Evaluate) -> Evaluate:
    return lambda result: compute(_number(first(result)), _number(second(result)))


def _divide(first: float, second: float) -> float:
    """As computers do: by zero it is infinite, or no number."""
    if second == 0:
        return math.nan if first == 0 or math.isnan(first) else math.copysign(math.inf, first)
    return first / second


def _number(value: Value) -> float:
    if isinstance(value, bool):
        raise BadCondition("true and false are no numbers")
    return value


def _truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise BadCondition("a number is neither true nor false: compare it with something")
    return value
