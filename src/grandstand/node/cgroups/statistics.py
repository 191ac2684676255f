"""What a cgroup has used, from the kernel's text files. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """`memory_working_set_bytes` cannot be given back at once: usage without inactive files, as the kubelet has it."""

    cpu_usage_ns: int
    memory_usage_bytes: int
    memory_working_set_bytes: int
    pids: int
    oom_kills: int


def keyed(text: str) -> dict[str, int]:
    """Lines of `name number`, as in `memory.stat`; others are left out."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def field(text: str, name: str) -> int:
    """The number of one line of `name number`, without reading the others; 0 where there is none."""
    _, found, rest = f"\n{text}".partition(f"\n{name} ")
    return int(rest.partition("\n")[0]) if found else 0


def working_set(usage_bytes: int, inactive_file_bytes: int) -> int:
    return max(0, usage_bytes - inactive_file_bytes)
