"""Pages, filters, scales and what a watcher is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from grandstand.api.lists import Bookmark, Filter, parse_version
from grandstand.api.scale import scale_of, selector_text, with_scale
from grandstand.api.store import Change, StoreKey
from grandstand.api.watches import selected
from grandstand.client import EventType
from grandstand.errors import BadRequest, Conflict
from grandstand.kinds import LabelSelector, scale_in
from grandstand.kinds.meta import label_selector_in
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, PODS
from grandstand.selectors import from_label_selector, parse_labels


@given(st.integers(0, 2**62), st.text(max_size=20), st.text(max_size=20))
def test_a_continue_token_comes_back(revision, namespace, name):
    mark = Bookmark(revision, (namespace, name))
    assert Bookmark.parse(mark.token()) == mark


@pytest.mark.parametrize(
    "token",
    ["x", "é", "e30", "bnVsbA", "W10", "eyJydiI6IjEiLCJhZnRlciI6WyJhIl19", "=", "====", "\0"],
    ids=["short", "not ASCII", "empty", "null", "list", "other types", "padding", "more padding", "zero"],
)
def test_any_other_token_is_refused(token):
    with pytest.raises(BadRequest, match="continue key is not valid"):
        Bookmark.parse(token)


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "²", "9" * 30, " 1"])
def test_versions_refused(text):
    with pytest.raises(BadRequest):
        parse_version(text)


def test_filter():
    wanted = Filter.parse(PODS, "app=web", "spec.nodeName=n,status.phase!=Failed")
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}
    assert wanted.accepts(pod)
    assert not wanted.accepts({**pod, "status": {"phase": "Failed"}})
    with pytest.raises(BadRequest, match="field label not supported"):
        Filter.parse(CONFIG_MAPS, "", "spec.nodeName=n")


def state(label: str | None, version: int) -> dict | None:
    return (
        None if label is None else {"metadata": {"name": "a", "resourceVersion": str(version), "labels": {"l": label}}}
    )


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (None, "in", EventType.ADDED),
        (None, "out", None),
        ("in", "in", EventType.MODIFIED),
        ("out", "in", EventType.ADDED),
        ("in", "out", EventType.DELETED),
        ("out", "out", None),
        ("in", None, EventType.DELETED),
        ("out", None, None),
    ],
)
def test_changes_as_a_selector_sees_them(before, after, shown):
    old, new = state(before, 1), state(after, 2)
    kind = EventType.DELETED if new is None else EventType.ADDED if old is None else EventType.MODIFIED
    obj = new or state(before, 2)
    change = Change(kind, StoreKey("configmaps", "n", "a"), obj, old, 2, b"{}")
    events = selected(Filter.parse(CONFIG_MAPS, "l=in", ""), [change])
    assert [event.type for event in events] == ([shown] if shown else [])
    for event in events:
        assert event.object["metadata"]["resourceVersion"] == "2"
        assert event.object["metadata"]["labels"]["l"] == "in"


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (
            {
                "matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["y", "x"]},
                    {"key": "b", "operator": "NotIn", "values": ["z"]},
                    {"key": "c", "operator": "Exists"},
                    {"key": "d", "operator": "DoesNotExist"},
                ]
            },
            "a in (x,y),b notin (z),c,!d",
        ),
        ({}, ""),
    ],
    ids=["labels", "expressions", "empty"],
)
def test_selector_text_can_be_read_back(selector, text):
    assert selector_text(selector) == text
    assert len(parse_labels(text)) == len(selector.get("matchLabels", ())) + len(selector.get("matchExpressions", ()))
    assert set(from_label_selector(label_selector_in(text))) == set(
        from_label_selector(convert(selector, LabelSelector))
    )


def test_the_scale_of_a_rollout_whose_selector_is_in_its_status():
    web = {"metadata": {"name": "web"}, "spec": {"replicas": 2}, "status": {"selector": "app=web,tier in (a,b)"}}
    assert scale_of(web)["status"] == {"replicas": 0, "selector": "app=web,tier in (a,b)"}
    assert from_label_selector(scale_in(web).selector) == parse_labels("app=web,tier in (a,b)")


def test_scale_of_another_version():
    web = {"metadata": {"name": "web", "uid": "u", "resourceVersion": "5"}, "spec": {"replicas": 1}}
    with pytest.raises(Conflict):
        with_scale(DEPLOYMENTS, web, {"metadata": {"resourceVersion": "4"}, "spec": {"replicas": 2}})
    scaled = with_scale(DEPLOYMENTS, web, {"metadata": {"resourceVersion": "5"}, "spec": {"replicas": 2}})
    assert (scaled["spec"]["replicas"], web["spec"]["replicas"]) == (2, 1)
