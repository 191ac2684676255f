"""Rules for AnalysisTemplates and AnalysisRuns: what of Argo's analysis runs here, and what is refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_rules_objects import analysis, changed, refusals

from grandstand.kinds.resources import ANALYSIS_RUNS, ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "analysis.md"
METRIC = "spec.metrics[0]"
QUERY = f"{METRIC}.provider.plugin[grandstand.dev/gateway]"


def gateway(**fields: Any) -> dict[str, Any]:
    query = {"service": "web", "metric": "error_share"} | fields
    return {"plugin": {"grandstand.dev/gateway": {key: value for key, value in query.items() if value is not None}}}


@pytest.mark.parametrize(
    "fields",
    [
        {"interval": "1h30m", "initialDelay": "10s"},
        {"interval": None, "count": 1},
        {"count": None, "failureLimit": -1, "inconclusiveLimit": -1, "consecutiveErrorLimit": -1},
        {"count": "3", "failureLimit": "3", "inconclusiveLimit": 3, "consecutiveErrorLimit": 0},
        {"successCondition": None, "failureCondition": "result[0] > 1.2 || isNaN(result)"},
        {"provider": gateway(compareTo="old", atLeastRequestsPerSecond=0.5, noData="success")},
        {"provider": gateway(atLeastRequestsPerSecond="5", noData="error")},
    ],
)
def test_what_is_accepted(fields: dict[str, Any]) -> None:
    assert refusals(ANALYSIS_RUNS, analysis(**fields)) == []
    assert refusals(ANALYSIS_TEMPLATES, analysis("AnalysisTemplate", **fields)) == []


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"name": ""}, f"{METRIC}.name: Required value"),
        ({"interval": "5"}, f'{METRIC}.interval: Invalid value: "5": must be a duration such as 30s, 5m or 1h30m'),
        ({"interval": "0s"}, f'{METRIC}.interval: Invalid value: "0s": must be at least 1s'),
        ({"interval": None}, f"{METRIC}.interval: Required value: must be specified when count > 1"),
        ({"initialDelay": "-1s"}, f'{METRIC}.initialDelay: Invalid value: "-1s": must be a duration such as'),
        ({"count": -1}, f"{METRIC}.count: Invalid value: -1: must be a whole number of at least 0"),
        ({"count": "25%"}, f'{METRIC}.count: Invalid value: "25%": must be a whole number of at least 0'),
        ({"failureLimit": -2}, f"{METRIC}.failureLimit: Invalid value: -2: must be a whole number of at least -1"),
        (
            {"failureLimit": 4},
            f"{METRIC}.failureLimit: Invalid value: 4: must be less than or equal to count, which is 3",
        ),
        (
            {"inconclusiveLimit": 4},
            f"{METRIC}.inconclusiveLimit: Invalid value: 4: must be less than or equal to count",
        ),
        (
            {"inconclusiveLimit": -2},
            f"{METRIC}.inconclusiveLimit: Invalid value: -2: must be a whole number of at least -1",
        ),
        ({"consecutiveErrorLimit": -2}, f"{METRIC}.consecutiveErrorLimit: Invalid value: -2: must be"),
        (
            {"consecutiveSuccessLimit": 2},
            f"{METRIC}.consecutiveSuccessLimit: Forbidden: only Argo Rollouts on a cluster",
        ),
        (
            {"successCondition": "len(result) > 0"},
            f"{METRIC}.successCondition: Invalid value: \"len(result) > 0\": 'len' is not understood: supported are",
        ),
        (
            {"failureCondition": "result"},
            f'{METRIC}.failureCondition: Invalid value: "result": it must be true or false',
        ),
        ({"provider": {}}, f"{METRIC}.provider.plugin: Required value: the one provider here is the gateway"),
        ({"provider": {"plugin": {}}}, f"{METRIC}.provider.plugin: Required value: the one provider here"),
        ({"provider": {"plugin": 3}}, f"{METRIC}.provider.plugin: Invalid value: 3: the one provider here"),
        ({"provider": {"prometheus": {}}}, f"{METRIC}.provider.prometheus: Forbidden: the one provider here"),
        ({"provider": {"plugin": {"a/b": {}}}}, f"{METRIC}.provider.plugin[a/b]: Forbidden: the one provider here"),
        (
            {"provider": {"plugin": {"grandstand.dev/gateway": []}}},
            f"{QUERY}: Invalid value: []: the one provider here",
        ),
        ({"provider": gateway(service=None)}, f"{QUERY}.service: Required value"),
        (
            {"provider": gateway(service=["web"])},
            f'{QUERY}.service: Invalid value: ["web"]: must be the name of a Service',
        ),
        (
            {"provider": gateway(compareTo="a.b")},
            f'{QUERY}.compareTo: Invalid value: "a.b": a lowercase RFC 1123 label',
        ),
        (
            {"provider": gateway(metric="p99")},
            f'{QUERY}.metric: Unsupported value: "p99": supported values: "error_share"',
        ),
        (
            {"provider": gateway(noData="wait")},
            f'{QUERY}.noData: Unsupported value: "wait": supported values: "error", "s',
        ),
        (
            {"provider": gateway(atLeastRequestsPerSecond="few")},
            f'{QUERY}.atLeastRequestsPerSecond: Invalid value: "few"',
        ),
        ({"provider": gateway(window="5m")}, f"{QUERY}.window: Forbidden: there are service, metric, compareTo"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], refusal: str) -> None:
    for resource, kind in ((ANALYSIS_RUNS, "AnalysisRun"), (ANALYSIS_TEMPLATES, "AnalysisTemplate")):
        found = refusals(resource, analysis(kind, **fields))
        assert len(found) == 1, found
        assert found[0].startswith(refusal)


@pytest.mark.parametrize(
    ("path", "value", "refusal"),
    [
        ("spec.metrics", [], "spec.metrics: Required value"),
        (
            "spec.dryRun",
            [{"metricName": "errors"}],
            "spec.dryRun: Forbidden: only Argo Rollouts on a cluster acts on it",
        ),
        ("spec.args.0.name", "", "spec.args[0].name: Required value"),
        ("spec.args.0.valueFrom", {"secretKeyRef": {}}, "spec.args[0].valueFrom: Forbidden: give it a value, or leave"),
        ("spec.args", [{"name": "service", "value": "web"}] * 2, 'spec.args[1].name: Duplicate value: "service"'),
    ],
)
def test_what_is_refused_of_the_whole(path: str, value: Any, refusal: str) -> None:
    found = refusals(CLUSTER_ANALYSIS_TEMPLATES, changed(analysis("ClusterAnalysisTemplate", ""), path, value))
    assert [each[: len(refusal)] for each in found] == [refusal]


def test_metrics_have_names_of_their_own() -> None:
    twice = analysis()
    twice["spec"]["metrics"] *= 2
    assert refusals(ANALYSIS_RUNS, twice) == ['spec.metrics[1].name: Duplicate value: "errors"']


OPEN = {"interval": "{{args.pace}}", "count": "{{args.count}}", "successCondition": "result < {{args.most}}"}


def test_a_template_may_leave_arguments_to_the_run() -> None:
    template = changed(analysis("AnalysisTemplate", **OPEN), "spec.args.0.value", None)
    assert refusals(ANALYSIS_TEMPLATES, template) == []


def test_a_run_may_leave_nothing_open() -> None:
    run = changed(analysis("AnalysisRun", **OPEN), "spec.args.0.value", None)
    assert refusals(ANALYSIS_RUNS, run) == [
        "spec.args[0].value: Required value: an AnalysisRun needs a value for each of its args",
        f'{METRIC}.interval: Invalid value: "{{{{args.pace}}}}": args.pace has no value',
        f'{METRIC}.count: Invalid value: "{{{{args.count}}}}": args.count has no value',
        f'{METRIC}.successCondition: Invalid value: "result < {{{{args.most}}}}": args.most has no value',
        f'{QUERY}.service: Invalid value: "{{{{args.service}}}}": args.service has no value',
    ]


@pytest.mark.parametrize(
    ("most", "refused"), [("0.05", []), ("'x'", [f"{METRIC}.successCondition: Invalid value: \"result < 'x'\": "])]
)
def test_what_arguments_give_is_checked(most: str, refused: list[str]) -> None:
    values = [("pace", "5s"), ("count", "3"), ("most", most), ("service", "web")]
    args = [{"name": name, "value": value} for name, value in values]
    for resource, kind in ((ANALYSIS_RUNS, "AnalysisRun"), (ANALYSIS_TEMPLATES, "AnalysisTemplate")):
        found = refusals(resource, changed(analysis(kind, **OPEN), "spec.args", args))
        assert [each[: len(start)] for each, start in zip(found, refused, strict=True)] == refused


def test_the_example_of_the_reference_is_accepted() -> None:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert refusals(ANALYSIS_TEMPLATES, changed(yaml.safe_load(found[1]), "metadata.namespace", "default")) == []
