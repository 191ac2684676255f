from __future__ import annotations

from typing import Any

import pytest

from grandstand.kinds import Container, Object, Pod, view
from grandstand.node.limits import container_limits, cpu_shares, oom_score_adj, pod_limits, qos_class
from grandstand.node.runtime import Limits

GIB, MIB = 1024**3, 1024**2


def pod(*containers: Object, **spec: Any) -> Pod:
    named = [{"name": f"c{index}", "resources": resources} for index, resources in enumerate(containers)]
    meta = {"name": "p", "namespace": "n", "uid": "u"}
    return view(Pod, {"metadata": meta, "spec": {"containers": named, **spec}})


FULL: Object = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
LIMITS_ONLY: Object = {"limits": {"cpu": "1", "memory": "1Gi"}}
SMALL: Object = {"requests": {"memory": "2Gi"}}


@pytest.mark.parametrize(
    ("containers", "qos", "score"),
    [
        (({},), "BestEffort", 1000),
        ((FULL,), "Guaranteed", -997),
        ((LIMITS_ONLY,), "Guaranteed", -997),
        ((SMALL,), "Burstable", 750),
        ((FULL, {}), "Burstable", 875),
        (({"requests": {"cpu": "100m"}},), "Burstable", 999),
        (({"requests": {"memory": "8Gi"}},), "Burstable", 3),
        (({"limits": {"cpu": "0"}, "requests": {"cpu": "0"}},), "BestEffort", 1000),
        (
            ({"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": "1", "memory": "1Gi"}},),
            "Guaranteed",
            -997,
        ),
    ],
    ids=[
        "nothing",
        "all",
        "limits are requests",
        "request",
        "one without",
        "cpu only",
        "all memory",
        "zero",
        "other words",
    ],
)
def test_qos_and_oom_score(containers: tuple[Object, ...], qos: str, score: int) -> None:
    wanted = pod(*containers)
    assert qos_class(wanted) == qos
    assert oom_score_adj(wanted, wanted.spec.containers[0], 8 * GIB) == score


def test_a_sidecar_outlives_no_less_than_the_containers_it_serves() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always"}
    wanted = pod(SMALL, initContainers=[sidecar])
    assert oom_score_adj(wanted, wanted.spec.init_containers[0], 8 * GIB) == 750


@pytest.mark.parametrize(("milli", "shares"), [(0, 2), (1, 2), (250, 256), (1000, 1024), (10**9, 262144)])
def test_cpu_shares(milli: int, shares: int) -> None:
    assert cpu_shares(milli) == shares


@pytest.mark.parametrize(
    ("resources", "limits"),
    [
        ({}, Limits(None, 2, None, 4096)),
        (LIMITS_ONLY, Limits(1000, 1024, GIB, 4096)),
        ({"limits": {"cpu": "1m", "memory": "64Mi"}, "requests": {"cpu": "0.5"}}, Limits(10, 512, 64 * MIB, 4096)),
    ],
    ids=["none", "limits", "least quota"],
)
def test_container_limits(resources: Object, limits: Limits) -> None:
    assert container_limits(view(Container, {"name": "c", "resources": resources})) == limits


def test_a_pod_is_limited_only_when_each_of_its_containers_is() -> None:
    assert pod_limits(pod(LIMITS_ONLY, LIMITS_ONLY)) == Limits(2000, 2048, 2 * GIB, 2 * 4096)
    assert pod_limits(pod(LIMITS_ONLY, {})) == Limits(None, 1024, None, 2 * 4096)


def test_init_containers_count_when_they_need_more_than_the_others() -> None:
    big = {"name": "i", "resources": {"limits": {"cpu": "4", "memory": "4Gi"}}}
    side = {"name": "s", "restartPolicy": "Always", "resources": LIMITS_ONLY}
    assert pod_limits(pod(LIMITS_ONLY, initContainers=[big])).cpu_millicores == 4000
    assert pod_limits(pod(LIMITS_ONLY, initContainers=[side, big])).memory_bytes == 5 * GIB
    assert pod_limits(pod(LIMITS_ONLY, initContainers=[side])).memory_bytes == 2 * GIB
