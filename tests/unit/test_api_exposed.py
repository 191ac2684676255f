"""What the API tells Prometheus of its requests."""

from __future__ import annotations

import pytest

from grandstand.api.exposed import Requests
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


def test_names_make_no_series() -> None:
    requests = Requests()
    for number in range(100):
        requests.count("GET", target_of(f"{PODS}/web-{number}"), 200, 0.01, lasting=False)
    assert [len(family.samples) for family in requests.families()] == [1, 9]
