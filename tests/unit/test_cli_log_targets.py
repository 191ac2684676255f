"""Which Pod is meant by `grandstand logs deploy/x`."""

import pytest

from grandstand.cli.log_targets import best_pod, selector_text, target_of
from grandstand.errors import BadRequest
from grandstand.kinds.resources import DEPLOYMENTS, PODS, REPLICA_SETS, SERVICES


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("x", (PODS, "x")),
        ("pod/x", (PODS, "x")),
        ("deploy/x", (DEPLOYMENTS, "x")),
        ("deployments.apps/x", (DEPLOYMENTS, "x")),
        ("rs/x", (REPLICA_SETS, "x")),
        ("svc/x", (SERVICES, "x")),
    ],
)
def test_what_may_be_named(text, target):
    assert target_of(text) == target


@pytest.mark.parametrize("text", ["secret/x", "nothing/x", "deploy/"])
def test_what_has_no_logs_is_refused(text):
    with pytest.raises(BadRequest):
        target_of(text)


def test_selectors_as_text():
    expression = {"key": "tier", "operator": "In", "values": ["a", "b"]}
    spec = {"selector": {"matchLabels": {"app": "x"}, "matchExpressions": [expression]}}
    assert selector_text(DEPLOYMENTS, {"metadata": {"name": "x"}, "spec": spec}) == "app=x,tier in (a,b)"
    assert selector_text(SERVICES, {"metadata": {"name": "x"}, "spec": {"selector": {"app": "y"}}}) == "app=y"
    with pytest.raises(BadRequest, match="selects no Pods"):
        selector_text(SERVICES, {"metadata": {"name": "x"}, "spec": {}})


def pod(name, phase="Running", ready=True, node="n", created="1"):
    conditions = [{"type": "Ready", "status": str(ready)}]
    meta = {"name": name, "creationTimestamp": created}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": {"phase": phase, "conditions": conditions}}


@pytest.mark.parametrize(
    ("pods", "best"),
    [
        ([], None),
        ([pod("a", "Pending", False), pod("b")], "b"),
        ([pod("a", ready=False), pod("b")], "b"),
        ([pod("a", created="2"), pod("b")], "b"),
        ([pod("a", node=""), pod("b", "Failed", False)], "b"),
    ],
    ids=["none", "running", "ready", "oldest", "assigned"],
)
def test_the_pod_to_show(pods, best):
    assert best_pod(pods) == best
