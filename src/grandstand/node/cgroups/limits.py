"""What a cgroup may use at most, in the units of Kubernetes, and the kernel's numbers for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

QUOTA_PERIOD_MICROSECONDS = 100_000
# The kernel refuses a quota below 1 ms.
LEAST_QUOTA_MICROSECONDS = 1_000
LEAST_SHARES, MOST_SHARES = 2, 262_144


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. `cpu_millicores` is a hard quota over 100 ms, `cpu_shares` the weight (1024: one core)."""

    cpu_millicores: int | None = None
    cpu_shares: int = LEAST_SHARES
    memory_bytes: int | None = None
    pids: int | None = None


def quota_microseconds(cpu_millicores: int) -> int:
    """CPU time per period of 100 ms."""
    return max(cpu_millicores * QUOTA_PERIOD_MICROSECONDS // 1000, LEAST_QUOTA_MICROSECONDS)


def weight_of_shares(shares: int) -> int:
    """cgroup v2's `cpu.weight` (1 to 10000) for v1's `cpu.shares` (2 to 262144), by the kubelet's formula."""
    bounded = min(max(shares, LEAST_SHARES), MOST_SHARES)
    return 1 + (bounded - LEAST_SHARES) * 9_999 // (MOST_SHARES - LEAST_SHARES)
