"""Server-side apply and field tracking: who owns what, conflicts, and what goes when it is applied no more."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.change import server_side_apply, track
from grandstand.api.change.compare import compare
from grandstand.api.change.fields import from_json, to_json
from grandstand.api.change.managed_fields import MOST_UPDATERS, OLDEST, entries_of
from grandstand.api.schema import Schemas
from grandstand.errors import BadRequest, Cause, Conflict, Invalid
from grandstand.kinds import Object
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS

SCHEMAS = Schemas.load()
NOON, LATER, EVENING = 1_700_000_000.0, 1_700_000_060.0, 1_700_000_120.0
AT_NOON, AT_LATER, AT_EVENING = "2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z", "2023-11-14T22:15:20Z"


def deployment(**spec: Any) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def template(*containers: Object, **labels: str) -> Object:
    return {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}}


def applied(
    live: Object | None, obj: Object, manager: str = "a", *, force: bool = False, now: float = NOON, sub: str = ""
) -> Object:
    before = copy.deepcopy((live, obj))
    result = server_side_apply(SCHEMAS, DEPLOYMENTS, live, obj, manager=manager, force=force, subresource=sub, now=now)
    assert (live, obj) == before
    return result


def updated(before: Object | None, after: Object, manager: str = "u", *, now: float = NOON, sub: str = "") -> Object:
    inputs = copy.deepcopy((before, after))
    result = track(SCHEMAS, DEPLOYMENTS, before, after, manager=manager, subresource=sub, now=now)
    assert (before, after) == inputs
    return result


def managers(obj: Object) -> dict[str, Object]:
    """Manager -> fieldsV1."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())}


def times(obj: Object) -> dict[str, str]:
    return {entry["manager"]: entry["time"] for entry in obj["metadata"]["managedFields"]}


def bare(obj: Object) -> Object:
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}


def test_a_created_object_belongs_to_its_creator() -> None:
    obj = deployment(
        replicas=1,
        selector={"matchLabels": {"app": "web"}},
        template=template({"name": "c", "image": "i", "ports": [{"containerPort": 80}], "resources": {}}, app="web"),
    )
    obj["metadata"] |= {"uid": "1", "resourceVersion": "2", "creationTimestamp": AT_NOON, "labels": {"app": "web"}}
    entry = {
        "manager": "u",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": AT_NOON,
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:selector": {},
                "f:template": {
                    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                    "f:spec": {
                        "f:containers": {
                            'k:{"name":"c"}': {
                                ".": {},
                                "f:image": {},
                                "f:name": {},
                                "f:ports": {
                                    ".": {},
                                    'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}},
                                },
                                "f:resources": {},
                            }
                        }
                    },
                },
            },
        },
    }
    assert updated(None, obj) == {**obj, "metadata": {**obj["metadata"], "managedFields": [entry]}}


def test_an_applied_object_belongs_to_who_applied_it() -> None:
    obj = deployment(replicas=1, template=template({"name": "c", "image": "i"}, app="web"))
    result = applied(None, obj)
    assert bare(result) == obj
    assert result["metadata"]["managedFields"] == [
        {
            "manager": "a",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": AT_NOON,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:replicas": {},
                    "f:template": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}}},
                    },
                }
            },
        }
    ]


def test_an_update_takes_the_changed_fields_from_others() -> None:
    live = applied(None, deployment(replicas=1, paused=True))
    result = updated(live, deployment(replicas=2, paused=True), "kubectl-edit", now=LATER)
    assert managers(result) == {
        "a": {"f:spec": {"f:paused": {}}},
        "kubectl-edit": {"f:spec": {"f:replicas": {}}},
    }
    assert times(result) == {"a": AT_NOON, "kubectl-edit": AT_LATER}


def test_an_update_without_change_changes_nothing() -> None:
    live = updated(None, deployment(replicas=1))
    assert updated(live, deployment(replicas=1), "other", now=LATER) == live
    assert updated(live, live, now=LATER) == live


