"""What the API tells Prometheus of its requests."""

from __future__ import annotations

import pytest

from grandstand.api.exposed import Requests, ready_samples
from grandstand.api.paths import target_of

PODS = "/api/v1/namespaces/default/pods"


@pytest.mark.parametrize(
    ("method", "path", "lasting", "verb", "resource"),
    [
        ("GET", PODS, False, "list", "pods"),
        ("GET", PODS, True, "watch", "pods"),
        ("GET", f"{PODS}/web", False, "get", "pods"),
        ("POST", PODS, False, "create", "pods"),
        ("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", False, "patch", "deployments"),
        ("BREW", None, False, "other", ""),
    ],
)
def test_requests_are_counted_by_verb_and_resource(
    method: str, path: str | None, lasting: bool, verb: str, resource: str
) -> None:
    requests = Requests()
    requests.count(method, None if path is None else target_of(path), 200, 0.01, lasting=lasting)
    [counted, timed] = requests.families()
    assert [(sample.labels, sample.value) for sample in counted.samples] == [
        ({"verb": verb, "resource": resource, "code": "200"}, 1)
    ]
    assert bool(timed.samples) is not lasting


@pytest.mark.parametrize(
    ("status", "series"),
    [
        ("True", {"true": 1, "false": 0, "unknown": 0}),
        ("False", {"true": 0, "false": 1, "unknown": 0}),
        ("Unknown", {"true": 0, "false": 0, "unknown": 1}),
        (None, {}),
    ],
)
def test_ready_has_a_series_for_each_status(status: str | None, series: dict[str, int]) -> None:
    conditions = [{"type": "Initialized", "status": "True"}, *([{"type": "Ready", "status": status}] if status else [])]
    pod = {"metadata": {"namespace": "default", "name": "web-a"}, "status": {"conditions": conditions}}
    samples = [*ready_samples(pod)]
    assert {sample.labels["condition"]: sample.value for sample in samples} == series
    assert all(sample.labels.items() >= {"namespace": "default", "pod": "web-a"}.items() for sample in samples)


def test_names_make_no_series() -> None:
    requests = Requests()
    for number in range(100):
        requests.count("GET", target_of(f"{PODS}/web-{number}"), 200, 0.01, lasting=False)
    assert [len(family.samples) for family in requests.families()] == [1, 9]
