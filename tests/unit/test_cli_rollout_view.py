"""What `grandstand rollout history` shows of the ReplicaSets that there are."""

from __future__ import annotations

import pytest
from controllers_world import template
from rollout_world import rollout

from grandstand.cli.rollout_view import past, shown_past
from grandstand.errors import BadRequest
from grandstand.kinds import Object
from grandstand.kinds.rollouts import ROLLOUT_HASH


def replica_set(revision: int) -> Object:
    made = template(revision)
    made["metadata"]["labels"] = {"app": "web", ROLLOUT_HASH: f"hash{revision}"}
    return {
        "metadata": {
            "name": f"web-hash{revision}",
            "labels": made["metadata"]["labels"],
            "annotations": {"rollout.argoproj.io/revision": str(revision)},
            "creationTimestamp": f"2026-11-27T10:00:0{revision}Z",
        },
        "spec": {"replicas": 1, "template": made},
    }


STATUS = {"stableRS": "hash2", "blueGreen": {"activeSelector": "hash2"}}
OF_TWO = [replica_set(2), replica_set(1)]
FOUND = rollout({"blueGreen": {"activeService": "web"}}) | {"status": STATUS}


def test_the_revisions_oldest_first() -> None:
    made = past(FOUND, OF_TWO, None)
    assert [each["revision"] for each in made["revisions"]] == [1, 2]
    assert all("template" not in each for each in made["revisions"])
    head, first, second = shown_past(made).splitlines()
    assert head.split() == ["REVISION", "HASH", "CREATED", "ROLE", "IMAGES"]
    assert first.split() == ["1", "hash1", "2026-11-27T10:00:01Z", "app:1"]
    assert second.split() == ["2", "hash2", "2026-11-27T10:00:02Z", "stable,", "active", "app:2"]


def test_one_of_them_with_the_template_as_it_was_written() -> None:
    made = past(FOUND, OF_TWO, 1)
    assert [each["template"] for each in made["revisions"]] == [template(1)]
    assert "image: app:1" in shown_past(made)
    assert ROLLOUT_HASH not in shown_past(made)


def test_one_that_there_is_not() -> None:
    with pytest.raises(BadRequest, match="there is no revision 7: there are 2, 1"):
        past(FOUND, OF_TWO, 7)
