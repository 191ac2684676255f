"""Metadata: names, labels, annotations, owners, finalizers; and what an update may not touch."""

from __future__ import annotations

from typing import Any

import pytest
from api_rules_objects import NOW, changed, created, plain, refusals, update_refusals

from grandstand.api import rules
from grandstand.api.rules import names
from grandstand.kinds.resources import CONFIG_MAPS

PLAIN = plain("ConfigMap")
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "1", "controller": True}


@pytest.mark.parametrize(
    ("path", "value", "start"),
    [
        ("metadata.name", None, "metadata.name: Required value: name or generateName is required"),
        ("metadata.name", "Web", 'metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist'),
        ("metadata.name", "a" * 254, f'metadata.name: Invalid value: "{"a" * 254}": must be no more than 253 bytes'),
        ("metadata.generateName", "A-", 'metadata.generateName: Invalid value: "A-": a lowercase RFC 1123'),
        ("metadata.namespace", None, "metadata.namespace: Required value"),
        ("metadata.labels", {"a b": "c"}, 'metadata.labels: Invalid value: "a b": name part must consist of'),
        ("metadata.labels", {"/a": "c"}, 'metadata.labels: Invalid value: "/a": prefix part must be non-empty'),
        ("metadata.labels", {"a": "-"}, 'metadata.labels: Invalid value: "-": a valid label must be an empty string'),
        (
            "metadata.labels",
            {"a": "b" * 64},
            f'metadata.labels: Invalid value: "{"b" * 64}": must be no more than 63 bytes',
        ),
        ("metadata.annotations", {"é": ""}, 'metadata.annotations: Invalid value: "é": name part must consist of'),
        (
            "metadata.annotations",
            {"a": "b" * 262144},
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (
            "metadata.ownerReferences",
            [{**OWNER, "uid": ""}],
            'metadata.ownerReferences[0].uid: Invalid value: "": must not be empty',
        ),
        ("metadata.ownerReferences", [OWNER, {**OWNER, "name": "b"}], "metadata.ownerReferences: Invalid value: [{"),
        (
            "metadata.finalizers",
            ["mine"],
            'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully '
            "qualified",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) and value.startswith("metadata") else "",
)
def test_what_is_wrong_with_metadata(path: str, value: Any, start: str) -> None:
    sent = PLAIN if value is None else changed(PLAIN, path, value)
    (refusal,) = refusals(CONFIG_MAPS, changed(sent, path, value))
    assert refusal.startswith(start)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.generateName", "web-"),
        ("metadata.labels", {"app.kubernetes.io/name": "web", "empty": ""}),
        ("metadata.annotations", {"My.Tool/x": "anything at all"}),
        ("metadata.finalizers", ["foregroundDeletion", "example.com/mine"]),
        ("metadata.ownerReferences", [OWNER, {**OWNER, "controller": False}]),
    ],
    ids=["prefix", "labels", "annotations", "finalizers", "owners"],
)
def test_metadata_that_is_fine(path: str, value: Any) -> None:
    assert refusals(CONFIG_MAPS, changed(PLAIN, path, value)) == []


def test_an_update_may_leave_out_what_the_server_set() -> None:
    stored = changed(created(CONFIG_MAPS, PLAIN), "metadata.uid", "1")
    stored = changed(stored, "metadata.creationTimestamp", "2026-12-04T20:00:00Z")
    assert rules.prepare_update(CONFIG_MAPS, PLAIN, stored, NOW) == stored
    backdated = changed(stored, "metadata.creationTimestamp", "1999-12-31T00:00:00Z")
    assert rules.prepare_update(CONFIG_MAPS, backdated, stored, NOW) == stored


@pytest.mark.parametrize(
    ("path", "value", "refusal"),
    [
        ("metadata.name", "b", 'metadata.name: Invalid value: "b": field is immutable'),
        ("metadata.namespace", "b", 'metadata.namespace: Invalid value: "b": field is immutable'),
        (
            "metadata.deletionTimestamp",
            "2026-12-04T20:00:00Z",
            'metadata.deletionTimestamp: Invalid value: "2026-12-04T20:00:00Z": field is immutable',
        ),
    ],
    ids=["name", "namespace", "deletion"],
)
def test_what_is_immutable(path: str, value: str, refusal: str) -> None:
    assert update_refusals(CONFIG_MAPS, changed(PLAIN, path, value), PLAIN) == [refusal]


def test_a_deleted_object_gets_no_new_finalizers() -> None:
    dying = changed(PLAIN, "metadata.finalizers", ["example.com/a"])
    dying = changed(dying, "metadata.deletionTimestamp", "2026-12-04T20:00:00Z")
    more = changed(dying, "metadata.finalizers", ["example.com/a", "example.com/b"])
    assert update_refusals(CONFIG_MAPS, more, dying) == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"example.com/b"}'
    ]
    assert update_refusals(CONFIG_MAPS, changed(dying, "metadata.finalizers", []), dying) == []


@pytest.mark.parametrize(
    ("rule", "fine", "wrong"),
    [
        (names.dns_label, ["a", "0-a", "a" * 63], ["", "A", "-a", "a.b", "a" * 64, "a\n"]),
        (names.dns_1035_label, ["a", "a-0"], ["0a", "a-", ""]),
        (names.dns_subdomain, ["a.b-c.d", "0"], ["a..b", ".a", "a_b", "a" * 254]),
        (names.wildcard_subdomain, ["*.a"], ["*", "a.*", "*.*.a"]),
        (names.qualified_name, ["a", "A_b.c", "a.b/C"], ["", "/", "a/", "/a", "a/b/c", "A.b/c", "a" * 64]),
        (names.label_value, ["", "a", "A_b.c"], ["-", "a/b", "a" * 64]),
        (names.config_key, ["a", ".a", "A_b-c"], ["", ".", "..", "..a", "a/b", "a" * 254]),
        (names.environment_name, ["A", "a.b", "1 &"], ["", "A=B", "é", "\t"]),
        (names.port_name, ["http", "a-1"], ["", "1", "A", "a--b", "-a", "a" * 16]),
        (names.http_header, ["X-Header"], ["", "a b", "a_b"]),
        (names.ipv4, ["10.0.0.1"], ["::1", "10.0.0.256", "a"]),
        (names.ip, ["10.0.0.1", "::1"], ["localhost", ""]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_names(rule: names.NameRule, fine: list[str], wrong: list[str]) -> None:
    assert {text: rule(text) for text in fine} == {text: [] for text in fine}
    assert all(rule(text) for text in wrong)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::1%a\nnameserver 6.6.6.6", "::1%x; y", "10.0.0.1\n"])
def test_addresses_carry_nothing_behind_them(text: str) -> None:
    """Python's own reader takes any text as the zone of an IPv6 address; it would end up in files of the Pod."""
    assert names.ip(text)


@pytest.mark.parametrize("text", ["10.0.0.1", "::1", "2001:db8::ffff"])
def test_addresses(text: str) -> None:
    assert names.ip(text) == []
