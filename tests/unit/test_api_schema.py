"""Checking objects against the schemas, and what Kubernetes says when they do not fit."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.schema import Leaf, Ownership, PatchStrategy, Scalar, Schemas
from grandstand.api.schema.scalars import canonical_quantity, canonical_time, check_base64
from grandstand.errors import NotFound
from grandstand.kinds import RESOURCES, Resource, parse_quantity
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, EVENTS, LEASES, PODS, SECRETS, SERVICES

SCHEMAS = Schemas.load()


def pod(**container: object) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "main", "image": "web:1", **container}]},
    }


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.qualified)
def test_every_resource_has_a_schema(resource: Resource) -> None:
    checked = SCHEMAS.check(resource, {"apiVersion": resource.api_version, "kind": resource.kind, "nonsense": 1})
    assert checked.object == {"apiVersion": resource.api_version, "kind": resource.kind}
    assert checked.unknown == ("nonsense",)


def test_a_kind_without_schema_is_not_found() -> None:
    with pytest.raises(NotFound, match='no kind "Rocket" is registered for version "v1"'):
        SCHEMAS.node("v1", "Rocket")


def test_unknown_fields_are_pruned_and_named() -> None:
    obj = pod(colour="red", ports=[{"containerPort": 80}, {"containerPort": 81, "speed": 3}])
    before = copy.deepcopy(obj)
    checked = SCHEMAS.check(PODS, obj)
    assert checked.unknown == ("spec.containers[0].colour", "spec.containers[0].ports[1].speed")
    assert checked.invalid == ()
    assert checked.object == pod(ports=[{"containerPort": 80}, {"containerPort": 81}])
    assert obj == before


def test_nulls_are_dropped_as_go_drops_them() -> None:
    obj = pod(command=None, args=["a", None], resources={"limits": None})
    obj["metadata"] |= {"creationTimestamp": None, "labels": {"a": None}}
    checked = SCHEMAS.check(PODS, obj)
    expected = pod(args=["a", ""], resources={})
    expected["metadata"]["labels"] = {"a": ""}
    assert checked.object == expected


DEPLOYMENT = 'Deployment in version "v1" cannot be handled as a Deployment: '


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            {"spec": {"replicas": "three"}},
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"replicas": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"replicas": 4294967296}},
            "json: cannot unmarshal number 4294967296 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"paused": 1}},
            "json: cannot unmarshal number into Go struct field DeploymentSpec.spec.paused of type bool",
        ),
        (
            {"spec": {"replicas": True}},
            "json: cannot unmarshal bool into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ({"spec": []}, "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
        (
            {"spec": {"template": {"spec": {"containers": {}}}}},
            "json: cannot unmarshal object into Go struct field "
            "PodSpec.spec.template.spec.containers of type []v1.Container",
        ),
        (
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": False}}}},
            "json: cannot unmarshal bool into Go struct field "
            "RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge of type int32",
        ),
        (
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006" '
            "(at metadata.creationTimestamp)",
        ),
    ],
    ids=[
        "text",
        "fraction",
        "too large",
        "number for bool",
        "bool",
        "list for struct",
        "map for list",
        "bool for port",
        "time",
    ],
)
def test_wrong_types_are_named_in_the_words_of_kubernetes(obj: dict, message: str) -> None:
    assert SCHEMAS.check(DEPLOYMENTS, obj).invalid == (DEPLOYMENT + message,)


def test_a_body_that_is_no_object_is_invalid() -> None:
    assert SCHEMAS.check(PODS, ["a"]).invalid == (  # type: ignore[arg-type]
        'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal array into Go value of type v1.Pod',
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        (0.5, "500m"),
        (2, "2"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("100", "100"),
        ("1500", "1500"),
        ("100000", "100k"),
        ("1e3", "1e3"),
        ("1000e0", "1e3"),
        ("12E", "9223372036854775807"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("1.0000000001", "1000000001n"),
        ("-1.5", "-1500m"),
        ("0", "0"),
        ("0Ki", "0"),
        ("3.", "3"),
        (".5", "500m"),
        ("2k", "2k"),
        ("2048Ki", "2Mi"),
    ],
)
def test_quantities_are_written_as_kubernetes_writes_them(value: str | float, written: str) -> None:
    assert canonical_quantity(value) == written


@given(st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,4})?(m|k|M|G|Ki|Mi|Gi|e3|)", fullmatch=True))
def test_a_quantity_keeps_its_value_and_is_written_in_one_way(text: str) -> None:
    once = canonical_quantity(text)
    assert canonical_quantity(once) == once
    assert parse_quantity(once) == parse_quantity(text)


@pytest.mark.parametrize("text", ["", "x", "1x", "1 Gi", "--1", "1e", "Gi", "1e999999999", "nan", "1.2.3"])
def test_what_is_no_quantity_is_invalid(text: str) -> None:
    checked = SCHEMAS.check(PODS, pod(resources={"limits": {"cpu": text}}))
    assert len(checked.invalid) == 1
    assert "quantit" in checked.invalid[0]
    assert checked.invalid[0].endswith("(at spec.containers[0].resources.limits.cpu)")


@pytest.mark.parametrize(
    ("text", "micro", "written"),
    [
        ("2026-12-04T20:00:00Z", False, "2026-12-04T20:00:00Z"),
        ("2026-12-04T20:00:00+05:30", False, "2026-12-04T14:30:00Z"),
        ("2026-12-04T20:00:00.999Z", False, "2026-12-04T20:00:00Z"),
        ("2026-12-04T20:00:00.123456789Z", True, "2026-12-04T20:00:00.123456Z"),
        ("2026-12-04T20:00:00Z", True, "2026-12-04T20:00:00.000000Z"),
    ],
)
def test_times_are_written_in_utc(text: str, micro: bool, written: str) -> None:
    assert canonical_time(text, micro=micro) == written


@pytest.mark.parametrize("text", ["2026-13-04T20:00:00Z", "2026-12-04", "20261204T200000Z", "2026-12-04T20:00:00", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_time(text)


@pytest.mark.parametrize(("text", "place"), [("YQ=", 3), ("a!b=", 1), ("YWJj*", 4), ("-_==", 0)])
def test_what_is_no_base64_is_refused(text: str, place: int) -> None:
    with pytest.raises(ValueError, match=f"illegal base64 data at input byte {place}"):
        check_base64(text)


def test_secrets_hold_base64() -> None:
    assert SCHEMAS.check(SECRETS, {"data": {"a": "YQ==", "b": ""}}).invalid == ()
    assert "illegal base64" in SCHEMAS.check(SECRETS, {"data": {"a": "YQ"}}).invalid[0]


def test_micro_times_and_times_stand_apart() -> None:
    assert SCHEMAS.at(EVENTS, ("eventTime",)).go_type == Scalar.MICRO_TIME.value
    assert SCHEMAS.at(EVENTS, ("lastTimestamp",)).go_type == Scalar.TIME.value
    assert SCHEMAS.check(LEASES, {"spec": {"renewTime": "2026-12-04T20:00:00.5Z"}}).object == {
        "spec": {"renewTime": "2026-12-04T20:00:00.500000Z"}
    }


def test_free_form_parts_are_kept() -> None:
    fields = {"f:metadata": {"f:labels": {".": {}}}}
    obj = {"metadata": {"name": "a", "managedFields": [{"manager": "m", "fieldsV1": fields}]}, "data": {"x": "y"}}
    checked = SCHEMAS.check(CONFIG_MAPS, obj)
    assert (checked.object, checked.unknown) == (obj, ())
    assert checked.object["metadata"]["managedFields"][0]["fieldsV1"] is not fields


@pytest.mark.parametrize(
    ("resource", "path", "patch", "ownership", "keys"),
    [
        (PODS, ("spec", "containers"), PatchStrategy(True, False, "name"), Ownership.KEYED, ("name",)),
        (
            PODS,
            ("spec", "containers", "ports"),
            PatchStrategy(True, False, "containerPort"),
            Ownership.KEYED,
            ("containerPort", "protocol"),
        ),
        (PODS, ("spec", "containers", "command"), PatchStrategy(), Ownership.ATOMIC, ()),
        (PODS, ("metadata", "finalizers"), PatchStrategy(True), Ownership.SET, ()),
        (PODS, ("spec", "nodeSelector"), PatchStrategy(), Ownership.ATOMIC, ()),
        (PODS, ("metadata", "labels"), PatchStrategy(), Ownership.GRANULAR, ()),
        (DEPLOYMENTS, ("spec", "selector"), PatchStrategy(), Ownership.ATOMIC, ()),
        (SERVICES, ("spec", "ports"), PatchStrategy(True, False, "port"), Ownership.KEYED, ("port", "protocol")),
    ],
    ids=["containers", "ports", "command", "finalizers", "node selector", "labels", "selector", "service ports"],
)
def test_how_lists_and_maps_merge(
    resource: Resource, path: tuple[str, ...], patch: PatchStrategy, ownership: Ownership, keys: tuple[str, ...]
) -> None:
    node = SCHEMAS.at(resource, path)
    assert (node.patch, node.ownership, node.map_keys) == (patch, ownership, keys)


def test_definitions_of_our_own_can_be_added() -> None:
    ours = {
        "dev.grandstand.v1alpha1.Plan": {
            "type": "object",
            "properties": {
                "metadata": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
                "spec": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {
                        "share": {"x-kubernetes-int-or-string": True},
                        "inner": {"$ref": "#/components/schemas/dev.grandstand.v1alpha1.Plan"},
                    },
                },
            },
            "x-kubernetes-group-version-kind": [{"group": "grandstand.dev", "version": "v1alpha1", "kind": "Plan"}],
        }
    }
    schemas = Schemas.load(ours, {("grandstand.dev/v1alpha1", "Alias"): "dev.grandstand.v1alpha1.Plan"})
    obj = {"metadata": {"name": "a"}, "spec": {"share": "50%", "more": [1], "inner": {"spec": {"share": 3}, "no": 1}}}
    checked = schemas.check_kind("grandstand.dev/v1alpha1", "Plan", obj)
    assert checked.unknown == ("spec.inner.no",)
    assert checked.object["spec"] == {"share": "50%", "more": [1], "inner": {"spec": {"share": 3}}}
    assert schemas.node("grandstand.dev/v1alpha1", "Alias") is schemas.node("grandstand.dev/v1alpha1", "Plan")
    assert isinstance(schemas.node("grandstand.dev/v1alpha1", "Plan").child("spec").child("share"), Leaf)


FIELDS = st.sampled_from(
    ["metadata", "spec", "containers", "name", "ports", "containerPort", "env", "labels", "resources", "limits", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(FIELDS, JSON, max_size=4))
def test_checking_never_fails_and_its_result_needs_no_more_checking(obj: dict) -> None:
    before = copy.deepcopy(obj)
    checked = SCHEMAS.check(PODS, obj)
    assert obj == before
    if not checked.invalid:
        again = SCHEMAS.check(PODS, checked.object)
        assert (again.object, again.unknown, again.invalid) == (checked.object, (), ())
