"""Strategic merge patches: merge keys, directives, and the laws that kubectl relies on."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.change import strategic_merge
from grandstand.api.schema import Schemas
from grandstand.errors import BadRequest
from grandstand.kinds import Resource
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES

SCHEMAS = Schemas.load()


def containers(*items: dict) -> dict:
    return {"spec": {"containers": list(items)}}


A = {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}
B = {"name": "b", "image": "b:1"}
C = {"name": "c", "image": "c:1"}
DNS_UDP, DNS_TCP = {"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}


@pytest.mark.parametrize(
    ("resource", "before", "patch", "after"),
    [
        (
            PODS,
            containers(A, B),
            containers({"name": "b", "image": "b:2"}),
            containers(A, {"name": "b", "image": "b:2"}),
        ),
        (PODS, containers(A), containers(B), containers(A, B)),
        (PODS, {}, containers({"name": "a", "image": None}), containers({"name": "a"})),
        (
            PODS,
            containers(A),
            containers({"name": "a", "env": [{"name": "X", "$patch": "delete"}, {"name": "Z", "value": "3"}]}),
            containers({**A, "env": [{"name": "Y", "value": "2"}, {"name": "Z", "value": "3"}]}),
        ),
        (PODS, containers(A, B), containers({"$patch": "replace"}, C), containers(C)),
        (PODS, containers(A, B), containers({"name": "a", "$patch": "delete"}), containers(B)),
        (PODS, containers(A), containers({"name": "no", "$patch": "delete"}), containers(A)),
        (
            PODS,
            containers({**A, "command": ["a", "b"]}),
            containers({"name": "a", "command": ["c"]}),
            containers({**A, "command": ["c"]}),
        ),
        (
            PODS,
            containers(A, B, C),
            {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": []}},
            containers(B, C, A),
        ),
        (
            PODS,
            containers(A, C),
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [B]}},
            containers(B, A, C),
        ),
        (
            SERVICES,
            {"spec": {"ports": [DNS_UDP, DNS_TCP]}},
            {"spec": {"$setElementOrder/ports": [{"port": 53}, {"port": 53}]}},
            {"spec": {"ports": [DNS_UDP, DNS_TCP]}},
        ),
        (
            PODS,
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["c", "a"], "$deleteFromPrimitiveList/finalizers": ["b"]}},
            {"metadata": {"finalizers": ["a", "c"]}},
        ),
        (
            PODS,
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$setElementOrder/finalizers": ["c", "b", "a"], "finalizers": ["c"]}},
            {"metadata": {"finalizers": ["c", "b", "a"]}},
        ),
        (
            DEPLOYMENTS,
            {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}},
            {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
            {"spec": {"strategy": {"type": "Recreate"}}},
        ),
        (CONFIG_MAPS, {"data": {"a": "1", "b": "2"}}, {"data": {"a": None, "c": "3"}}, {"data": {"b": "2", "c": "3"}}),
        (CONFIG_MAPS, {"data": {"a": "1"}}, {"data": {"$patch": "replace", "b": "2"}}, {"data": {"b": "2"}}),
        (CONFIG_MAPS, {"data": {"a": "1"}}, {"data": {"$patch": "delete"}}, {"data": {}}),
        (CONFIG_MAPS, {"data": {"a": "1"}}, {"data": None}, {}),
        (
            SERVICES,
            {"spec": {"ports": [{"port": 80, "name": "http"}]}},
            {"spec": {"ports": [{"port": 80, "nodePort": 30000}, {"port": 443}]}},
            {"spec": {"ports": [{"port": 80, "name": "http", "nodePort": 30000}, {"port": 443}]}},
        ),
    ],
    ids=[
        *("merge item", "add item", "nothing there", "delete in item", "replace list", "delete item"),
        *("delete what is not there", "plain list", "order", "order with new", "order of twins"),
        *(
            "primitives",
            "order of primitives",
            "retain keys",
            "delete key",
            "replace map",
            "delete map",
            "null map",
            "numbers as keys",
        ),
    ],
)
def test_patches(resource: Resource, before: dict, patch: dict, after: dict) -> None:
    original, given_patch = copy.deepcopy(before), copy.deepcopy(patch)
    assert strategic_merge(SCHEMAS, resource, before, patch) == after
    assert (before, patch) == (original, given_patch)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ([], "JSON object"),
        ({"$patch": "explode"}, "unknown patch directive 'explode'"),
        (containers({"image": "x"}), "does not contain declared merge key: name"),
        ({"spec": {"containers": ["x"]}}, "holds objects"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}, "is a list"),
        ({"spec": {"$setElementOrder/containers": {}}}, "is a list"),
        ({"spec": {"$retainKeys": "a"}}, "is a list"),
        ({"spec": {"$retainKeys": ["a"], "b": 1}}, "must contain the field 'b'"),
    ],
)
def test_directives_that_mean_nothing_are_refused(patch: Any, message: str) -> None:
    with pytest.raises(BadRequest) as raised:
        strategic_merge(SCHEMAS, PODS, containers(A), patch)
    assert message in raised.value.message


NAMES = st.sampled_from("abcd")
CONTAINER = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "image": st.sampled_from(["x:1", "x:2"]),
        "command": st.lists(NAMES, max_size=2),
        "env": st.lists(
            st.fixed_dictionaries({"name": NAMES, "value": NAMES}), max_size=3, unique_by=lambda item: item["name"]
        ),
    },
)
POD = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(NAMES, NAMES, max_size=3),
                "finalizers": st.lists(NAMES, max_size=3, unique=True),
            },
        ),
        "spec": st.fixed_dictionaries(
            {"containers": st.lists(CONTAINER, max_size=3, unique_by=lambda item: item["name"])}
        ),
    }
)


@given(POD, POD)
def test_patching_twice_is_patching_once(obj: dict, patch: dict) -> None:
    once = strategic_merge(SCHEMAS, PODS, obj, patch)
    assert strategic_merge(SCHEMAS, PODS, once, patch) == once


@given(POD)
def test_the_object_itself_as_a_patch_changes_nothing(obj: dict) -> None:
    assert strategic_merge(SCHEMAS, PODS, obj, obj) == obj
    assert strategic_merge(SCHEMAS, PODS, obj, {}) == obj
