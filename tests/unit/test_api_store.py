"""History, snapshots and equality of stored objects: pure, without an event loop."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.store.history import History
from grandstand.api.store.records import Change, Stored, StoreKey, decode, same, stamp
from grandstand.client import EventType
from grandstand.errors import Expired
from grandstand.kinds import Object

PODS = "pods"


def key(name: str, namespace: str = "default", resource: str = PODS) -> StoreKey:
    return StoreKey(resource, namespace, name)


def advance(history: History, where: StoreKey, value: object | None) -> Change | None:
    """Write (or, with None, delete) an object one revision after the newest; None where nothing was to delete."""
    before = history.get(where)
    if value is None and before is None:
        return None
    obj = before.object if value is None and before else {"metadata": {"name": where.name}, "value": value}
    stored = stamp(where, obj, history.revision + 1)
    kind = EventType.DELETED if value is None else EventType.MODIFIED if before else EventType.ADDED
    change = Change(kind, where, stored.object, before.object if before else None, stored.revision, stored.encoded)
    history.apply(change)
    return change


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": [1]}, {"a": [1, 2]}, False),
        (
            {"metadata": {"resourceVersion": "1", "name": "a"}},
            {"metadata": {"resourceVersion": "2", "name": "a"}},
            True,
        ),
        ({"metadata": {"resourceVersion": "1"}}, {"metadata": {}}, True),
        ({"metadata": {}}, {}, True),
        ({"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, False),
        ({"spec": {"resourceVersion": "1"}}, {"spec": {"resourceVersion": "2"}}, False),
    ],
    ids=[
        "equal",
        "order of fields",
        "value",
        "one is not true",
        "one is not 1.0",
        "longer",
        "version",
        "no version",
        "no metadata",
        "name",
        "a field of the same name elsewhere",
    ],
)
def test_same(one: Object, other: Object, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


def test_stamping_leaves_the_callers_object_alone() -> None:
    mine: Object = {"metadata": {"name": "a", "resourceVersion": "3"}}
    stored = stamp(key("a"), mine, 7)
    assert mine["metadata"]["resourceVersion"] == "3"
    assert stored.object["metadata"] == {"name": "a", "resourceVersion": "7"}
    assert json.loads(stored.encoded) == stored.object
    assert decode(key("a"), stored.encoded) == stored


def test_a_list_is_sorted_and_keeps_to_its_namespace() -> None:
    history = History(entries=100)
    for namespace, name in [("b", "1"), ("a-b", "1"), ("a", "2"), ("a", "1"), ("a\x01", "0")]:
        advance(history, key(name, namespace), 1)
    advance(history, key("1", "a", "services"), 1)
    assert [item.key[1:] for item in history.list(PODS, "", None)] == [
        ("a", "1"),
        ("a", "2"),
        ("a\x01", "0"),
        ("a-b", "1"),
        ("b", "1"),
    ]
    assert [item.key.name for item in history.list(PODS, "a", None)] == ["1", "2"]
    assert history.list(PODS, "c", None) == []
    assert history.list("nothing", "", None) == []


def test_what_was_loaded_is_listed_and_is_the_start_of_history() -> None:
    loaded = [stamp(key(name), {"metadata": {"name": name}}, revision) for name, revision in (("b", 3), ("a", 5))]
    history = History(loaded, 6, entries=100)
    assert [item.key.name for item in history.list(PODS, "", None)] == ["a", "b"]
    assert history.compacted == history.revision == 6
    assert history.since(6, PODS, "") == []
    with pytest.raises(Expired, match="list again"):
        history.since(5, PODS, "")


def test_a_deletion_carries_its_own_revision_and_is_undone_to_the_state_before() -> None:
    history = History(entries=100)
    advance(history, key("a"), "x")
    deleted = advance(history, key("a"), None)
    assert deleted is not None
    assert deleted.object == {"metadata": {"name": "a", "resourceVersion": "2"}, "value": "x"}
    assert [item.revision for item in history.list(PODS, "", 1)] == [1]
    assert history.since(1, PODS, "")[0].change() == deleted


@pytest.mark.parametrize("revision", [-1, 4, 7, 11, 1000], ids=["negative", "first", "last gone", "future", "far"])
def test_expired(revision: int) -> None:
    history = History(entries=2)
    for value in range(10):
        advance(history, key("a"), value)
    assert history.compacted == 8
    with pytest.raises(Expired):
        history.since(revision, PODS, "")
    with pytest.raises(Expired):
        history.list(PODS, "", revision)


def test_history_is_bounded_in_bytes_too() -> None:
    history = History(entries=1000, size=10_000)
    for _ in range(3):
        advance(history, key("a"), "x" * 4000)
        advance(history, key("a"), "y" * 4000)
    assert history.compacted == 4
    assert len(history.since(4, PODS, "")) == 2


Steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("12345"), st.none() | st.integers(0, 3)), min_size=1, max_size=60
)


@given(steps=Steps, entries=st.integers(1, 70))
def test_every_snapshot_is_as_it_was_and_every_replay_is_complete(
    steps: list[tuple[str, str, int | None]], entries: int
) -> None:
    history = History(entries=entries)
    snapshots: dict[int, list[Stored]] = {0: []}
    changes: list[Change] = []
    for namespace, name, value in steps:
        change = advance(history, key(name, namespace), value)
        if change is not None:
            changes.append(change)
            snapshots[history.revision] = history.list(PODS, "", None)
    assert history.compacted == max(0, len(changes) - entries)
    for revision in range(history.compacted, history.revision + 1):
        for namespace in ("", "a", "b"):
            wanted = [item for item in snapshots[revision] if namespace in ("", item.key.namespace)]
            assert history.list(PODS, namespace, revision) == wanted
            replayed = [entry.change() for entry in history.since(revision, PODS, namespace)]
            assert replayed == [c for c in changes[revision:] if namespace in ("", c.key.namespace)]
