"""Deployments and ReplicaSets: defaults, checks across fields, updates."""

from __future__ import annotations

import copy

import pytest
from api_rules_objects import NOW, changed, created, deployment, refusals, update_refusals

from grandstand.api import rules
from grandstand.kinds.resources import DEPLOYMENTS, REPLICA_SETS


def test_a_deployment_gets_every_default() -> None:
    sent = deployment()
    before = copy.deepcopy(sent)
    stored = created(DEPLOYMENTS, sent)
    assert sent == before
    assert stored == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "payment-app:v1",
                            "imagePullPolicy": "IfNotPresent",
                            "resources": {},
                            "terminationMessagePath": "/dev/termination-log",
                            "terminationMessagePolicy": "File",
                        }
                    ],
                    "dnsPolicy": "ClusterFirst",
                    "restartPolicy": "Always",
                    "schedulerName": "default-scheduler",
                    "securityContext": {},
                    "terminationGracePeriodSeconds": 30,
                },
            },
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {},
    }


def test_recreate_gets_no_rolling_update() -> None:
    stored = created(DEPLOYMENTS, deployment(strategy={"type": "Recreate"}))
    assert stored["spec"]["strategy"] == {"type": "Recreate"}
    assert rules.validate(DEPLOYMENTS, stored, None) == ()


def test_a_replica_set_gets_its_status() -> None:
    stored = created(REPLICA_SETS, deployment())
    assert stored["status"] == {"replicas": 0}
    assert stored["spec"]["replicas"] == 1
    assert "strategy" not in stored["spec"]


def test_a_manifest_without_a_selector_is_refused_as_kubernetes_does() -> None:
    assert refusals(DEPLOYMENTS, changed(deployment(), "spec.selector", None)) == [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ]


ROLLING = "spec.strategy.rollingUpdate"
WRONG = [
    (
        "labels that do not match",
        "spec.template.metadata.labels",
        {"app": "other"},
        ['spec.template.metadata.labels: Invalid value: {"app":"other"}: `selector` does not match template `labels`'],
    ),
    (
        "no labels",
        "spec.template.metadata",
        {},
        ["spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`"],
    ),
    (
        "empty selector",
        "spec.selector",
        {},
        [
            "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ],
    ),
    (
        "unknown operator",
        "spec.selector.matchExpressions",
        [{"key": "app", "operator": "Like"}],
        [
            'spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator',
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ],
    ),
    (
        "negative replicas",
        "spec.replicas",
        -1,
        ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        "never restarts",
        "spec.template.spec.restartPolicy",
        "Never",
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    (
        "deadline in a template",
        "spec.template.spec.activeDeadlineSeconds",
        5,
        ["spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"],
    ),
    (
        "unknown strategy",
        "spec.strategy",
        {"type": "BlueGreen"},
        ['spec.strategy.type: Unsupported value: "BlueGreen": supported values: "Recreate", "RollingUpdate"'],
    ),
    (
        "recreate with rolling update",
        "spec.strategy",
        {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}},
        [f"{ROLLING}: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ),
    (
        "both zero",
        "spec.strategy",
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}},
        [f'{ROLLING}.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ),
    (
        "no percent",
        "spec.strategy",
        {"rollingUpdate": {"maxSurge": "1.5%"}},
        [
            f'{ROLLING}.maxSurge: Invalid value: "1.5%": a valid percent string must be a numeric string followed by '
            "an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        ],
    ),
    (
        "more than all",
        "spec.strategy",
        {"rollingUpdate": {"maxUnavailable": "101%"}},
        [f'{ROLLING}.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ),
    (
        "deadline before ready",
        "spec.minReadySeconds",
        600,
        ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
    ),
    ("no containers", "spec.template.spec.containers", [], ["spec.template.spec.containers: Required value"]),
]


@pytest.mark.parametrize(("path", "value", "wrong"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_with_a_deployment(path: str, value: object, wrong: list[str]) -> None:
    assert refusals(DEPLOYMENTS, changed(deployment(), path, value)) == wrong


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICA_SETS], ids=["deployment", "replica set"])
def test_the_selector_is_immutable(resource: object) -> None:
    new = changed(
        changed(deployment(), "spec.selector.matchLabels", {"app": "b"}), "spec.template.metadata.labels.app", "b"
    )
    assert update_refusals(resource, new, deployment()) == [  # type: ignore[arg-type]
        'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable'
    ]


def test_an_update_may_leave_out_what_was_defaulted() -> None:
    stored = {**created(DEPLOYMENTS, deployment()), "status": {"replicas": 3}}
    updated = rules.prepare_update(DEPLOYMENTS, deployment(), stored, NOW)
    assert updated == stored


@pytest.mark.parametrize(
    ("path", "value", "generation"),
    [
        ("spec.replicas", 5, 2),
        ("spec.paused", True, 2),
        ("spec.paused", False, 1),
        ("spec.template.spec.nodeSelector", {}, 1),
        ("metadata.annotations", {"a": "b"}, 1),
        ("status.replicas", 3, 1),
    ],
    ids=["replicas", "paused", "what Go leaves out", "empty is absent", "annotation", "status"],
)
def test_the_generation_counts_descriptions(path: str, value: object, generation: int) -> None:
    stored = created(DEPLOYMENTS, deployment())
    updated = rules.prepare_update(DEPLOYMENTS, changed(stored, path, value), stored, NOW)
    assert updated["metadata"]["generation"] == generation


def test_a_deployments_status_changes_no_labels() -> None:
    stored = changed(created(DEPLOYMENTS, deployment()), "metadata.labels", {"app": "web"})
    sent = changed(changed(stored, "status", {"replicas": 1}), "metadata.labels", {"app": "b"})
    written = rules.prepare_status(DEPLOYMENTS, changed(sent, "spec.replicas", 9), stored)
    assert written == changed(stored, "status", {"replicas": 1})


def test_names_that_make_bad_host_names_are_warned_of() -> None:
    dotted = changed(deployment(), "metadata.name", "web.v1")
    (warning,) = rules.warnings(DEPLOYMENTS, dotted)
    assert warning.startswith("metadata.name: this is used in Pod names and hostnames")
    in_template = changed(deployment(), "spec.template.spec.imagePullSecrets", [{"name": "a"}])
    (warning,) = rules.warnings(DEPLOYMENTS, in_template)
    assert warning.startswith("spec.template.spec.imagePullSecrets: registry credentials are not used")
