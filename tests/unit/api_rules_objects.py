"""Small objects that the tests of `api/rules` change in one place each."""

from __future__ import annotations

import copy
from typing import Any

from grandstand.api import rules
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import (
    ANALYSIS_RUNS,
    ANALYSIS_TEMPLATES,
    CLUSTER_ANALYSIS_TEMPLATES,
    DEPLOYMENTS,
    FUNCTIONS,
    INGRESSES,
    PODS,
    ROLLOUTS,
    SERVICES,
)

NOW = 1_800_000_000.0


def pod(**spec: Any) -> Object:
    container = {"name": "web", "image": "payment-app:v1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


def pod_with(**container: Any) -> Object:
    """A Pod whose one container has these fields too."""
    return pod(containers=[{"name": "web", "image": "payment-app:v1", **container}])


def deployment(**spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "payment-app:v1"}]},
            },
            **spec,
        },
    }


def service(**spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec},
    }


def ingress(**spec: Any) -> Object:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"rules": [{"host": "web.example.com", "http": {"paths": [path]}}], **spec},
    }


def plain(kind: str, **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "it", "namespace": "default"}, **fields}


def changed(obj: Object, path: str, value: Any) -> Object:
    """A copy of an object with the field at a dotted path set; None takes it away."""
    new = copy.deepcopy(obj)
    *steps, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    place: Any = new
    for step in steps:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


def created(resource: Resource, obj: Object) -> Object:
    return rules.prepare_create(resource, obj, NOW)


def refusals(resource: Resource, obj: Object) -> list[str]:
    """What is wrong with creating an object, as `field: message`."""
    return _told(resource, created(resource, obj), None)


def update_refusals(resource: Resource, new: Object, old: Object) -> list[str]:
    """What is wrong with changing one object into another."""
    stored = created(resource, old)
    return _told(resource, rules.prepare_update(resource, new, stored, NOW), stored)


def _told(resource: Resource, obj: Object, old: Object | None) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in rules.validate(resource, obj, old)]


def rollout(**spec: Any) -> Object:
    strategy = {"strategy": {"blueGreen": {"activeService": "web"}}}
    return {**deployment(**strategy, **spec), "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}


def analysis(kind: str = "AnalysisRun", namespace: str = "default", **metric: Any) -> Object:
    """An analysis of one metric that has these fields too."""
    query = {"service": "{{args.service}}", "metric": "error_share"}
    shown = {
        "name": "errors",
        "interval": "5s",
        "count": 3,
        "successCondition": "result <= 0.05",
        "provider": {"plugin": {"grandstand.dev/gateway": query}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "errors"} | ({"namespace": namespace} if namespace else {}),
        "spec": {"metrics": [shown | metric], "args": [{"name": "service", "value": "web"}]},
    }


def function(**spec: Any) -> Object:
    shown = {"runtime": "python3.11", "handler": "app.handler", "code": {"sha256": "ab" * 32}}
    return {
        "apiVersion": "grandstand.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": shown | spec,
    }


FINE = {
    FUNCTIONS: function(),
    ANALYSIS_TEMPLATES: analysis("AnalysisTemplate"),
    CLUSTER_ANALYSIS_TEMPLATES: analysis("ClusterAnalysisTemplate", namespace=""),
    ANALYSIS_RUNS: analysis(),
    PODS: pod(),
    DEPLOYMENTS: deployment(),
    SERVICES: service(),
    INGRESSES: ingress(),
    ROLLOUTS: rollout(),
}
