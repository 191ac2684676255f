"""JSON merge patch: the examples of RFC 7386, and its laws."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.change import merge_patch
from grandstand.errors import BadRequest


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"a": "foo"}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_rfc(before: dict, patch: dict, after: dict) -> None:
    assert merge_patch(before, patch) == after


@pytest.mark.parametrize("patch", [[1], "text", None, 3])
def test_a_patch_that_is_no_object_is_refused(patch: Any) -> None:
    with pytest.raises(BadRequest):
        merge_patch({"a": 1}, patch)


KEYS = st.sampled_from(["a", "b", "c"])


def objects(leaf: st.SearchStrategy) -> st.SearchStrategy:
    return st.dictionaries(
        KEYS,
        st.recursive(
            leaf | st.lists(st.integers(), max_size=2), lambda inner: st.dictionaries(KEYS, inner, max_size=3)
        ),
        max_size=3,
    )


PLAIN = objects(st.integers() | st.text(max_size=2))
PATCH = objects(st.none() | st.integers() | st.text(max_size=2))


@given(PLAIN, PATCH)
def test_applying_twice_is_applying_once(obj: dict, patch: dict) -> None:
    before, given_patch = copy.deepcopy(obj), copy.deepcopy(patch)
    once = merge_patch(obj, patch)
    assert merge_patch(once, patch) == once
    assert (obj, patch) == (before, given_patch)


@given(PLAIN)
def test_the_empty_patch_and_the_object_itself_change_nothing(obj: dict) -> None:
    assert merge_patch(obj, {}) == obj
    assert merge_patch(obj, obj) == obj


def difference(before: dict, after: dict) -> dict:
    gone = {key: None for key in before if key not in after}
    changed = {
        key: difference(before[key], value) if isinstance(value, dict) and isinstance(before.get(key), dict) else value
        for key, value in after.items()
        if before.get(key) != value
    }
    return {**gone, **changed}


@given(PLAIN, PLAIN)
def test_every_object_is_reached_by_the_patch_of_their_difference(before: dict, after: dict) -> None:
    assert merge_patch(before, difference(before, after)) == after
