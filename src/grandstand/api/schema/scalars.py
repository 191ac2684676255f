"""Read the scalars of Kubernetes objects as Go does, and write them as Go would: quantities, times, bytes, integers."""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from fractions import Fraction

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_QUANTITY = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([eE])([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")
_SHAPE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_BINARY_SUFFIX = {0: "", **{power: suffix for suffix, power in _BINARY.items()}}
_LARGEST = 2**63 - 1
_NANO = 10**9
# More digits than this in an exponent are a number that nobody means, and would take long to compute.
_LARGEST_EXPONENT = 30


def canonical_quantity(value: str | int | float) -> str:
    """A quantity as Kubernetes stores it: `1000m` is `1`, `0.5` is `500m`, `1024Mi` is `1Gi`. Raises ValueError."""
    text = value.strip() if isinstance(value, str) else repr(value)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(_SHAPE)
    sign, digits, exponent_mark, exponent, suffix = match.groups()
    if exponent and abs(int(exponent)) > _LARGEST_EXPONENT:
        raise ValueError("unable to parse quantity's suffix")
    binary = suffix in _BINARY
    power = int(exponent) if exponent else _DECIMAL.get(suffix or "", 0)
    scale = Fraction(1024) ** _BINARY[suffix] if binary else Fraction(10) ** power
    number = _nanos(Fraction(digits if digits[-1] != "." else digits[:-1]) * scale) * (-1 if sign == "-" else 1)
    if binary and number % _NANO == 0 and abs(number // _NANO) >= 1024:
        return _binary(number // _NANO)
    return _decimal(number, exponential=exponent_mark is not None)


def _nanos(number: Fraction) -> int:
    """A number in billionths, rounded up and at most the largest that Kubernetes holds."""
    if number >= _LARGEST:
        return _LARGEST * _NANO
    return -((-number.numerator * _NANO) // number.denominator)


def _binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < 6:
        number //= 1024
        power += 1
    return f"{number}{_BINARY_SUFFIX[power]}"


def _decimal(nanos: int, *, exponential: bool) -> str:
    if nanos == 0:
        return "0"
    exponent = -9
    while nanos % 1000 == 0 and exponent < 18:
        nanos //= 1000
        exponent += 3
    if exponential:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_DECIMAL_SUFFIX[exponent]}"


def canonical_time(value: str, *, micro: bool = False) -> str:
    """An RFC 3339 time in UTC, with whole seconds or (`micro`) six decimals. Raises ValueError."""
    if not _TIME.fullmatch(value):
        layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
        raise ValueError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
    if not micro and len(value) == 20 and value[-1] == "Z":
        return datetime.fromisoformat(value).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    moment = datetime.fromisoformat(_six_decimals(value)).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def _six_decimals(value: str) -> str:
    """Python reads at most six decimals of a second, Go nine: cut the rest off."""
    return re.sub(r"(\.\d{6})\d+", r"\1", value)


def check_base64(value: str) -> None:
    """Raise ValueError in Go's words where text is no standard base64."""
    data = value.replace("\n", "").replace("\r", "")
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        wrong = re.search(r"[^A-Za-z0-9+/]", data.rstrip("="))
        position = wrong.start() if wrong else len(data)
        raise ValueError(f"illegal base64 data at input byte {position}") from None
