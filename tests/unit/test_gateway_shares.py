"""Weights of servers: each version gets its share, however many Pods it has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.gateway.servers import Duty, Server
from grandstand.gateway.shares import Shares, shares_in, weighed
from grandstand.kinds import Object, Rollout, view

STABLE, CANARY, OTHER = "s" * 10, "c" * 10, "o" * 10


def shares(canary: float) -> Shares:
    return {"web": {STABLE: 100 - canary, CANARY: canary}}


def servers(stable: int, canary: int, other: int = 0, duty: Duty = Duty.SERVING) -> dict[str, Server]:
    pods = [f"web-{STABLE}-{n}" for n in range(stable)] + [f"web-{CANARY}-{n}" for n in range(canary)] + ["x-1"] * other
    made = [Server(f"10.0.0.{number}", 80, duty, pod_name=pod) for number, pod in enumerate(pods)]
    return {server.name: server for server in made}


def weights(found: dict[str, Server]) -> dict[str, list[int]]:
    by_version: dict[str, list[int]] = {}
    for server in found.values():
        by_version.setdefault(server.pod_name.replace("ssssssssss", "s").replace("cccccccccc", "c")[:5], []).append(
            server.weight
        )
    return by_version


@pytest.mark.parametrize(
    ("stable", "canary", "share", "expected"),
    [
        (1, 1, 50, {"web-s": [256], "web-c": [256]}),
        (4, 1, 20, {"web-s": [256] * 4, "web-c": [256]}),
        (4, 1, 0, {"web-s": [256] * 4, "web-c": [0]}),
        (1, 1, 100, {"web-s": [0], "web-c": [256]}),
        (3, 1, 10, {"web-s": [256] * 3, "web-c": [85]}),
        (3, 0, 10, {"web-s": [100] * 3}),
        (0, 2, 10, {"web-c": [100] * 2}),
    ],
    ids=["half", "as many as its share", "nothing yet", "everything", "a tenth", "no canary", "no stable"],
)
def test_weights(stable, canary, share, expected) -> None:
    assert weights(weighed(servers(stable, canary), shares(share))) == expected


def test_pods_of_nobody_keep_their_weight() -> None:
    found = weights(weighed(servers(1, 1, other=1), shares(50)))
    assert found["x-1"] == [100]


def test_a_version_that_is_not_named_gets_nothing() -> None:
    """An aborted one, or the one before, in the time until its Pods go."""
    found = servers(2, 1) | {"o": Server("10.0.1.1", 80, Duty.SERVING, pod_name=f"web-{OTHER}-1")}
    assert weighed(found, shares(20))["o"].weight == 0
    assert weighed(found, {"web": {STABLE: 100}})["o"].weight == 0
    assert {server.weight for server in weighed({"o": found["o"]}, shares(20)).values()} == {100}


def test_pods_of_another_workload_with_a_similar_name_are_left_alone() -> None:
    found = servers(1, 1) | {"o": Server("10.0.1.1", 80, Duty.SERVING, pod_name=f"web-api-{STABLE}-1")}
    assert weighed(found, shares(20))["o"].weight == 100


@given(st.integers(1, 20), st.integers(1, 20), st.integers(10, 90))
def test_shares_are_kept_as_far_as_whole_weights_can(stable, canary, share) -> None:
    found = weights(weighed(servers(stable, canary), shares(share)))
    assert max(found["web-s"][0], found["web-c"][0]) == 256
    ratio = sum(found["web-c"]) / sum(found["web-s"])
    lightest = min(found["web-s"][0], found["web-c"][0])
    assert ratio == pytest.approx(share / (100 - share), rel=0.6 / lightest)


def test_shares_come_from_rollouts_between_two_versions() -> None:
    def rollout(name: str, canary: Object) -> Rollout:
        meta = {"name": name, "namespace": "default"}
        return view(Rollout, {"metadata": meta, "spec": {"strategy": {"canary": {}}}, "status": {"canary": canary}})

    weights_now = {
        "canary": {"podTemplateHash": "c", "weight": 20},
        "stable": {"podTemplateHash": "s", "weight": 80},
    }
    assert shares_in([rollout("web", {"weights": weights_now}), rollout("idle", {})]) == {
        "default": {"web": {"c": 20.0, "s": 80.0}}
    }
