"""Bodies, Accept headers and query parameters."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from grandstand.api.answers import json_answer
from grandstand.api.front import Room
from grandstand.api.negotiation import Shape, accepted, find_duplicates, parse_yaml, read_object, read_patch
from grandstand.api.parameters import delete_options, flag, watch_options, write_options
from grandstand.client import DeleteOptions, PatchType, Propagation
from grandstand.errors import BadRequest, NotAcceptable, TooManyRequests, UnsupportedMediaType
from grandstand.kinds.resources import PODS

KUBECTL_GET = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ("", Shape.OBJECT),
        ("*/*", Shape.OBJECT),
        ("application/json, */*", Shape.OBJECT),
        ("application/vnd.kubernetes.protobuf,application/json", Shape.OBJECT),
        (KUBECTL_GET, Shape.TABLE),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Shape.OBJECT),
        ("application/json; as=PartialObjectMetadata; g=meta.k8s.io; v=v1", Shape.METADATA),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", Shape.DISCOVERY),
    ],
    ids=["none", "any", "json", "go client", "kubectl get", "old table", "metadata", "discovery"],
)
def test_accepted(header, shape):
    assert accepted(header) is shape


@pytest.mark.parametrize("header", ["text/html", "application/vnd.kubernetes.protobuf", "application/json;as=Poem"])
def test_not_acceptable(header):
    with pytest.raises(NotAcceptable):
        accepted(header)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b'{"a":1,"b":{"a":2}}', ()),
        (b'{"a":1,"a":2}', ("a",)),
        (b'{"a":{"b":1,"b":2,"b":3}}', ("a.b",)),
        (b'{"a":[{"b":1},{"b":1,"b":2}]}', ("a[1].b",)),
        (b'{"a":[[{"b":1,"b":2}]]}', ("a[0].[0].b",)),
        (b"not JSON", ()),
    ],
    ids=["none", "top", "thrice", "in a list", "in lists", "no JSON"],
)
def test_duplicates(body, paths):
    assert find_duplicates(body) == paths


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8")),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=4))
def test_json_and_yaml_bodies_say_the_same(value):
    encoded = json.dumps(value).encode()
    assert read_object("application/json; charset=utf-8", encoded).value == value
    assert read_object("application/yaml", encoded).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2026-11-22", {"a": "2026-11-22"}),
        ("a: 1.5\nb: [x, y]\nc: null\nd: true", {"a": 1.5, "b": ["x", "y"], "c": None, "d": True}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
    ],
    ids=["dates stay text", "types", "block"],
)
def test_yaml(text, value):
    assert parse_yaml(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x",
        "a: 1\n---\nb: 2",
        "1: a",
        "a: .nan",
        "a: !!binary aGk=",
        "a: !!python/name:os.system x",
        "a: [",
    ],
)
def test_yaml_refused(text):
    with pytest.raises(BadRequest):
        parse_yaml(text.encode())


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 1_000_000,
        "- " * 500_000,
        "a: !!int 1" + ":1" * 500_000,
        "a: !!float 1" + ":1" * 500_000 + ".5",
        "a: 0x" + "f" * 1_000_000,
        "a: " + "9" * 1_000_000,
        "a: " + "x" * 2_000_000,
    ],
    ids=["flow", "blocks", "base 60", "base 60 with a fraction", "hexadecimal", "digits", "too long"],
)
def test_yaml_that_would_keep_the_engine_busy_is_refused_at_once(text):
    with pytest.raises(BadRequest):
        parse_yaml(text.encode())


def test_yaml_numbers_of_base_60_stay_text_however_long():
    assert parse_yaml(b"a: 12:30") == {"a": "12:30"}
    text = "1" + ":1" * 100_000
    assert parse_yaml(f"a: {text}".encode()) == {"a": text}


def test_yaml_bomb_is_refused_before_it_explodes():
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)]
    with pytest.raises(BadRequest, match="aliases"):
        parse_yaml("\n".join(lines).encode())


def test_patch_types():
    for kind in PatchType:
        assert read_patch(f"{kind.value}; charset=utf-8", b"{}") == (kind, {})
    assert read_patch(PatchType.APPLY.value, yaml.safe_dump({"a": 1}).encode()) == (PatchType.APPLY, {"a": 1})
    with pytest.raises(UnsupportedMediaType):
        read_patch("application/json", b"{}")


@pytest.mark.parametrize(
    ("query", "body", "options"),
    [
        ({}, {}, DeleteOptions()),
        (
            {"gracePeriodSeconds": "0", "propagationPolicy": "Orphan"},
            {},
            DeleteOptions(0, propagation=Propagation.ORPHAN),
        ),
        ({"dryRun": "All"}, {}, DeleteOptions(dry_run=True)),
        ({"orphanDependents": "false"}, {}, DeleteOptions(propagation=Propagation.BACKGROUND)),
        (
            {"gracePeriodSeconds": "9"},
            {"kind": "DeleteOptions", "gracePeriodSeconds": 3, "preconditions": {"uid": "u", "resourceVersion": "5"}},
            DeleteOptions(3, "u", "5"),
        ),
    ],
    ids=["nothing", "query", "dry run", "orphanDependents", "the body wins"],
)
def test_delete_options(query, body, options):
    assert delete_options(MultiDict(query), body) == options


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({"propagationPolicy": "Sideways"}, {}),
        ({"gracePeriodSeconds": "soon"}, {}),
        ({}, {"gracePeriodSeconds": "3"}),
        ({}, {"dryRun": ["Some"]}),
        ({}, {"orphanDependents": True, "propagationPolicy": "Orphan"}),
    ],
)
def test_delete_options_refused(query, body):
    with pytest.raises(BadRequest):
        delete_options(MultiDict(query), body)


@pytest.mark.parametrize(
    ("query", "agent", "manager"),
    [
        ({"fieldManager": "me"}, "kubectl/v1.37 (linux)", "me"),
        ({}, "kubectl/v1.37 (linux)", "kubectl"),
        ({}, "", "unknown"),
    ],
    ids=["named", "user agent", "neither"],
)
def test_managers(query, agent, manager):
    assert write_options(MultiDict(query), agent).manager == manager


@pytest.mark.parametrize(
    ("query", "apply"),
    [
        ({"fieldValidation": "Sometimes"}, False),
        ({"dryRun": "Maybe"}, False),
        ({"fieldManager": "x" * 129}, False),
        ({"force": "true"}, False),
        ({}, True),
    ],
    ids=["validation", "dry run", "manager", "force without apply", "apply without manager"],
)
def test_write_options_refused(query, apply):
    with pytest.raises(BadRequest):
        write_options(MultiDict(query), "agent", apply=apply)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("", True), ("false", False), ("0", False)])
def test_flags(text, value):
    assert flag({"watch": text}, "watch") is value
    assert flag({}, "watch") is False


def test_watch_options():
    options = watch_options(PODS, {"sendInitialEvents": "true", "timeoutSeconds": "7"}, "a")
    assert (options.initial_events, options.timeout_seconds) == (True, 7.0)
    assert options.filter.accepts({"metadata": {"name": "a"}})
    assert not options.filter.accepts({"metadata": {"name": "b"}})


def test_warnings_are_quoted_and_cut():
    answer = json_answer(b"{}", warnings=['a "b" \\ c\r\nInjected: yes', *("x" * 1000 for _ in range(10))])
    values = answer.headers.getall("Warning")
    assert values[0] == '299 - "a \\"b\\" \\\\ c  Injected: yes"'
    assert len(values) == 5


def test_room_for_so_many_at_once():
    room = Room(2)
    with room.taken():
        with room.taken():
            with pytest.raises(TooManyRequests) as refused, room.taken():
                pytest.fail("there was no room")
            assert refused.value.details == {"retryAfterSeconds": 1}
        with room.taken():
            pass
