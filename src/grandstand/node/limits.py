"""What a container's requests and limits mean to the kernel: cgroup values, QoS class, OOM score. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from grandstand.kinds import Container, Pod, millicores, whole_bytes

from .records import is_sidecar
from .runtime import Limits

PIDS_PER_CONTAINER = 4096
LEAST_CPU_SHARES = 2
MOST_CPU_SHARES = 262_144
LEAST_QUOTA_MILLICORES = 10
"""The kernel refuses CFS quotas under 1 ms of a 100 ms period."""


class QosClass(StrEnum):
    GUARANTEED = "Guaranteed"
    BURSTABLE = "Burstable"
    BEST_EFFORT = "BestEffort"


def request(container: Container, resource: str) -> str | int | float | None:
    """A container's request; where only a limit is given, the limit (as the API would have set it)."""
    resources = container.resources
    return resources.requests.get(resource, resources.limits.get(resource))


def cpu_request(container: Container) -> int:
    """In thousandths of a core."""
    return millicores(request(container, "cpu") or 0)


def memory_request(container: Container) -> int:
    """In bytes."""
    return whole_bytes(request(container, "memory") or 0)


def cpu_limit(container: Container) -> int | None:
    """In thousandths of a core; None: no limit (a limit of 0 is none)."""
    return millicores(container.resources.limits.get("cpu", 0)) or None


def memory_limit(container: Container) -> int | None:
    """In bytes; None: no limit."""
    return whole_bytes(container.resources.limits.get("memory", 0)) or None


def cpu_shares(milli: int) -> int:
    """cgroup v1 `cpu.shares` of a CPU request: 1024 per core."""
    return min(max(milli * 1024 // 1000, LEAST_CPU_SHARES), MOST_CPU_SHARES)


def container_limits(container: Container) -> Limits:
    """What the cgroup of one container is given."""
    quota = cpu_limit(container)
    return Limits(
        cpu_millicores=None if quota is None else max(quota, LEAST_QUOTA_MILLICORES),
        cpu_shares=cpu_shares(cpu_request(container)),
        memory_bytes=memory_limit(container),
        pids=PIDS_PER_CONTAINER,
    )


def pod_limits(pod: Pod) -> Limits:
    """What the cgroup around all of a Pod's containers is given: a limit only where every container has one."""
    quota = _most_at_once(pod, cpu_limit)
    return Limits(
        cpu_millicores=None if quota is None else max(quota, LEAST_QUOTA_MILLICORES),
        cpu_shares=cpu_shares(_most_at_once(pod, cpu_request) or 0),
        memory_bytes=_most_at_once(pod, memory_limit),
        pids=PIDS_PER_CONTAINER * max(1, len(pod.spec.containers) + len(pod.spec.init_containers)),
    )


def _most_at_once(pod: Pod, amount: Callable[[Container], int | None]) -> int | None:
    """The larger of the init phase and the main phase; None as soon as one container has no bound."""
    beside = 0
    peak = 0
    for container in pod.spec.init_containers:
        value = amount(container)
        if value is None:
            return None
        peak = max(peak, beside + value)
        if is_sidecar(container):
            beside += value
    main = [amount(container) for container in pod.spec.containers]
    known = [value for value in main if value is not None]
    return max(peak, beside + sum(known)) if len(known) == len(main) else None


def qos_class(pod: Pod) -> QosClass:
    """Guaranteed: every container limits CPU and memory and requests as much. BestEffort: nobody asks for anything."""
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    if all(_is_best_effort(container) for container in containers):
        return QosClass.BEST_EFFORT
    return QosClass.GUARANTEED if all(_is_guaranteed(c) for c in containers) else QosClass.BURSTABLE


def _is_best_effort(container: Container) -> bool:
    return not any((cpu_request(container), memory_request(container), cpu_limit(container), memory_limit(container)))


def _is_guaranteed(container: Container) -> bool:
    cpu, memory = cpu_limit(container), memory_limit(container)
    return (
        cpu is not None
        and memory is not None
        and (cpu, memory)
        == (
            cpu_request(container),
            memory_request(container),
        )
    )


def oom_score_adj(pod: Pod, container: Container, capacity_bytes: int) -> int:
    """Who the kernel kills first when memory is short: the more a Burstable container requests, the later.

    1000 - 1000 * request / capacity, between 3 and 999 (kubelet, `GetContainerOOMScoreAdjust`).
    """
    match qos_class(pod):
        case QosClass.GUARANTEED:
            return -997
        case QosClass.BEST_EFFORT:
            return 1000
        case QosClass.BURSTABLE:
            score = _burstable_score(container, capacity_bytes)
            if is_sidecar(container):
                return min(score, _lowest_score(pod.spec.containers, capacity_bytes))
            return score


def _burstable_score(container: Container, capacity_bytes: int) -> int:
    return min(max(1000 - 1000 * memory_request(container) // capacity_bytes, 3), 999)


def _lowest_score(containers: Iterable[Container], capacity_bytes: int) -> int:
    return min(_burstable_score(container, capacity_bytes) for container in containers)
