"""What a path addresses."""

from __future__ import annotations

import pytest

from grandstand.api.paths import Target, target_of
from grandstand.api.reviews import SELF_SUBJECT_ACCESS_REVIEWS
from grandstand.errors import NotFound
from grandstand.kinds.resources import DEPLOYMENTS, NAMESPACES, NODES, PODS


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/pods", Target(PODS)),
        ("/api/v1/pods/", Target(PODS)),
        ("/api/v1/namespaces/n/pods", Target(PODS, "n")),
        ("/api/v1/namespaces/n/pods/a", Target(PODS, "n", "a")),
        ("/api/v1/namespaces/n/pods/a/log", Target(PODS, "n", "a", "log")),
        ("/api/v1/namespaces/n/pods/a/exec", Target(PODS, "n", "a", "exec")),
        ("/api/v1/namespaces", Target(NAMESPACES)),
        ("/api/v1/namespaces/n", Target(NAMESPACES, "", "n")),
        ("/api/v1/namespaces/n/status", Target(NAMESPACES, "", "n", "status")),
        ("/api/v1/namespaces/n/finalize", Target(NAMESPACES, "", "n", "finalize")),
        ("/api/v1/nodes/n", Target(NODES, "", "n")),
        ("/apis/apps/v1/namespaces/n/deployments/a/scale", Target(DEPLOYMENTS, "n", "a", "scale")),
        ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Target(SELF_SUBJECT_ACCESS_REVIEWS)),
    ],
)
def test_addresses(path, target):
    assert target_of(path) == target


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v1",
        "/apis/apps/v1",
        "/api/v2/pods",
        "/api/v1/deployments",
        "/api/v1/pods/a",
        "/api/v1/namespaces/n/nodes",
        "/api/v1/namespaces/n/pods/a/scale",
        "/api/v1/namespaces/n/pods/a/log/more",
        "/api/v1/namespaces/n/pods//log",
        "/apis/apps/v1/namespaces/n/status",
        "/apis/apps/v1/deployments/a",
        "/metrics/x/y",
    ],
)
def test_addresses_nothing(path):
    with pytest.raises(NotFound):
        target_of(path)