def test_a_removed_field_has_no_owner() -> None:
    live = applied(None, deployment(replicas=1, paused=True))
    result = updated(live, deployment(replicas=1), now=LATER)
    assert managers(result) == {"a": {"f:spec": {"f:replicas": {}}}}
    assert times(result) == {"a": AT_NOON}


def test_subresources_have_entries_of_their_own() -> None:
    live = updated(None, deployment(replicas=1), "m")
    after = {**live, "status": {"replicas": 1}}
    result = updated(live, after, "m", sub="status", now=LATER)
    listed = result["metadata"]["managedFields"]
    assert [(entry.get("subresource"), entry["fieldsV1"]) for entry in listed] == [
        (None, {"f:spec": {"f:replicas": {}}}),
        ("status", {"f:status": {"f:replicas": {}}}),
    ]


def test_applying_ignores_the_half_that_the_endpoint_does_not_write() -> None:
    obj = {**deployment(replicas=1), "status": {"replicas": 9}}
    assert "status" not in applied(None, obj)
    assert managers(applied(None, obj)) == {"a": {"f:spec": {"f:replicas": {}}}}
    live = applied(None, deployment(replicas=1))
    result = applied(live, {**deployment(replicas=7), "status": {"replicas": 9}}, "s", sub="status")
    assert (result["spec"], result["status"]) == ({"replicas": 1}, {"replicas": 9})


def test_another_value_for_a_field_of_another_manager_is_a_conflict() -> None:
    live = updated(applied(None, deployment(replicas=1)), deployment(replicas=2), "kubectl-edit", now=LATER)
    with pytest.raises(Conflict) as raised:
        applied(live, deployment(replicas=3), "b")
    using = f'"kubectl-edit" using apps/v1 at {AT_LATER}'
    assert raised.value.message == f"Apply failed with 1 conflict: conflict with {using}: .spec.replicas"
    assert raised.value.causes == (Cause("FieldManagerConflict", f"conflict with {using}", ".spec.replicas"),)


def test_several_conflicts_are_listed_by_manager() -> None:
    live = applied(None, deployment(replicas=1, template=template({"name": "c", "image": "i:1"})), "a")
    with pytest.raises(Conflict) as raised:
        applied(live, deployment(replicas=2, template=template({"name": "c", "image": "i:2"})), "b")
    assert raised.value.message == (
        'Apply failed with 2 conflicts: conflicts with "a":\n'
        '- .spec.replicas\n- .spec.template.spec.containers[name="c"].image'
    )


def test_force_takes_fields_over() -> None:
    live = applied(None, deployment(replicas=1, paused=True), "a")
    result = applied(live, deployment(replicas=2), "b", force=True, now=LATER)
    assert result["spec"] == {"replicas": 2, "paused": True}
    assert managers(result) == {"a": {"f:spec": {"f:paused": {}}}, "b": {"f:spec": {"f:replicas": {}}}}
    assert times(result) == {"a": AT_NOON, "b": AT_LATER}


def test_the_same_value_is_shared() -> None:
    live = applied(None, deployment(replicas=1, paused=True), "a")
    shared = applied(live, deployment(replicas=1), "b", now=LATER)
    assert managers(shared) == {
        "a": {"f:spec": {"f:paused": {}, "f:replicas": {}}},
        "b": {"f:spec": {"f:replicas": {}}},
    }
    left = applied(shared, deployment(paused=True), "a", now=EVENING)
    assert left["spec"] == {"replicas": 1, "paused": True}, "b still owns replicas"
    gone = applied(left, {"metadata": {"name": "web"}}, "b", now=EVENING)
    assert gone["spec"] == {"paused": True}
    assert managers(gone) == {"a": {"f:spec": {"f:paused": {}}}}


