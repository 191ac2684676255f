"""Kubernetes quantities: `500m`, `1.5`, `128Mi`, `2e3`."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_PATTERN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}


def parse_quantity(text: str | int | float) -> Decimal:
    """The number that a quantity stands for, in its base unit (cores, bytes). Raises ValueError when it is none."""
    match = _PATTERN.fullmatch(str(text))
    if match is None:
        raise ValueError(
            f"{text!r} is not a quantity: a number and one of the suffixes n u m k M G T P E Ki Mi Gi Ti Pi Ei"
        )
    number, exponent, suffix = match.groups()
    return Decimal(number + exponent) if exponent else Decimal(number) * _SUFFIXES[suffix or ""]


def millicores(text: str | int | float) -> int:
    """A CPU quantity in thousandths of a core, rounded up."""
    return int((parse_quantity(text) * 1000).to_integral_value(ROUND_CEILING))


def whole_bytes(text: str | int | float) -> int:
    """A memory quantity in bytes, rounded up."""
    return int(parse_quantity(text).to_integral_value(ROUND_CEILING))
