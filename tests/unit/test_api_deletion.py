"""What a delete request makes of an object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.deletion import deleted, finalizers_after, grace_seconds, is_finished
from grandstand.client import DeleteOptions, Propagation
from grandstand.errors import Conflict
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS

NOW = 1_764_504_000.0  # 2025-11-30T12:00:00Z


def obj(kind="ConfigMap", spec=None, status=None, **metadata):
    found = {"kind": kind, "metadata": {"name": "a", "uid": "u", "resourceVersion": "7", **metadata}}
    return found | ({"spec": spec} if spec else {}) | ({"status": status} if status else {})


RUNNING = {"nodeName": "n", "terminationGracePeriodSeconds": 20}


@pytest.mark.parametrize(
    ("spec", "status", "asked", "seconds"),
    [
        ({}, {}, None, 0),
        (RUNNING, {}, None, 20),
        ({"nodeName": "n"}, {}, None, 30),
        (RUNNING, {}, 5, 5),
        (RUNNING, {}, 0, 0),
        (RUNNING, {}, -1, 1),
        (RUNNING, {"phase": "Succeeded"}, 5, 0),
        (RUNNING, {"phase": "Failed"}, None, 0),
    ],
    ids=["not scheduled", "its own", "default", "asked", "at once", "negative", "succeeded", "failed"],
)
def test_grace_of_a_pod(spec, status, asked, seconds):
    assert grace_seconds({"spec": spec, "status": status}, DeleteOptions(asked)) == seconds


def test_a_pod_is_marked_then_removed():
    pod = obj("Pod", RUNNING, generation=1)
    marked = deleted(PODS, pod, DeleteOptions(), NOW)
    assert marked is not None
    assert marked["metadata"] == pod["metadata"] | {
        "deletionTimestamp": "2025-11-30T12:00:20Z",
        "deletionGracePeriodSeconds": 20,
        "generation": 2,
    }
    assert deleted(PODS, marked, DeleteOptions(), NOW + 1) is marked
    assert deleted(PODS, marked, DeleteOptions(25), NOW + 1) is marked
    shorter = deleted(PODS, marked, DeleteOptions(5), NOW + 1)
    assert shorter is not None
    assert shorter["metadata"]["deletionTimestamp"] == "2025-11-30T12:00:05Z"
    assert not is_finished(shorter)
    assert deleted(PODS, shorter, DeleteOptions(0), NOW + 2) is None


def test_a_pod_with_a_finalizer_outlives_its_grace():
    pod = obj("Pod", RUNNING, finalizers=["f"])
    ended = deleted(PODS, deleted(PODS, pod, DeleteOptions(), NOW), DeleteOptions(0), NOW)
    assert ended is not None
    assert ended["metadata"]["deletionGracePeriodSeconds"] == 0
    del ended["metadata"]["finalizers"]
    assert is_finished(ended)


def test_grace_is_for_pods_only():
    assert deleted(CONFIG_MAPS, obj(), DeleteOptions(30), NOW) is None


def test_an_object_with_a_finalizer_is_marked_without_grace():
    marked = deleted(CONFIG_MAPS, obj(finalizers=["f"]), DeleteOptions(), NOW)
    assert marked is not None
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    assert deleted(CONFIG_MAPS, marked, DeleteOptions(), NOW + 5) is marked


def test_a_namespace_waits_for_its_own_finalizers():
    namespace = obj("Namespace", {"finalizers": ["kubernetes"]}, {"phase": "Active"})
    marked = deleted(NAMESPACES, namespace, DeleteOptions(), NOW)
    assert marked is not None
    assert (marked["status"]["phase"], marked["metadata"]["deletionTimestamp"]) == (
        "Terminating",
        "2025-11-30T12:00:00Z",
    )
    assert not is_finished(marked)
    assert is_finished({**marked, "spec": {}})


@pytest.mark.parametrize(
    ("before", "propagation", "after"),
    [
        (["f"], None, ["f"]),
        (["f"], Propagation.FOREGROUND, ["f", "foregroundDeletion"]),
        (["orphan"], Propagation.FOREGROUND, ["foregroundDeletion"]),
        (["foregroundDeletion", "f"], Propagation.BACKGROUND, ["f"]),
        ([], Propagation.ORPHAN, ["orphan"]),
    ],
    ids=["as it is", "foreground", "changed mind", "background", "orphan"],
)
def test_finalizers_of_a_propagation(before, propagation, after):
    assert finalizers_after(before, propagation) == after


@pytest.mark.parametrize(
    ("options", "word"),
    [(DeleteOptions(uid="x"), "UID"), (DeleteOptions(resource_version="6"), "ResourceVersion")],
    ids=["uid", "version"],
)
def test_preconditions(options, word):
    with pytest.raises(Conflict, match=f"Precondition failed: {word} in precondition"):
        deleted(CONFIG_MAPS, obj(), options, NOW)
    assert deleted(CONFIG_MAPS, obj(), DeleteOptions(uid="u", resource_version="7"), NOW) is None


@given(
    st.lists(st.sampled_from(["f", "g", "orphan", "foregroundDeletion"]), unique=True),
    st.sampled_from([None, *Propagation]),
    st.none() | st.integers(-1, 60),
)
def test_deleting_again_the_same_way_changes_nothing(finalizers, propagation, grace):
    options = DeleteOptions(grace, propagation=propagation)
    before = obj("Deployment", {"replicas": 1}, generation=1, **({"finalizers": finalizers} if finalizers else {}))
    once = deleted(DEPLOYMENTS, before, options, NOW)
    if once is None:
        assert finalizers_after(finalizers, propagation) == []
    else:
        assert deleted(DEPLOYMENTS, once, options, NOW + 60) is once
        assert "deletionTimestamp" not in before["metadata"]
