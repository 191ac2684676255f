"""Updates of Pods: what may change, what may not, and what the status endpoint leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from api_rules_objects import NOW, changed, created, pod, update_refusals

from grandstand.api import rules
from grandstand.kinds.resources import PODS


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers.0.image", "payment-app:v2"),
        ("spec.activeDeadlineSeconds", 60),
        ("spec.tolerations", [{"key": "a", "operator": "Exists"}]),
        ("metadata.labels", {"app": "web"}),
        ("spec.containers.0.tty", False),
    ],
    ids=["image", "deadline", "toleration", "labels", "what Go leaves out"],
)
def test_what_may_change_about_a_pod(path: str, value: object) -> None:
    old = created(PODS, pod())
    assert update_refusals(PODS, changed(old, path, value), pod()) == []


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("spec.nodeName", "other", "spec.nodeName"),
        ("spec.containers.0.env", [{"name": "A"}], "spec.containers[0].env"),
        ("spec.securityContext.runAsUser", 0, "spec.securityContext.runAsUser"),
        ("spec.terminationGracePeriodSeconds", 1, "spec.terminationGracePeriodSeconds"),
    ],
    ids=["node", "environment", "zero is a user", "grace"],
)
def test_what_may_not_change_about_a_pod(path: str, value: object, named: str) -> None:
    old = created(PODS, pod())
    (refusal,) = update_refusals(PODS, changed(old, path, value), pod())
    assert refusal.startswith(
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"
    )
    assert refusal.endswith(f"changed: {named}; delete the Pod and create another")


@pytest.mark.parametrize(
    ("before", "path", "after", "refusal"),
    [
        (
            pod(),
            "spec.containers",
            [{"name": "web", "image": "a:1"}, {"name": "b", "image": "b:1"}],
            "spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        (
            pod(activeDeadlineSeconds=5),
            "spec.activeDeadlineSeconds",
            6,
            "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value",
        ),
        (
            pod(tolerations=[{"key": "a", "operator": "Exists"}]),
            "spec.tolerations",
            [],
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
    ],
    ids=["containers", "a longer deadline", "toleration taken away"],
)
def test_changes_with_a_message_of_their_own(before: dict[str, Any], path: str, after: object, refusal: str) -> None:
    old = created(PODS, before)
    assert update_refusals(PODS, changed(old, path, after), before) == [refusal]


def test_an_update_keeps_the_status_and_counts_the_description() -> None:
    stored = {**created(PODS, pod()), "status": {"phase": "Running", "qosClass": "BestEffort"}}
    newer = changed(changed(stored, "spec.containers.0.image", "payment-app:v2"), "status.phase", "Failed")
    updated = rules.prepare_update(PODS, newer, stored, NOW)
    assert updated["status"] == stored["status"]
    assert updated["metadata"]["generation"] == 2
    relabelled = rules.prepare_update(PODS, changed(stored, "metadata.labels", {"a": "b"}), stored, NOW)
    assert relabelled["metadata"]["generation"] == 1


def test_the_status_endpoint_changes_the_status_only() -> None:
    stored = changed(created(PODS, pod()), "metadata.ownerReferences", [{"name": "a"}])
    sent = changed(stored, "status", {"phase": "Running", "qosClass": "Guaranteed"})
    sent = changed(changed(sent, "spec.nodeName", "elsewhere"), "metadata.ownerReferences", [])
    sent = changed(sent, "metadata.annotations", {"a": "b"})
    written = rules.prepare_status(PODS, sent, stored)
    assert written["spec"] == stored["spec"]
    assert written["status"] == {"phase": "Running", "qosClass": "BestEffort"}
    assert written["metadata"]["ownerReferences"] == [{"name": "a"}]
    assert written["metadata"]["annotations"] == {"a": "b"}
