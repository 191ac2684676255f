"""Rollouts and analyses: what is checked, and what of Argo is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from api_rules_objects import changed, refusals, rollout

from grandstand.kinds import Object
from grandstand.kinds.resources import ANALYSIS_RUNS, ANALYSIS_TEMPLATES, ROLLOUTS

BLUE_GREEN, CANARY = "spec.strategy.blueGreen", "spec.strategy.canary"


LIMIT = "successfulRunHistoryLimit"
REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": "progressively"}


def canary(**fields: Any) -> Object:
    return changed(changed(rollout(), BLUE_GREEN, None), CANARY, fields)


def template(**fields: Any) -> Object:
    query = {"service": "web", "metric": "error_share"}
    metric = {"name": "errors", "provider": {"plugin": {"grandstand.dev/gateway": query}}, **fields}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "errors", "namespace": "default"},
        "spec": {"metrics": [metric]},
    }


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        (changed(rollout(), "spec.strategy", {}), "spec.strategy"),
        (changed(rollout(), CANARY, {}), "spec.strategy"),
        (changed(rollout(), f"{BLUE_GREEN}.activeService", ""), f"{BLUE_GREEN}.activeService"),
        (changed(rollout(), f"{BLUE_GREEN}.previewService", "web"), f"{BLUE_GREEN}.previewService"),
        (changed(rollout(), f"{BLUE_GREEN}.antiAffinity", {"a": {}}), f"{BLUE_GREEN}.antiAffinity"),
        (changed(rollout(), f"{BLUE_GREEN}.previewMetadata", {"labels": {}}), f"{BLUE_GREEN}.previewMetadata"),
        (changed(rollout(), f"{BLUE_GREEN}.scaleDownDelaySeconds", -1), f"{BLUE_GREEN}.scaleDownDelaySeconds"),
        (
            changed(rollout(), f"{BLUE_GREEN}.prePromotionAnalysis", {"templates": []}),
            f"{BLUE_GREEN}.prePromotionAnalysis.templates",
        ),
        (changed(rollout(), "spec.rollbackWindow", {"revisions": 3}), "spec.rollbackWindow"),
        (changed(rollout(), "spec.progressDeadlineSeconds", 0), "spec.progressDeadlineSeconds"),
        (
            changed(rollout(), "spec.analysis", {"successfulRunHistoryLimit": -1}),
            "spec.analysis.successfulRunHistoryLimit",
        ),
        (canary(maxSurge="x%"), f"{CANARY}.maxSurge"),
        (canary(maxSurge=0, maxUnavailable="0%"), f"{CANARY}.maxUnavailable"),
        (canary(maxSurge=1, dynamicStableScale=True), f"{CANARY}.maxSurge"),
        (canary(maxSurge=1, steps=[{"setCanaryScale": {"replicas": 1}}]), f"{CANARY}.maxSurge"),
        (canary(trafficRouting={"istio": {}}), f"{CANARY}.trafficRouting"),
        (canary(steps=[{"setWeight": 101}]), f"{CANARY}.steps[0].setWeight"),
        (canary(steps=[{}]), f"{CANARY}.steps[0]"),
        (canary(steps=[{"setWeight": 1, "pause": {}}]), f"{CANARY}.steps[0]"),
        (canary(steps=[{"experiment": {"a": 1}}]), f"{CANARY}.steps[0].experiment"),
        (canary(steps=[{"pause": {"duration": "soon"}}]), f"{CANARY}.steps[0].pause.duration"),
        (
            changed(rollout(), "spec.workloadRef", {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}),
            "spec.template",
        ),
    ],
)
def test_what_is_wrong_with_a_rollout(obj, field) -> None:
    assert field in [text.partition(": ")[0] for text in refusals(ROLLOUTS, obj)]


@pytest.mark.parametrize(
    "obj",
    [
        rollout(),
        changed(rollout(), "spec.restartAt", "2026-11-27T00:00:00Z"),
        changed(rollout(), "spec.analysis", {LIMIT: 0}),
        changed(
            changed(changed(rollout(), "spec.template", None), "spec.selector", None), "spec.workloadRef", REFERENCE
        ),
        canary(),
        canary(maxSurge=0, maxUnavailable=1),
        canary(maxUnavailable="50%", dynamicStableScale=True),
        canary(steps=[{"setWeight": 20}, {"pause": {}}, {"pause": {"duration": "1h"}}, {"pause": {"duration": 5}}]),
        canary(steps=[{"setCanaryScale": {"replicas": 1}}, {"analysis": {"templates": [{"templateName": "a"}]}}]),
    ],
)
def test_what_is_fine(obj) -> None:
    assert refusals(ROLLOUTS, obj) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "spec.metrics[0].name"),
        ({"successCondition": "len(result) > 1"}, "spec.metrics[0].successCondition"),
        ({"interval": "often"}, "spec.metrics[0].interval"),
        ({"count": 3}, "spec.metrics[0].interval"),
        ({"count": "many"}, "spec.metrics[0].count"),
        ({"failureLimit": -2}, "spec.metrics[0].failureLimit"),
        ({"consecutiveSuccessLimit": 2}, "spec.metrics[0].consecutiveSuccessLimit"),
        ({"provider": {"prometheus": {"query": "up"}}}, "spec.metrics[0].provider.prometheus"),
        ({"provider": {}}, "spec.metrics[0].provider.plugin"),
        (
            {"provider": {"plugin": {"grandstand.dev/gateway": {"service": "web", "metric": "luck"}}}},
            "spec.metrics[0].provider.plugin[grandstand.dev/gateway].metric",
        ),
        (
            {"provider": {"plugin": {"grandstand.dev/gateway": {"service": "a", "metric": "error_share", "x": "y"}}}},
            "spec.metrics[0].provider.plugin[grandstand.dev/gateway].x",
        ),
    ],
)
def test_what_is_wrong_with_an_analysis(fields, field) -> None:
    for resource in (ANALYSIS_TEMPLATES, ANALYSIS_RUNS):
        assert field in [text.partition(": ")[0] for text in refusals(resource, template(**fields))]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"count": 3, "interval": "10s", "failureLimit": -1, "successCondition": "result < {{args.most}}"},
        {"count": "3", "interval": "1m30s", "failureCondition": "isNaN(result) || result > 0.5"},
    ],
)
def test_what_an_analysis_may_be(fields) -> None:
    assert refusals(ANALYSIS_TEMPLATES, template(**fields)) == []
