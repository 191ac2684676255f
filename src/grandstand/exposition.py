"""Numbers for Prometheus: families of samples, and how they are written. Pure but for `process_families`.

Each part offers its own families as an `Exposer`; the API joins them under `/metrics` when somebody asks.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Kind(StrEnum):
    """What a family's numbers do."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number; `suffix` tells the parts of a histogram apart."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of a name."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


Exposer = Callable[[], Iterable[Family]]


def exposition(families: Iterable[Family]) -> str:
    """The text format of Prometheus; families of one name are joined, those without a sample left out."""
    joined: dict[str, list[Family]] = {}
    for family in families:
        joined.setdefault(family.name, []).append(family)
    lines: list[str] = []
    for name, same in joined.items():
        samples = [sample for family in same for sample in family.samples]
        if samples:
            lines += [f"# HELP {name} {same[0].help.translate(_HELP_ESCAPES)}", f"# TYPE {name} {same[0].kind}"]
            lines += [f"{name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}" for sample in samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


class Histogram:
    """Counts how often a number was at most so large, by labels."""

    def __init__(self, name: str, help: str, bounds: tuple[float, ...]) -> None:  # noqa: A002
        self._name, self._help, self._bounds = name, help, bounds
        self._counts: dict[tuple[tuple[str, str], ...], list[float]] = {}

    def observe(self, value: float, **labels: str) -> None:
        counts = self._counts.setdefault(tuple(labels.items()), [0.0] * (len(self._bounds) + 2))
        for place, bound in enumerate(self._bounds):
            counts[place] += value <= bound
        counts[-2] += 1
        counts[-1] += value

    def family(self) -> Family:
        samples: list[Sample] = []
        for labels, counts in self._counts.items():
            named = dict(labels)
            for bound, count in zip((*self._bounds, math.inf), counts[:-1], strict=True):
                samples.append(Sample(count, named | {"le": _number(bound)}, "_bucket"))
            samples += [Sample(counts[-1], named, "_sum"), Sample(counts[-2], named, "_count")]
        return Family(self._name, Kind.HISTOGRAM, self._help, tuple(samples))


def process_families() -> Iterable[Family]:
    """What this process has used."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    yield Family("process_cpu_seconds_total", Kind.COUNTER, "CPU time, user and system.", (Sample(seconds),))
    yield Family("process_resident_memory_bytes", Kind.GAUGE, "Resident memory.", (Sample(memory),))
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    yield Family("process_open_fds", Kind.GAUGE, "Open file descriptors.", (Sample(files),))
