"""What a sandbox gets when it is bound to a function, and how many spares there should be. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grandstand.node.cgroups import Limits

# As AWS says: at 1,769 MB a function has the equivalent of one vCPU.
MEMORY_MB_PER_CPU = 1769
SHARES_PER_CPU = 1024
MEBIBYTE = 1 << 20
_LEAST_SHARES, _MOST_SHARES = 2, 262_144
# A file of /tmp costs the kernel about 1 KiB even when it is empty.
_BYTES_PER_TMP_FILE = 16_384


@dataclass(frozen=True, slots=True)
class Binding:
    """`config` is the supervisor's `bind` message; `cpu_millicores` bounds CPU beside the share that follows memory."""

    code: Path
    config: dict[str, Any] = field(default_factory=dict)
    layers: Path | None = None
    memory_bytes: int = 128 * MEBIBYTE
    tmp_bytes: int = 512 * MEBIBYTE
    pids: int = 1024
    cpu_millicores: int | None = None

    @property
    def limits(self) -> Limits:
        return Limits(self.cpu_millicores, cpu_shares_for(self.memory_bytes), self.memory_bytes, self.pids)

    @property
    def tmp_files(self) -> int:
        return max(self.tmp_bytes // _BYTES_PER_TMP_FILE, 64)


def cpu_shares_for(memory_bytes: int) -> int:
    """cgroup v1's `cpu.shares` (1,024: one core) in Lambda's proportion to memory."""
    shares = memory_bytes * SHARES_PER_CPU // (MEMORY_MB_PER_CPU * MEBIBYTE)
    return min(max(shares, _LEAST_SHARES), _MOST_SHARES)


def spares_to_start(*, wanted: int, ready: int, starting: int, at_once: int) -> int:
    """How many more spares to begin now: `wanted` are there soon, and no more than `at_once` on their way."""
    return max(0, min(wanted - ready - starting, at_once - starting))
