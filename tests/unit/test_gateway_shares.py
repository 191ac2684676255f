"""Weights of servers: each version gets its share, however many Pods it has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.gateway.servers import Duty, Server
from grandstand.gateway.shares import shares_in, weighed
from grandstand.kinds import Object, Rollout, view


def servers(stable: int, canary: int, other: int = 0, duty: Duty = Duty.SERVING) -> dict[str, Server]:
    pods = [f"web-s-{n}" for n in range(stable)] + [f"web-c-{n}" for n in range(canary)] + ["x-1"] * other
    made = [Server(f"10.0.0.{number}", 80, duty, pod_name=pod) for number, pod in enumerate(pods)]
    return {server.name: server for server in made}


def weights(found: dict[str, Server]) -> dict[str, list[int]]:
    by_version: dict[str, list[int]] = {}
    for server in found.values():
        by_version.setdefault(server.pod_name[:5], []).append(server.weight)
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
    assert weights(weighed(servers(stable, canary), {"web-s-": 100 - share, "web-c-": share})) == expected


def test_pods_of_nobody_keep_their_weight() -> None:
    found = weights(weighed(servers(1, 1, other=1), {"web-s-": 50, "web-c-": 50}))
    assert found["x-1"] == [100]


@given(st.integers(1, 20), st.integers(1, 20), st.integers(10, 90))
def test_shares_are_kept_as_far_as_whole_weights_can(stable, canary, share) -> None:
    found = weights(weighed(servers(stable, canary), {"web-s-": 100 - share, "web-c-": share}))
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
        "default": {"web-c-": 20.0, "web-s-": 80.0}
    }
