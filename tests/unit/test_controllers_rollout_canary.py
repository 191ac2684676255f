"""Canaries in a world of virtual time: weights, sizes, pauses, analyses, and the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from controllers_world import world
from rollout_world import Stage, analysis

from grandstand.controllers.rollout.canary import canary_size, seconds_of, weight_at
from grandstand.kinds import Object, view
from grandstand.kinds.resources import ROLLOUTS
from grandstand.kinds.rollouts import Canary, Pause

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "1m"}}]


def canary(*steps: Object, **fields: Any) -> Object:
    return {"canary": {"steps": list(steps), **fields}}


@asynccontextmanager
async def stage(
    *steps: Object, replicas: int = 5, services: tuple[str, ...] = (), **fields: Any
) -> AsyncIterator[Stage]:
    async with world() as it:
        made = Stage(it)
        await made.set_up(canary(*steps, **fields), *services, replicas=replicas)
        yield made


async def shares(it: Stage) -> tuple[int, int] | None:
    """The canary's weight, and the stable version's; None while there are no two of them."""
    weights = (await it.status()).get("canary", {}).get("weights") or {}
    return (weights["canary"]["weight"], weights["stable"]["weight"]) if weights.get("canary") else None


async def named(it: Stage) -> dict[str, int]:
    """The weights by hash."""
    weights = (await it.status()).get("canary", {}).get("weights") or {}
    return {part["podTemplateHash"]: part["weight"] for part in weights.values() if part}


async def test_the_first_version_takes_no_steps() -> None:
    async with stage(*STEPS) as it:
        assert it.sizes() == {1: 5}
        assert await it.phase() == ("Healthy", "")
        assert await shares(it) is None
        assert (await it.status())["currentStepIndex"] == 4


async def test_weights_and_sizes_step_by_step() -> None:
    async with stage(*STEPS) as it:
        await it.update(2, ready=False)
        assert (await shares(it), it.sizes()) == ((0, 100), {1: 5, 2: 1})
        await it.grow()
        assert (await shares(it), it.sizes()) == ((20, 80), {1: 5, 2: 1})
        assert await it.phase() == ("Paused", "CanaryPauseStep")
        await it.grow(300)
        assert await shares(it) == (20, 80)
        await it.promote()
        assert (await shares(it), it.sizes()) == ((50, 50), {1: 5, 2: 3})
        await it.grow(58)
        assert await shares(it) == (50, 50)
        await it.grow(4)
        assert await it.phase() == ("Healthy", "")
        assert it.sizes() == {1: 5, 2: 5}
        await it.grow(35)
        assert it.sizes() == {2: 5}


async def test_when_all_is_done_the_version_before_gets_nothing_while_its_pods_are_there() -> None:
    async with stage({"setWeight": 50}) as it:
        await it.update(2)
        assert (await it.phase(), it.sizes()) == (("Healthy", ""), {1: 5, 2: 5})
        assert list((await named(it)).values()) == [100]
        assert (await it.status())["stableRS"] in await named(it)
        await it.grow(35)
        assert it.sizes() == {2: 5}
        assert await named(it) == {}


async def test_a_version_that_was_left_gets_nothing() -> None:
    async with stage(*STEPS) as it:
        await it.update(2)
        left = (await it.status())["currentPodHash"]
        await it.say(abort=True)
        await it.update(1)
        assert it.sizes() == {1: 5, 2: 1}
        assert left not in await named(it)
        await it.update(3)
        assert left not in await named(it)
        assert await shares(it) == (20, 80)


async def test_another_attempt_after_a_failed_analysis_is_judged_anew() -> None:
    async with stage({"setWeight": 20}, {"analysis": analysis()}, {"pause": {}}) as it:
        await it.update(2)
        await it.judge("1", "Failed")
        await it.say(abort=False)
        assert await shares(it) == (20, 80)
        await it.judge("1.2", "Successful")
        assert await it.phase() == ("Paused", "CanaryPauseStep")


async def test_another_attempt_is_judged_anew_at_every_step() -> None:
    steps = [{"setWeight": 20}, {"analysis": analysis()}, {"setWeight": 50}, {"analysis": analysis()}, {"pause": {}}]
    async with stage(*steps) as it:
        await it.update(2)
        await it.judge("1", "Successful")
        await it.judge("3", "Failed")
        await it.grow()
        await it.say(abort=None)
        assert await shares(it) == (20, 80)
        await it.judge("1.2", "Successful")
        assert await shares(it) == (50, 50)
        await it.judge("3.2", "Successful")
        assert await it.phase() == ("Paused", "CanaryPauseStep")


async def test_another_attempt_has_its_own_analysis_in_the_background() -> None:
    async with stage(*STEPS, analysis=analysis()) as it:
        await it.update(2)
        await it.say(abort=True)
        assert it.runs()["background"]["status"]["phase"] == "Successful"  # it was ended
        await it.say(abort=None)
        assert await shares(it) == (20, 80)
        await it.judge("background.2", "Failed")
        assert await shares(it) == (0, 100)


async def test_an_abort_begins_at_the_first_step_again() -> None:
    async with stage(*STEPS) as it:
        await it.update(2)
        await it.promote()
        assert await shares(it) == (50, 50)
        await it.say(abort=True)
        await it.say(abort=False)
        assert await shares(it) == (20, 80)


async def test_other_steps_are_begun_with_the_first() -> None:
    async with stage(*STEPS) as it:
        await it.update(2)
        await it.promote()
        await it.spec(strategy=canary({"setWeight": 10}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}))
        assert await shares(it) == (10, 90)


async def test_a_share_is_given_only_when_the_pods_for_it_are_there() -> None:
    async with stage({"setWeight": 40}, {"pause": {}}) as it:
        await it.update(2, ready=False)
        assert await shares(it) == (0, 100)
        await it.grow()
        assert await shares(it) == (40, 60)


async def test_no_steps_is_all_at_once_but_only_when_it_is_ready() -> None:
    async with stage() as it:
        await it.update(2, ready=False)
        assert it.sizes() == {1: 5, 2: 5}
        await it.grow()
        assert await it.phase() == ("Healthy", "")


async def test_an_abort_takes_the_share_away_at_once() -> None:
    async with stage(*STEPS, abortScaleDownDelaySeconds=10) as it:
        await it.update(2)
        await it.say(abort=True)
        assert await shares(it) == (0, 100)
        assert (await it.phase())[0] == "Degraded"
        await it.grow(12)
        assert it.sizes() == {1: 5}
        await it.say(abort=None)
        assert (await shares(it), it.sizes()) == ((20, 80), {1: 5, 2: 1})


async def test_a_failed_analysis_step_aborts() -> None:
    async with stage({"setWeight": 20}, {"analysis": analysis()}, {"setWeight": 60}) as it:
        await it.update(2)
        assert await shares(it) == (20, 80)
        await it.judge("1", "Failed")
        assert await shares(it) == (0, 100)
        assert "analysis web-" in (await it.phase())[1]


async def test_a_good_analysis_step_goes_on() -> None:
    async with stage({"setWeight": 20}, {"analysis": analysis()}) as it:
        await it.update(2)
        await it.judge("1", "Successful")
        assert await it.phase() == ("Healthy", "")


async def test_an_analysis_in_the_background_aborts_at_any_step_and_ends_with_the_update() -> None:
    async with stage(*STEPS, analysis=analysis() | {"startingStep": 1}) as it:
        await it.update(2)
        assert "background" in it.runs()
        await it.promote()
        assert await shares(it) == (50, 50)
        await it.judge("background", "Failed")
        assert await shares(it) == (0, 100)
        await it.update(3)
        await it.say(promoteFull=True)
        runs = [each for each in it.runs().values() if each.get("status", {}).get("phase") != "Failed"]
        assert all(each["spec"].get("terminate") for each in runs)
        assert await it.phase() == ("Healthy", "")


async def test_a_number_of_pods_of_its_own() -> None:
    async with stage({"setCanaryScale": {"replicas": 4}}, {"setWeight": 10}, {"pause": {}}) as it:
        await it.update(2)
        assert (await shares(it), it.sizes()) == ((10, 90), {1: 5, 2: 4})


async def test_the_stable_version_shrinks_with_its_share() -> None:
    async with stage({"setWeight": 40}, {"pause": {}}, dynamicStableScale=True) as it:
        await it.update(2)
        assert (await shares(it), it.sizes()) == ((40, 60), {1: 3, 2: 2})
        await it.say(abort=True)
        assert (await shares(it), it.sizes()[1]) == ((0, 100), 5)


async def test_within_bounds_the_stable_version_shrinks_as_the_canary_grows() -> None:
    async with stage(*STEPS, replicas=10, maxSurge=1, maxUnavailable=0) as it:
        await it.update(2, ready=False)
        assert (await shares(it), it.sizes()) == ((0, 100), {1: 10, 2: 1})
        await it.grow()
        assert (await shares(it), it.sizes()) == ((20, 80), {1: 8, 2: 2})
        assert await it.phase() == ("Paused", "CanaryPauseStep")
        await it.promote()
        await it.grow()
        assert (await shares(it), it.sizes()) == ((50, 50), {1: 5, 2: 5})
        await it.grow(70)
        assert (await it.phase(), it.sizes()) == (("Healthy", ""), {2: 10})


async def test_within_bounds_the_share_goes_with_the_pods() -> None:
    async with stage({"setWeight": 50}, {"pause": {}}, replicas=4, maxSurge=0, maxUnavailable=1) as it:
        await it.update(2, ready=False)
        assert (await shares(it), it.sizes()) == ((0, 100), {1: 3, 2: 1})
        await it.it.make_ready()
        await it.it.settle()
        assert (await shares(it), it.sizes()) == ((33, 67), {1: 2, 2: 2})
        await it.grow()
        assert await shares(it) == (50, 50)


async def test_within_bounds_an_abort_is_rolled_back() -> None:
    async with stage({"setWeight": 50}, {"pause": {}}, replicas=4, maxSurge=1, maxUnavailable=0) as it:
        await it.update(2)
        assert it.sizes() == {1: 2, 2: 2}
        await it.it.client.patch(ROLLOUTS, "default", "web", {"status": {"abort": True}}, subresource="status")
        await it.it.settle()
        assert (await shares(it), it.sizes()) == ((50, 50), {1: 3, 2: 2})
        await it.grow()
        assert (await shares(it), it.sizes()) == ((0, 100), {1: 4})
        assert (await it.phase())[0] == "Degraded"


async def test_within_bounds_a_third_version_serves_until_it_is_not_needed() -> None:
    async with stage({"setWeight": 50}, {"pause": {}}, replicas=4, maxSurge=1, maxUnavailable=0) as it:
        await it.update(2)
        await it.update(3, ready=False)
        assert (await named(it), it.sizes()) == ({}, {1: 2, 2: 2, 3: 1})
        await it.grow()
        assert (await shares(it), it.sizes()) == ((50, 50), {1: 2, 3: 2})
        await it.update(1)
        assert (await it.phase(), it.sizes()) == (("Healthy", ""), {1: 4})


async def test_services_of_one_version_each() -> None:
    services = {"stableService": "stable", "canaryService": "canary"}
    async with stage(*STEPS, services=("stable", "canary"), **services) as it:
        assert (it.shown("stable"), it.shown("canary")) == (1, 1)
        await it.update(2)
        assert (it.shown("stable"), it.shown("canary")) == (1, 2)
        await it.say(promoteFull=True)
        assert (it.shown("stable"), it.shown("canary")) == (2, 2)


async def test_going_back_to_the_stable_version_in_the_middle() -> None:
    async with stage(*STEPS) as it:
        await it.update(2)
        await it.update(1)
        assert await it.phase() == ("Healthy", "")
        assert it.sizes() == {1: 5}


@pytest.mark.parametrize(
    ("index", "weight", "size"), [(0, 20, 2), (1, 20, 2), (2, 50, 4), (3, 50, 4), (4, 100, 7), (9, 100, 7)]
)
def test_what_each_step_needs(index, weight, size) -> None:
    steps = view(Canary, canary(*STEPS)["canary"]).steps
    assert (weight_at(steps, index), canary_size(steps, index, 7, weight)) == (weight, size)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(None, None), (30, 30), ("30", 30), ("30s", 30), ("5m", 300), ("1h30m", 5400)],
)
def test_pauses(duration, seconds) -> None:
    assert seconds_of(Pause(duration=duration)) == seconds