def test_what_is_applied_no_more_goes_with_all_that_only_defaults_put_there() -> None:
    probe = {"httpGet": {"path": "/", "port": 80}}
    first = applied(None, deployment(template=template({"name": "c", "readinessProbe": probe}, app="web", tier="x")))
    defaulted = copy.deepcopy(first)
    container = defaulted["spec"]["template"]["spec"]["containers"][0]
    container["readinessProbe"]["periodSeconds"] = 10
    container["imagePullPolicy"] = "Always"
    result = applied(defaulted, deployment(template=template({"name": "c"}, app="web")), now=LATER)
    assert result["spec"]["template"] == template({"name": "c", "imagePullPolicy": "Always"}, app="web")


def test_a_list_item_goes_unless_others_own_something_in_it() -> None:
    first = applied(None, deployment(template=template({"name": "c", "image": "i"}, {"name": "side", "image": "s"})))
    without = deployment(template=template({"name": "c", "image": "i"}))
    assert applied(first, without)["spec"] == without["spec"]
    other = deployment(template=template({"name": "side", "env": [{"name": "X", "value": "1"}]}))
    shared = applied(first, other, "b")
    left = applied(shared, without)["spec"]["template"]["spec"]["containers"]
    assert left == [{"name": "c", "image": "i"}, {"name": "side", "env": [{"name": "X", "value": "1"}]}]


def test_applied_items_come_in_the_order_applied_and_others_keep_their_place() -> None:
    def names(obj: Object) -> list[str]:
        return [container["name"] for container in obj["spec"]["template"]["spec"]["containers"]]

    live = applied(None, deployment(template=template({"name": "x"}, {"name": "y"}, {"name": "z"})))
    for wanted, merged in (
        ("zn", "xyzn"),
        ("nz", "xynz"),
        ("zx", "yzx"),
        ("n", "xyzn"),
        ("zyx", "zyx"),
        ("yn", "xyzn"),
    ):
        obj = deployment(template=template(*({"name": name} for name in wanted)))
        assert names(applied(live, obj, "b")) == list(merged)


def test_sets_merge_and_atomic_maps_do_not() -> None:
    first = deployment(selector={"matchLabels": {"app": "web"}})
    first["metadata"]["finalizers"] = ["one"]
    second = {"metadata": {"name": "web", "finalizers": ["two"]}}
    result = applied(applied(None, first), second, "b")
    assert result["metadata"]["finalizers"] == ["one", "two"]
    assert managers(result)["b"] == {"f:metadata": {"f:finalizers": {'v:"two"': {}}}}
    with pytest.raises(Conflict, match=r"\.spec\.selector$"):
        applied(result, deployment(selector={"matchLabels": {"app": "web", "x": "y"}}), "b")


def test_applying_the_same_again_keeps_the_time() -> None:
    obj = deployment(replicas=1, template=template({"name": "c", "image": "i"}))
    first = applied(None, obj)
    assert applied(first, obj, now=LATER) == first


def test_an_object_that_nobody_tracked_belongs_to_before_first_apply() -> None:
    live = deployment(replicas=1)
    with pytest.raises(Conflict, match=r'conflict with "before-first-apply" using apps/v1: \.spec\.replicas'):
        applied(live, deployment(replicas=2))
    assert managers(applied(live, deployment(paused=True))) == {
        "before-first-apply": {"f:spec": {"f:replicas": {}}},
        "a": {"f:spec": {"f:paused": {}}},
    }


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            deployment(template=template({"name": "c"}, {"name": "c"})),
            '.spec.template.spec.containers: duplicate entries for key [name="c"]',
        ),
        (
            deployment(template=template({"image": "c"})),
            'associative list with keys has an element that omits key field "name"',
        ),
        ({"metadata": {"name": "web", "managedFields": [{"manager": "x"}]}}, "metadata.managedFields must be nil"),
    ],
    ids=["twice", "no key", "managed fields"],
)
def test_what_cannot_be_applied_is_a_bad_request(obj: Object, message: str) -> None:
    with pytest.raises(BadRequest) as raised:
        applied(None, obj)
    assert message in raised.value.message


def test_applying_needs_a_manager() -> None:
    with pytest.raises(Invalid, match="fieldManager: Required value"):
        applied(None, deployment(), "")


