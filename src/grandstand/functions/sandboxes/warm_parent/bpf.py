"""Assemble classic BPF programs for seccomp: loads, comparisons, jumps to labels. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

NUMBER, ARCHITECTURE = 0, 4
_LOAD, _RETURN = 0x20, 0x06
_JUMPS = {"==": 0x15, ">=": 0x35, "&": 0x45}
_FARTHEST = 255


@dataclass(frozen=True)
class Label:
    name: str


@dataclass(frozen=True)
class Load:
    """Load 32 bits of `struct seccomp_data`."""

    offset: int


@dataclass(frozen=True)
class Jump:
    """Go to a label when the comparison with what is loaded holds; else on."""

    comparison: str
    value: int
    label: str


@dataclass(frozen=True)
class Return:
    action: int


Line = Label | Load | Jump | Return


def argument(index: int) -> int:
    """Where the lower 32 bits of an argument are, on a little-endian machine."""
    return 16 + 8 * index


def assemble(lines: Sequence[Line]) -> bytes:
    """The kernel's `struct sock_filter`s. Raises ValueError for a label that is missing, behind, or too far ahead."""
    places: dict[str, int] = {}
    code: list[Load | Jump | Return] = []
    for line in lines:
        if isinstance(line, Label):
            places[line.name] = len(code)
        else:
            code.append(line)
    return b"".join(_encode(line, at, places) for at, line in enumerate(code))


def _encode(line: Load | Jump | Return, at: int, places: dict[str, int]) -> bytes:
    if isinstance(line, Load):
        return struct.pack("=HBBI", _LOAD, 0, 0, line.offset)
    if isinstance(line, Return):
        return struct.pack("=HBBI", _RETURN, 0, 0, line.action)
    distance = places.get(line.label, -1) - at - 1
    if not 0 <= distance <= _FARTHEST:
        raise ValueError(f"the label {line.label!r} is not within {_FARTHEST} instructions ahead")
    return struct.pack("=HBBI", _JUMPS[line.comparison], distance, 0, line.value)
