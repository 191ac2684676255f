"""HorizontalPodAutoscalers: defaults and checks."""

from __future__ import annotations

from typing import Any

import pytest
from api_rules_objects import changed, created, plain, refusals

from grandstand.kinds import Object
from grandstand.kinds.resources import HORIZONTAL_POD_AUTOSCALERS as HPA

REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


def _autoscaler(**spec: Any) -> Object:
    return plain("HorizontalPodAutoscaler", spec={"scaleTargetRef": REFERENCE, "maxReplicas": 5, **spec})


def test_the_default_is_80_percent_of_the_cpu() -> None:
    stored = created(HPA, _autoscaler())
    target = {"type": "Utilization", "averageUtilization": 80}
    assert stored["spec"] == {
        "scaleTargetRef": REFERENCE,
        "minReplicas": 1,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    assert stored["status"] == {"desiredReplicas": 0}


def test_a_behavior_is_completed() -> None:
    stored = created(HPA, _autoscaler(behavior={"scaleDown": {"selectPolicy": "Disabled"}}))
    assert stored["spec"]["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "selectPolicy": "Disabled",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
    }
    assert refusals(HPA, stored) == []


@pytest.mark.parametrize(
    ("path", "value", "refusal"),
    [
        ("spec.minReplicas", -1, "spec.minReplicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            "spec.minReplicas",
            0,
            "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero"
            " replicas",
        ),
        (
            "metadata.annotations",
            {"autoscaling.grandstand.dev/period": "soon"},
            'metadata.annotations[autoscaling.grandstand.dev/period]: Invalid value: "soon": must be a number with ms,'
            " s or m, for example 15s",
        ),
        (
            "metadata.annotations",
            {"autoscaling.grandstand.dev/period": "0.0s"},
            'metadata.annotations[autoscaling.grandstand.dev/period]: Invalid value: "0.0s": must be more than nothing',
        ),
        (
            "spec.minReplicas",
            6,
            "spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`",
        ),
        ("spec.scaleTargetRef.kind", "", "spec.scaleTargetRef.kind: Required value"),
        ("spec.metrics", [{}], "spec.metrics[0].type: Required value: must specify a metric source type"),
        (
            "spec.metrics",
            [{"type": "Disk"}],
            'spec.metrics[0].type: Unsupported value: "Disk": '
            'supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
        ),
        (
            "spec.metrics",
            [{"type": "Resource"}],
            "spec.metrics[0].resource: Required value: must populate information for the given metric source",
        ),
        (
            "spec.metrics",
            [{**CPU, "pods": {}}],
            "spec.metrics[0].pods: Forbidden: must populate the given metric source only",
        ),
        (
            "spec.metrics",
            [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}],
            "spec.metrics[0].resource.target.averageUtilization: Required value: "
            "must set averageUtilization or averageValue",
        ),
        (
            "spec.behavior",
            {"scaleUp": {"stabilizationWindowSeconds": 3601}},
            "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: "
            "must be between 0 and 3600, inclusive",
        ),
        (
            "spec.behavior",
            {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 1}]}},
            "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
        ),
    ],
    ids=[
        "below zero",
        "to zero by a resource",
        "period",
        "no period",
        "least above most",
        "no kind",
        "no type",
        "unknown type",
        "no source",
        "two sources",
        "no target",
        "window",
        "policy",
    ],
)
def test_what_is_wrong_with_an_autoscaler(path: str, value: object, refusal: str) -> None:
    assert refusals(HPA, changed(_autoscaler(), path, value)) == [refusal]