def test_managed_fields_may_be_written_and_emptied() -> None:
    live = updated(None, deployment(replicas=1), "m")
    emptied = {**live, "metadata": {**live["metadata"], "managedFields": [{}]}}
    assert "managedFields" not in updated(live, emptied)["metadata"]
    entry = {"manager": "n", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    moved = {**live, "metadata": {**live["metadata"], "managedFields": [entry]}}
    assert managers(updated(live, moved)) == {"n": {"f:spec": {"f:replicas": {}}}}
    broken = {**live, "metadata": {**live["metadata"], "managedFields": [{**entry, "fieldsV1": {"x": {}}}]}}
    assert updated(live, broken) == live


def test_old_managers_become_one() -> None:
    live: Object | None = None
    for number in range(MOST_UPDATERS + 5):
        data = {**(live or {}).get("data", {}), f"k{number:02}": "v"}
        obj = {"metadata": {"name": "a"}, "data": data}
        live = track(SCHEMAS, CONFIG_MAPS, live, obj, manager=f"m{number:02}", now=NOON + number)
    assert live is not None
    listed = entries_of(live)
    assert len(listed) == MOST_UPDATERS
    assert listed[0].manager == OLDEST
    assert frozenset().union(*(entry.fields for entry in listed)) == frozenset(
        {("f:data",), *(("f:data", f"f:k{number:02}") for number in range(MOST_UPDATERS + 5))}
    )


NAMES = st.sampled_from("abc")
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "paused": st.booleans(),
        "selector": st.fixed_dictionaries({"matchLabels": st.dictionaries(NAMES, NAMES, max_size=2)}),
        "template": st.builds(
            lambda containers, labels: template(*containers, **labels),
            st.lists(
                st.fixed_dictionaries(
                    {"name": NAMES},
                    optional={
                        "image": NAMES,
                        "command": st.lists(NAMES, max_size=2),
                        "ports": st.lists(
                            st.fixed_dictionaries({"containerPort": st.integers(1, 3)}, optional={"name": NAMES}),
                            max_size=2,
                            unique_by=lambda port: port["containerPort"],
                        ),
                    },
                ),
                max_size=3,
                unique_by=lambda container: container["name"],
            ),
            st.dictionaries(NAMES, NAMES, max_size=2),
        ),
    },
)
OBJECTS = st.builds(lambda spec: deployment(**spec), SPEC)


@given(OBJECTS, OBJECTS, OBJECTS)
def test_applying_twice_is_applying_once(created: Object, other: Object, obj: Object) -> None:
    live = applied(updated(None, created), other, "other", force=True)
    once = applied(live, obj, force=True, now=LATER)
    assert applied(once, obj, now=EVENING) == once, "and without a conflict"


@given(OBJECTS, OBJECTS)
def test_who_applies_alone_gets_what_is_applied(first: Object, second: Object) -> None:
    result = applied(applied(None, first), second, now=LATER)
    assert without_empty(bare(result)) == without_empty(second)


@given(OBJECTS, OBJECTS)
def test_an_update_owns_what_it_changed_and_nobody_else_does(before: Object, after: Object) -> None:
    changes = compare(SCHEMAS.node_of(DEPLOYMENTS), before, after)
    result = updated(updated(None, before, "first"), after, "second", now=LATER)
    owned = {entry.manager: entry.fields for entry in entries_of(result)}
    assert owned.get("second", frozenset()) == changes.set
    assert not owned.get("first", frozenset()) & (changes.set | changes.removed)
    assert bare(result) == after
    assert updated(result, after, "third", now=EVENING) == result


@given(OBJECTS)
def test_field_sets_survive_their_text(obj: Object) -> None:
    for entry in entries_of(applied(None, obj)) + entries_of(updated(None, obj)):
        assert from_json(to_json(entry.fields)) == entry.fields


def without_empty(value: Any) -> Any:
    """Server-side apply leaves empty lists and maps behind where their last entry went."""
    if isinstance(value, dict):
        kept = {key: without_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in ({}, [])}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value
