"""Configuration, Namespaces, Nodes, Events, Leases and accounts: defaults, checks, updates."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from api_rules_objects import NOW, changed, created, plain, refusals, update_refusals

from grandstand.api import rules
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import (
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    NAMESPACES,
    NODES,
    SECRETS,
    SERVICE_ACCOUNTS,
)

NAMESPACE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
NODE: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "grandstand"}}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_texts_of_a_secret_become_data() -> None:
    sent = plain("Secret", data={"a": "QQ==", "b": "Qg=="}, stringData={"b": "new", "c": "é"})
    stored = created(SECRETS, sent)
    assert stored["type"] == "Opaque"
    assert stored["data"] == {"a": "QQ==", "b": _base64("new"), "c": _base64("é")}
    assert "stringData" not in stored
    assert "stringData" in sent


def test_a_namespace_gets_every_default() -> None:
    stored = created(NAMESPACES, NAMESPACE)
    assert stored == {
        **NAMESPACE,
        "metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def test_finalizers_of_a_namespaces_spec_are_not_the_clients() -> None:
    stored = created(NAMESPACES, NAMESPACE)
    for finalizers in ([], ["example.com/mine"]):
        sent = changed(stored, "spec.finalizers", finalizers)
        assert rules.prepare_update(NAMESPACES, sent, stored, NOW)["spec"] == {"finalizers": ["kubernetes"]}


def test_a_node_comes_with_its_status() -> None:
    status = {"capacity": {"cpu": "2"}}
    stored = created(NODES, {**NODE, "status": status})
    assert stored["status"] == status
    elsewhere = changed(stored, "status", {})
    assert rules.prepare_update(NODES, elsewhere, stored, NOW)["status"] == status


def test_an_event_has_the_fields_that_are_always_there() -> None:
    stored = created(EVENTS, plain("Event", involvedObject={"namespace": "default"}))
    assert {key: stored[key] for key in ("source", "reportingComponent", "reportingInstance")} == {
        "source": {},
        "reportingComponent": "",
        "reportingInstance": "",
    }


NEW_EVENT = {"eventTime": "2026-12-04T20:00:00.000000Z", "type": "Normal", "action": "A", "reason": "R"}
WRONG: list[tuple[str, Resource, Object, list[str]]] = [
    (
        "key of a config map",
        CONFIG_MAPS,
        plain("ConfigMap", data={"a/b": ""}),
        [
            'data[a/b]: Invalid value: "a/b": '
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        ],
    ),
    (
        "key that climbs",
        CONFIG_MAPS,
        plain("ConfigMap", data={"..a": ""}),
        ["data[..a]: Invalid value: \"..a\": must not start with '..'"],
    ),
    (
        "key twice",
        CONFIG_MAPS,
        plain("ConfigMap", data={"a": ""}, binaryData={"a": "QQ=="}),
        ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ),
    (
        "config map too large",
        CONFIG_MAPS,
        plain("ConfigMap", data={"a": "x" * (1024 * 1024 + 1)}),
        [": Too long: may not be more than 1048576 bytes"],
    ),
    (
        "secret too large",
        SECRETS,
        plain("Secret", stringData={"a": "x" * (1024 * 1024 + 1)}),
        ["data: Too long: may not be more than 1048576 bytes"],
    ),
    (
        "certificate without a key",
        SECRETS,
        plain("Secret", type="kubernetes.io/tls", data={"tls.crt": "QQ=="}),
        ["data[tls.key]: Required value"],
    ),
    (
        "registry credentials that are no JSON",
        SECRETS,
        plain("Secret", type="kubernetes.io/dockerconfigjson", stringData={".dockerconfigjson": "x"}),
        [
            'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": '
            "invalid character: the value must be JSON"
        ],
    ),
    (
        "password without a name",
        SECRETS,
        plain("Secret", type="kubernetes.io/basic-auth"),
        ["data[username]: Required value", "data[password]: Required value"],
    ),
    (
        "namespace in a namespace",
        NAMESPACES,
        changed(NAMESPACE, "metadata.namespace", "default"),
        ["metadata.namespace: Forbidden: not allowed on this type"],
    ),
    (
        "name with a dot",
        NAMESPACES,
        changed(NAMESPACE, "metadata.name", "a.b"),
        [
            'metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric '
            "characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
            "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ],
    ),
    (
        "unknown taint effect",
        NODES,
        {**NODE, "spec": {"taints": [{"key": "a", "effect": "Never"}]}},
        [
            'spec.taints[0].effect: Unsupported value: "Never": '
            'supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"'
        ],
    ),
    (
        "taint twice",
        NODES,
        {**NODE, "spec": {"taints": [{"key": "a", "effect": "NoExecute"}] * 2}},
        ['spec.taints[1]: Duplicate value: {"effect":"NoExecute","key":"a"}'],
    ),
    (
        "event elsewhere",
        EVENTS,
        plain("Event", involvedObject={"namespace": "shop"}),
        ['involvedObject.namespace: Invalid value: "shop": does not match event.namespace'],
    ),
    (
        "event without a reporter",
        EVENTS,
        plain("Event", involvedObject={"namespace": "default"}, **NEW_EVENT),
        ["reportingComponent: Required value", "reportingInstance: Required value"],
    ),
    (
        "lease of no time",
        LEASES,
        plain("Lease", spec={"leaseDurationSeconds": 0, "leaseTransitions": -1}),
        [
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
            "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
        ],
    ),
    (
        "account with a nameless secret",
        SERVICE_ACCOUNTS,
        plain("ServiceAccount", imagePullSecrets=[{}]),
        ["imagePullSecrets[0].name: Required value"],
    ),
]


@pytest.mark.parametrize(("resource", "obj", "wrong"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong(resource: Resource, obj: Object, wrong: list[str]) -> None:
    assert refusals(resource, obj) == wrong


IMMUTABLE = "Forbidden: field is immutable when `immutable` is set"


@pytest.mark.parametrize(
    ("resource", "old", "change", "wrong"),
    [
        (SECRETS, plain("Secret"), ("type", "mine"), ['type: Invalid value: "mine": field is immutable']),
        (
            SECRETS,
            plain("Secret", immutable=True, data={"a": "QQ=="}),
            ("data", {"a": "Qg=="}),
            [f"data: {IMMUTABLE}"],
        ),
        (CONFIG_MAPS, plain("ConfigMap", immutable=True), ("immutable", None), [f"immutable: {IMMUTABLE}"]),
        (
            CONFIG_MAPS,
            plain("ConfigMap", immutable=True, binaryData={"a": "QQ=="}),
            ("binaryData", {}),
            [f"binaryData: {IMMUTABLE}"],
        ),
        (CONFIG_MAPS, plain("ConfigMap", data={"a": "1"}), ("data", {"a": "2"}), []),
        (CONFIG_MAPS, plain("ConfigMap"), ("immutable", True), []),
        (
            NODES,
            {**NODE, "spec": {"podCIDR": "10.0.0.0/17"}},
            ("spec.podCIDR", "10.1.0.0/17"),
            ["spec.podCIDR: Forbidden: node updates may only change labels, taints, or capacity"],
        ),
        (NODES, NODE, ("spec.unschedulable", True), []),
    ],
    ids=[
        "type of a secret",
        "data of a sealed secret",
        "unsealing",
        "bytes of a sealed config map",
        "data",
        "sealing",
        "network of a node",
        "cordon",
    ],
)
def test_what_may_change(resource: Resource, old: Object, change: tuple[str, Any], wrong: list[str]) -> None:
    assert update_refusals(resource, changed(old, *change), old) == wrong


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        (SECRETS, {"metadata.name", "metadata.namespace", "type"}),
        (NAMESPACES, {"metadata.name", "metadata.namespace", "status.phase"}),
        (CONFIG_MAPS, {"metadata.name", "metadata.namespace"}),
    ],
    ids=["secrets", "namespaces", "config maps"],
)
def test_fields_to_select_by(resource: Resource, fields: set[str]) -> None:
    assert rules.selectable_fields(resource) == fields
