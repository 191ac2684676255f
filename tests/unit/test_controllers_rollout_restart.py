"""`restartAt`: which Pods go when, and that what serves is never too little."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from controllers_world import NOW, pod, world
from rollout_world import Stage, rollout

from grandstand.clock import rfc3339
from grandstand.controllers.rollout.restart import restart
from grandstand.controllers.rollout.versions import Versions
from grandstand.kinds import Pod, ReplicaSet, Rollout, view
from grandstand.kinds.resources import PODS

BLUE_GREEN = {"blueGreen": {"activeService": "active"}}


def wanted(replicas: int = 4, at: float = NOW, strategy: object = None, **status: str) -> Rollout:
    made = rollout(strategy or BLUE_GREEN, replicas, restartAt=rfc3339(at))
    return view(Rollout, made | {"status": status})


def versions(*sizes: int) -> Versions:
    made = [
        {"metadata": {"name": f"v{size}", "namespace": "default"}, "spec": {"replicas": size, "selector": {}}}
        for size in sizes
    ]
    return Versions(None, tuple(view(ReplicaSet, each) for each in made))


def pods(states: str) -> Sequence[Pod]:
    """`o` old and ready, `x` old and not, `n` new and ready, `d` old and being deleted."""
    return [
        pod(
            f"{number}{state}",
            node="here",
            created=NOW + (5 if state == "n" else -5),
            ready_at=None if state == "x" else NOW - 4,
            deleting=state == "d",
        )
        for number, state in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("states", "sizes", "unavailable", "gone", "over"),
    [
        ("oooo", (4,), 0, ["0o"], False),
        ("ooo", (4,), 0, [], False),
        ("oooo", (4,), 2, ["0o", "1o"], False),
        ("oooo", (4,), "50%", ["0o", "1o"], False),
        ("ooox", (4,), 0, ["3x"], False),
        ("nnnd", (4,), 0, [], True),
        ("nnno", (4,), 0, ["3o"], True),
        ("nnnn", (4,), 0, [], True),
        ("oooonnnn", (4, 4), 0, ["0o"], False),
        ("oooonnn", (4, 4), 0, [], False),
    ],
)
def test_which_pods_go(states, sizes, unavailable, gone, over) -> None:
    strategy = {"blueGreen": {"activeService": "active", "maxUnavailable": unavailable}}
    found = restart(wanted(strategy=strategy), versions(*sizes), pods(states), NOW + 10)
    assert [each.metadata.name for each in found.pods] == gone
    assert found.over is over


def test_it_waits_for_its_time_and_is_done_once() -> None:
    assert restart(wanted(at=NOW + 20), versions(4), pods("oooo"), NOW).again_seconds == 20
    done = restart(wanted(restartedAt=rfc3339(NOW)), versions(4), pods("oooo"), NOW + 10)
    assert (done.pods, done.over, done.again_seconds) == ((), False, None)


async def test_every_pod_is_replaced_one_at_a_time() -> None:
    async with world() as it:
        made = Stage(it)
        await made.set_up(BLUE_GREEN, "active", replicas=4)
        before = {each["metadata"]["name"] for each in it.client.all(PODS)}
        await it.clock.advance(60)
        await made.spec(restartAt=rfc3339(it.clock.now() + 10))
        assert {each["metadata"]["name"] for each in it.client.all(PODS)} == before
        await it.clock.advance(11)
        for _ in range(30):
            await it.settle()
            ready = [each for each in it.client.all(PODS) if view(Pod, each).ready]
            serving = [each for each in ready if not each["metadata"].get("deletionTimestamp")]
            assert len(serving) >= 3
            await it.bury()
            await it.settle()
            await it.make_ready()
        await it.settle()
        after = {each["metadata"]["name"] for each in it.client.all(PODS)}
        assert len(after) == 4
        assert not after & before
        status = await made.status()
        assert status["restartedAt"] == rfc3339(it.clock.now() - 1)
        assert status["phase"] == "Healthy"
