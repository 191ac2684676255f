"""JSON patch: the examples of RFC 6902, and its laws."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.change import json_patch
from grandstand.errors import BadRequest, CallerError, Invalid, TooLarge


@pytest.mark.parametrize(
    ("before", "operations", "after"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2]}),
        ({"a": 1}, [{"op": "add", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"a": 1}, [{"op": "add", "path": "/", "value": 2}], {"a": 1, "": 2}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/b"}], {"a": 1}),
        ({"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/1"}], {"a": [1, 3]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": None}], {"a": None}),
        ({"a/b": 1, "c~d": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/c~0d"}], {}),
        ({"~1": 1}, [{"op": "remove", "path": "/~01"}], {}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": {"b": [1]}}, [{"op": "test", "path": "/a", "value": {"b": [1.0]}}], {"a": {"b": [1]}}),
        ({"a": None}, [{"op": "test", "path": "/a", "value": None}], {"a": None}),
    ],
)
def test_operations(before: dict, operations: list, after: dict) -> None:
    original = copy.deepcopy(before)
    assert json_patch(before, operations) == after
    assert before == original


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "remove", "path": "/x"}, "remove operation does not apply: doc is missing path: '/x'"),
        ({"op": "replace", "path": "/x", "value": 1}, "replace operation does not apply"),
        ({"op": "add", "path": "/x/y", "value": 1}, "add operation does not apply"),
        ({"op": "add", "path": "/list/3", "value": 1}, "add operation does not apply"),
        ({"op": "add", "path": "/list/01", "value": 1}, "add operation does not apply"),
        ({"op": "add", "path": "/list/x", "value": 1}, "add operation does not apply"),
        ({"op": "remove", "path": "/list/-"}, "remove operation does not apply"),
        ({"op": "remove", "path": "/list/-1"}, "remove operation does not apply"),
        ({"op": "copy", "from": "/x", "path": "/y"}, "from '/x'"),
        ({"op": "move", "from": "/map", "path": "/map/a"}, "cannot be moved into itself"),
        ({"op": "test", "path": "/one", "value": True}, "testing value /one failed"),
        ({"op": "test", "path": "/map", "value": {"a": 2}}, "testing value /map failed"),
        ({"op": "add", "path": "/one/two", "value": 1}, "add operation does not apply"),
        ({"op": "replace", "path": "", "value": 1}, "no object"),
        ({"op": "remove", "path": ""}, "no object"),
    ],
)
def test_what_does_not_fit_is_invalid(operation: dict, message: str) -> None:
    with pytest.raises(Invalid) as raised:
        json_patch({"one": 1, "list": [1, 2], "map": {"a": 1}}, [operation])
    assert message in raised.value.message


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "add"},
        ["add"],
        [{"op": "increment", "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "value": 1}],
        [{"op": "move", "path": "/a"}],
        [{"op": "remove", "path": "a"}],
        [{"op": "remove", "path": "/a~2"}],
        [{"op": "remove", "path": 3}],
    ],
)
def test_what_is_no_patch_is_a_bad_request(operations: Any) -> None:
    with pytest.raises(BadRequest):
        json_patch({"a": 1}, operations)


def test_too_many_operations_are_refused() -> None:
    with pytest.raises(TooLarge):
        json_patch({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)


KEYS = st.sampled_from(["a", "b", "~", "/", "0"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(KEYS, JSON, max_size=4)
POINTER = st.lists(st.sampled_from(["a", "b", "~0", "~1", "0", "1", "-"]), max_size=3).map(
    lambda tokens: "".join(f"/{token}" for token in tokens)
)
OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": POINTER,
        "from": POINTER,
        "value": JSON,
    }
)


@given(OBJECT, st.lists(OPERATION, max_size=5))
def test_nothing_but_callers_errors_and_nothing_is_changed_in_place(obj: dict, operations: list[dict]) -> None:
    before, patch = copy.deepcopy(obj), copy.deepcopy(operations)
    with suppress(CallerError):
        json_patch(obj, operations)
    assert (obj, operations) == (before, patch)


@given(OBJECT, KEYS, JSON)
def test_adding_then_testing_then_removing_gives_back_the_object(obj: dict, key: str, value: Any) -> None:
    obj = {name: inner for name, inner in obj.items() if name != key}
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    operations = [
        {"op": "add", "path": pointer, "value": value},
        {"op": "test", "path": pointer, "value": value},
        {"op": "remove", "path": pointer},
    ]
    assert json_patch(obj, operations) == obj


@pytest.mark.timeout(10)
def test_copies_that_double_the_object_each_time_are_stopped():
    doubling = [{"op": "copy", "from": "/data", "path": f"/data/x{number}"} for number in range(40)]
    with pytest.raises(TooLarge, match="accumulated size"):
        json_patch({"data": {"a": "x"}}, doubling)


def test_many_small_copies_are_fine():
    copies = [{"op": "copy", "from": "/data/a", "path": f"/data/x{number}"} for number in range(1000)]
    assert len(json_patch({"data": {"a": "x" * 1000}}, copies)["data"]) == 1001
