"""The HPA controller in a world of virtual time: scales, says why, wakes from zero, survives a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from controllers_world import NOW, World, condition, deployment_json, world

from grandstand.client import PatchType
from grandstand.errors import Forbidden, GrandstandError
from grandstand.kinds import Key, Object, Resource
from grandstand.kinds.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, PODS, SERVICES
from grandstand.measurements import PodUsage, Traffic, Usage

WEB = Key("default", "web")
QUIET = Traffic(NOW, 1.0, 0.0, 0.0, 0.0, None, 0.0)
IN_FLIGHT = {
    "type": "Object",
    "object": {
        "metric": {"name": "requests_in_flight"},
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
        "target": {"type": "AverageValue", "averageValue": "10"},
    },
}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
AT_ONCE = {
    "scaleDown": {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }
}


def hpa(*metrics: Object, name: str = "web", least: int = 1, annotations: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": least,
            "maxReplicas": 10,
            "metrics": list(metrics) or [IN_FLIGHT],
            **spec,
        },
    }


async def given(it: World, *autoscalers: Object, replicas: int = 1) -> None:
    it.measured.services[WEB] = QUIET
    await it.client.create(DEPLOYMENTS, deployment_json(replicas))
    await it.client.create(SERVICES, {"metadata": {"name": "web", "namespace": "default"}, "spec": {}})
    await it.settle()
    await it.make_ready()
    await it.settle()
    for each in autoscalers:
        await it.client.create(HORIZONTAL_POD_AUTOSCALERS, each)
    await it.settle()


async def seconds(it: World, count: float) -> None:
    for _ in range(int(count * 10)):
        await it.clock.advance(0.1)
        await it.settle()


async def replicas(it: World) -> int:
    return int((await it.client.get(DEPLOYMENTS, "default", "web"))["spec"]["replicas"])


async def shown(it: World, name: str = "web") -> tuple[Object, dict[str, tuple[str, str]]]:
    status = (await it.client.get(HORIZONTAL_POD_AUTOSCALERS, "default", name))["status"]
    return status, {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def load(it: World, in_flight: float) -> None:
    it.measured.services[WEB] = replace(QUIET, in_flight=in_flight)


async def test_it_scales_within_a_period_and_says_so() -> None:
    async with world() as it:
        await given(it, hpa())
        load(it, 35)
        await seconds(it, 1.1)
        assert await replicas(it) == 4
        status, conditions = await shown(it)
        assert status["desiredReplicas"] == 4
        assert status["lastScaleTime"] == "2027-01-15T08:00:01Z"
        assert conditions["AbleToScale"] == ("True", "ReadyForNewScale")
        assert conditions["ScalingActive"] == ("True", "ValidMetricFound")
        assert it.events("SuccessfulRescale") == ["New size: 4; reason: Service metric requests_in_flight above target"]
        [metric] = status["currentMetrics"]
        assert metric["object"]["current"] == {"averageValue": "8750m"}
        assert metric["object"]["describedObject"]["name"] == "web"


@pytest.mark.parametrize(("annotations", "sooner", "later"), [({}, 0.9, 1.1), ("15s", 14.5, 15.1), ("500ms", 0.4, 0.6)])
async def test_the_period_is_the_engines_or_its_own(annotations, sooner, later) -> None:
    async with world() as it:
        said = {"autoscaling.grandstand.dev/period": annotations} if annotations else {}
        await given(it, hpa(annotations=said))
        load(it, 35)
        await seconds(it, sooner)
        assert await replicas(it) == 1
        await seconds(it, later - sooner + 0.1)
        assert await replicas(it) == 4


async def test_cpu_is_measured_against_what_pods_request() -> None:
    async with world() as it:
        await given(it, hpa(CPU))
        requests = {"resources": {"requests": {"cpu": "100m"}}}
        for pod in it.client.all(PODS):
            containers = [container | requests for container in pod["spec"]["containers"]]
            await it.client.patch(PODS, "default", pod["metadata"]["name"], {"spec": {"containers": containers}})
            started = {"startTime": "2020-01-01T00:00:00Z", "conditions": [condition("Ready", at=NOW - 100)]}
            await it.client.patch(PODS, "default", pod["metadata"]["name"], {"status": started}, subresource="status")
            usage = PodUsage(pod["metadata"]["uid"], NOW, 2.0, {"main": Usage(0.15, 1000)})
            it.measured.pods[pod["metadata"]["uid"]] = usage
        await seconds(it, 1.1)
        assert await replicas(it) == 3
        status, _ = await shown(it)
        assert status["currentMetrics"][0]["resource"]["current"] == {"averageUtilization": 150, "averageValue": "150m"}


async def test_a_missing_request_is_said_once_and_changes_nothing() -> None:
    async with world() as it:
        await given(it, hpa(CPU))
        [pod] = it.client.all(PODS)
        it.measured.pods[pod["metadata"]["uid"]] = PodUsage("", NOW, 2.0, {"main": Usage(0.15, 1000)})
        await seconds(it, 5)
        assert await replicas(it) == 1
        _, conditions = await shown(it)
        assert conditions["ScalingActive"] == ("False", "FailedGetResourceMetric")
        [message] = it.events("FailedGetResourceMetric")
        assert "missing request" in message
        assert it.events("FailedComputeMetricsReplicas")[0].startswith("invalid metrics (1 invalid out of 1), ")


@pytest.mark.parametrize(
    ("metric", "reason", "said"),
    [
        (
            {"type": "External", "external": {"metric": {"name": "q"}, "target": {"value": "1"}}},
            "External",
            "no source",
        ),
        (
            {"type": "Pods", "pods": {"metric": {"name": "q"}, "target": {"averageValue": "1"}}},
            "Pods",
            "there is no metric 'q': the gateway has requests_per_second, requests_in_flight",
        ),
        (
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "requests_per_second"},
                    "describedObject": {"kind": "Ingress", "name": "web", "apiVersion": "networking.k8s.io/v1"},
                    "target": {"value": "1"},
                },
            },
            "Object",
            "the metric describes Ingress",
        ),
    ],
    ids=["external", "unknown", "not a Service"],
)
async def test_a_metric_that_nobody_measures_is_named(metric, reason, said) -> None:
    async with world() as it:
        await given(it, hpa(metric))
        _, conditions = await shown(it)
        assert conditions["ScalingActive"] == ("False", f"FailedGet{reason}Metric")
        assert said in it.events(f"FailedGet{reason}Metric")[0]


async def test_pods_metrics_are_of_the_services_that_select_them() -> None:
    async with world() as it:
        metric = {"metric": {"name": "requests_per_second"}, "target": {"averageValue": "10"}}
        await given(it, hpa({"type": "Pods", "pods": metric}), replicas=2)
        await it.client.patch(SERVICES, "default", "web", {"spec": {"selector": {"app": "web"}}})
        uids = [pod["metadata"]["uid"] for pod in it.client.all(PODS)]
        it.measured.served_by[WEB] = {uid: replace(QUIET, requests_per_second=20.0) for uid in uids}
        await seconds(it, 1.1)
        assert await replicas(it) == 4


async def test_a_target_that_is_missing_is_said_and_found_when_it_comes() -> None:
    async with world() as it:
        it.measured.services[WEB] = replace(QUIET, in_flight=35)
        await it.client.create(HORIZONTAL_POD_AUTOSCALERS, hpa())
        await it.settle()
        _, conditions = await shown(it)
        assert conditions["AbleToScale"] == ("False", "FailedGetScale")
        assert 'deployments.apps "web" not found' in it.events("FailedGetScale")[0]
        await it.client.create(DEPLOYMENTS, deployment_json(1))
        await it.settle()
        assert await replicas(it) == 4


async def test_two_hpas_of_one_target_scale_nothing() -> None:
    async with world() as it:
        await given(it, hpa(), hpa(name="other"))
        load(it, 35)
        await seconds(it, 2)
        assert await replicas(it) == 1
        assert (await shown(it))[1]["ScalingActive"] == ("False", "AmbiguousSelector")
        await it.client.delete(HORIZONTAL_POD_AUTOSCALERS, "default", "other")
        await it.settle()
        assert await replicas(it) == 4


async def test_a_request_at_zero_wakes_at_once_with_as_many_as_it_needs() -> None:
    async with world() as it:
        await given(it, hpa(least=0), replicas=0)
        await seconds(it, 3)
        assert await replicas(it) == 0
        load(it, 25)
        it.measured.demand(WEB)
        await it.settle()
        assert await replicas(it) == 3


async def test_an_idle_target_goes_to_zero_after_its_idle_time() -> None:
    async with world() as it:
        await given(it, hpa(least=0, behavior={"scaleDown": AT_ONCE["scaleDown"] | {"stabilizationWindowSeconds": 5}}))
        load(it, 8)
        await seconds(it, 3)
        load(it, 0)
        await seconds(it, 3.5)
        assert await replicas(it) == 1
        await seconds(it, 3)
        assert await replicas(it) == 0


async def test_a_target_at_zero_that_must_not_be_is_left_alone() -> None:
    async with world() as it:
        await given(it, hpa(), replicas=0)
        load(it, 35)
        await seconds(it, 3)
        assert await replicas(it) == 0
        assert (await shown(it))[1]["ScalingActive"] == ("False", "ScalingDisabled")
        assert it.events("ScalingDisabled") == []


async def test_a_rolling_update_does_not_count_as_load() -> None:
    """Kubernetes issue 72775: surge Pods doubled the replicas."""
    async with world() as it:
        await given(it, hpa(behavior=AT_ONCE), replicas=4)
        load(it, 38)
        await seconds(it, 3)
        patch = {"spec": {"template": deployment_json(4, 2)["spec"]["template"]}}
        await it.client.patch(DEPLOYMENTS, "default", "web", patch)
        for _ in range(10):
            await seconds(it, 1)
            assert await replicas(it) == 4
            await it.make_ready()


async def test_the_status_is_not_written_for_every_number() -> None:
    async with world() as it:
        await given(it, hpa())
        load(it, 10)
        await seconds(it, 6)
        before = (await it.client.get(HORIZONTAL_POD_AUTOSCALERS, "default", "web"))["metadata"]["resourceVersion"]
        versions = set()
        for step in range(20):
            load(it, 10 + step % 2 / 10)
            await seconds(it, 1)
            found = await it.client.get(HORIZONTAL_POD_AUTOSCALERS, "default", "web")
            versions.add(found["metadata"]["resourceVersion"])
        assert len(versions - {before}) <= 4


async def test_scaling_that_is_refused_is_said_and_tried_again() -> None:
    refused = True

    def refuse(verb: str, resource: Resource, key: Key) -> GrandstandError | None:
        return Forbidden("not now") if refused and verb == "patch" and resource is DEPLOYMENTS else None

    async with world() as it:
        await given(it, hpa())
        it.client.refuse = refuse
        load(it, 35)
        await seconds(it, 1.5)
        assert await replicas(it) == 1
        assert (await shown(it))[1]["AbleToScale"] == ("False", "FailedUpdateScale")
        assert "not now" in it.events("FailedRescale")[0]
        refused = False
        await seconds(it, 3)
        assert await replicas(it) == 4


async def test_users_may_scale_by_hand_between() -> None:
    async with world() as it:
        await given(it, hpa(behavior=AT_ONCE))
        load(it, 20)
        await seconds(it, 2)
        await it.client.patch(
            DEPLOYMENTS, "default", "web", {"spec": {"replicas": 9}}, PatchType.MERGE, subresource="scale"
        )
        await seconds(it, 1.5)
        assert await replicas(it) == 2
