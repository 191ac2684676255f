"""Blue-green in a world of virtual time: when what is shown, held, promoted, analysed, gone back to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from controllers_world import world
from rollout_world import Stage, analysis

from grandstand.errors import Invalid
from grandstand.kinds import Object
from grandstand.kinds.resources import ANALYSIS_RUNS, ROLLOUTS


def blue_green(**fields: Any) -> Object:
    return {"blueGreen": {"activeService": "active", "previewService": "preview", **fields}}


@asynccontextmanager
async def stage(replicas: int = 3, **fields: Any) -> AsyncIterator[Stage]:
    async with world() as it:
        made = Stage(it)
        await made.set_up(blue_green(**fields), "active", "preview", replicas=replicas)
        yield made


async def test_the_first_version_is_shown_by_both_services_and_healthy() -> None:
    async with stage(autoPromotionEnabled=False) as it:
        assert (it.shown("active"), it.shown("preview")) == (1, 1)
        assert it.sizes() == {1: 3}
        assert await it.phase() == ("Healthy", "")
        assert it.it.events("RolloutCompleted") == ["Rollout is healthy"]


async def test_an_update_is_promoted_by_itself_when_all_of_it_is_ready() -> None:
    async with stage() as it:
        await it.update(2, ready=False)
        assert it.sizes() == {1: 3, 2: 3}
        assert (it.shown("active"), it.shown("preview")) == (1, 1)
        await it.grow()
        assert (it.shown("active"), it.shown("preview")) == (2, 2)
        assert await it.phase() == ("Healthy", "")


async def test_the_preview_is_not_switched_before_it_is_ready() -> None:
    async with stage(autoPromotionEnabled=False) as it:
        await it.update(2, ready=False)
        assert it.shown("preview") == 1
        await it.grow()
        assert (it.shown("active"), it.shown("preview")) == (1, 2)


async def test_it_waits_to_be_promoted_and_blue_stays_for_its_delay() -> None:
    async with stage(autoPromotionEnabled=False, scaleDownDelaySeconds=20) as it:
        await it.update(2)
        assert await it.phase() == ("Paused", "BlueGreenPause")
        await it.grow(600)
        assert it.shown("active") == 1
        await it.promote()
        assert it.shown("active") == 2
        assert await it.phase() == ("Healthy", "")
        assert it.sizes() == {1: 3, 2: 3}
        await it.grow(19)
        assert it.sizes() == {1: 3, 2: 3}
        await it.grow(3)
        assert it.sizes() == {2: 3}


async def test_promotion_comes_after_its_seconds_also_with_a_small_preview() -> None:
    """The complaint: with autoPromotionEnabled false and previewReplicaCount it never came."""
    async with stage(autoPromotionEnabled=False, autoPromotionSeconds=30, previewReplicaCount=1) as it:
        await it.update(2)
        assert it.sizes() == {1: 3, 2: 1}
        assert it.shown("preview") == 2
        await it.grow(28)
        assert (it.shown("active"), it.sizes()) == (1, {1: 3, 2: 1})
        await it.grow(4)
        assert (it.shown("active"), it.sizes()) == (2, {1: 3, 2: 3})


async def test_a_small_preview_is_whole_before_it_is_switched_to() -> None:
    async with stage(autoPromotionEnabled=False, previewReplicaCount=1) as it:
        await it.update(2)
        await it.it.client.patch(
            ROLLOUTS, "default", "web", {"status": {"pauseConditions": None}}, subresource="status"
        )
        await it.it.settle()
        assert (it.shown("active"), it.sizes()) == (1, {1: 3, 2: 3})
        await it.grow()
        assert it.shown("active") == 2


async def test_green_has_as_many_replicas_as_blue_has_now_and_follows() -> None:
    """The complaint: what the HPA had scaled to was lost at the promotion."""
    async with stage(autoPromotionEnabled=False) as it:
        await it.spec(replicas=7)
        await it.update(2)
        assert it.sizes() == {1: 7, 2: 7}
        await it.spec(replicas=9)
        assert it.sizes() == {1: 9, 2: 9}
        await it.promote()
        await it.grow(40)
        assert it.sizes() == {2: 9}


async def test_going_back_at_once_while_blue_is_there() -> None:
    async with stage(autoPromotionEnabled=False, prePromotionAnalysis=analysis()) as it:
        await it.update(2)
        await it.judge("pre", "Successful")
        await it.promote()
        assert it.shown("active") == 2
        await it.update(1, ready=False)
        assert it.shown("active") == 1
        assert await it.phase() == ("Healthy", "")
        await it.grow(40)
        assert it.sizes() == {1: 3}


@pytest.mark.parametrize("replicas", [2, 7])
async def test_blue_follows_what_is_wanted_while_it_waits_and_is_gone_back_to_at_once(replicas: int) -> None:
    async with stage(autoPromotionEnabled=False) as it:
        await it.update(2)
        await it.promote()
        await it.spec(replicas=replicas)
        assert it.sizes() == {1: replicas, 2: replicas}
        await it.update(1, ready=False)
        assert it.shown("active") == 1
        await it.grow(40)
        assert it.sizes() == {1: replicas}


async def test_going_back_is_not_held_when_blue_is_growing_at_that_moment() -> None:
    async with stage(autoPromotionEnabled=False) as it:
        await it.update(2)
        await it.promote()
        await it.it.client.patch(ROLLOUTS, "default", "web", {"spec": {"replicas": 5}})
        await it.update(1, ready=False)
        assert it.shown("active") == 2
        await it.grow()
        assert (it.shown("active"), await it.phase()) == (1, ("Healthy", ""))


async def test_a_rejected_version_does_not_follow_while_it_waits() -> None:
    async with stage(autoPromotionEnabled=False, previewReplicaCount=1) as it:
        await it.update(2)
        await it.say(abort=True)
        await it.spec(replicas=6)
        assert it.sizes() == {1: 6, 2: 1}
        await it.update(3)
        assert it.sizes() == {1: 6, 2: 1, 3: 1}


async def test_blue_stays_while_nothing_is_wanted() -> None:
    async with stage() as it:
        await it.update(2)
        await it.spec(replicas=0)
        assert it.sizes() == {1: 3}
        await it.grow(40)
        assert it.sizes() == {}


async def test_going_back_later_waits_as_any_update_does() -> None:
    async with stage(autoPromotionEnabled=False) as it:
        await it.update(2)
        await it.promote()
        await it.grow(40)
        await it.update(1)
        assert it.shown("active") == 2
        assert await it.phase() == ("Paused", "BlueGreenPause")


async def test_a_failed_analysis_before_the_promotion_keeps_blue() -> None:
    async with stage(prePromotionAnalysis=analysis()) as it:
        await it.update(2)
        assert it.shown("active") == 1
        assert await it.phase() == ("Progressing", "waiting for analysis to complete")
        await it.judge("pre", "Failed")
        assert it.shown("active") == 1
        phase, message = await it.phase()
        assert phase == "Degraded"
        assert message.startswith("RolloutAborted: Rollout aborted update to revision 2: analysis web-")
        await it.grow(35)
        assert it.sizes() == {1: 3}
        assert it.shown("preview") == 1


async def test_a_good_analysis_before_the_promotion_promotes() -> None:
    async with stage(prePromotionAnalysis=analysis()) as it:
        await it.update(2)
        await it.judge("pre", "Successful")
        assert it.shown("active") == 2


async def test_a_failed_analysis_after_the_promotion_goes_back_by_itself() -> None:
    async with stage(postPromotionAnalysis=analysis()) as it:
        await it.update(2)
        assert (it.shown("active"), it.sizes()) == (2, {1: 3, 2: 3})
        await it.grow(120)
        assert it.sizes() == {1: 3, 2: 3}
        await it.judge("post", "Failed")
        assert it.shown("active") == 1
        assert (await it.phase())[0] == "Degraded"
        await it.grow(35)
        assert it.sizes() == {1: 3}


async def test_an_analysis_without_a_template_aborts_and_says_why() -> None:
    async with stage(prePromotionAnalysis=analysis("nothing")) as it:
        await it.update(2)
        assert it.shown("active") == 1
        assert 'AnalysisTemplate "nothing" not found' in (await it.phase())[1]


async def test_an_analysis_that_the_api_refuses_aborts_and_says_why() -> None:
    async with stage(prePromotionAnalysis=analysis()) as it:
        said = 'AnalysisRun.argoproj.io "it" is invalid: spec.metrics[1].name: Duplicate value: "errors"'
        it.it.client.refuse = lambda verb, resource, _: (
            Invalid(said) if (verb, resource) == ("create", ANALYSIS_RUNS) else None
        )
        await it.update(2)
        assert it.shown("active") == 1
        assert await it.phase() == ("Degraded", f"RolloutAborted: Rollout aborted update to revision 2: {said}")
        await it.grow(60)
        assert (await it.phase())[1].endswith(said)


async def test_abort_and_retry_by_hand() -> None:
    async with stage(autoPromotionEnabled=False) as it:
        await it.update(2)
        await it.say(abort=True)
        assert (await it.phase())[0] == "Degraded"
        await it.grow(35)
        assert it.sizes() == {1: 3}
        await it.say(abort=None)
        assert it.sizes() == {1: 3, 2: 3}
        assert await it.phase() == ("Paused", "BlueGreenPause")
        await it.promote()
        assert it.shown("active") == 2


async def test_a_version_that_was_rejected_is_not_promoted_because_it_is_still_there() -> None:
    async with stage(prePromotionAnalysis=analysis()) as it:
        await it.update(2)
        await it.judge("pre", "Failed")
        await it.say(abort=None)
        assert it.shown("active") == 1
        assert await it.phase() == ("Progressing", "waiting for analysis to complete")
        await it.judge("pre.2", "Failed")
        assert (await it.phase())[0] == "Degraded"
        await it.update(1)
        await it.update(2)
        assert it.shown("active") == 1
        await it.judge("pre", "Successful")
        assert it.shown("active") == 2


async def test_an_abort_by_hand_and_a_retry_at_once_wait_to_be_promoted() -> None:
    async with stage(autoPromotionEnabled=False) as it:
        await it.update(2)
        await it.say(abort=True)
        await it.say(abort=None)
        assert it.shown("active") == 1
        assert await it.phase() == ("Paused", "BlueGreenPause")


async def test_promoted_in_full_skips_pause_and_analysis() -> None:
    async with stage(autoPromotionEnabled=False, prePromotionAnalysis=analysis()) as it:
        await it.update(2)
        await it.say(promoteFull=True)
        assert it.shown("active") == 2
        assert "promoteFull" not in await it.status()


async def test_another_template_in_the_middle_replaces_the_one_that_never_served() -> None:
    async with stage(autoPromotionEnabled=False) as it:
        await it.update(2)
        await it.update(3)
        assert it.sizes() == {1: 3, 3: 3}
        assert (it.shown("active"), it.shown("preview")) == (1, 3)
        await it.promote()
        assert it.shown("active") == 3


async def test_paused_by_its_spec_nothing_is_switched() -> None:
    async with stage() as it:
        await it.spec(paused=True)
        await it.update(2)
        assert it.shown("active") == 1
        assert await it.phase() == ("Paused", "manually paused")
        await it.spec(paused=False)
        assert it.shown("active") == 2


async def test_a_service_that_is_missing_is_named() -> None:
    async with world() as it:
        made = Stage(it)
        await made.set_up(blue_green(), "active")
        phase, message = await made.phase()
        assert phase == "Degraded"
        assert (
            'spec.strategy.blueGreen.previewService: Invalid value: "preview": service "preview" not found' in message
        )


async def test_a_version_that_does_not_come_up_is_late() -> None:
    async with world() as it:
        made = Stage(it)
        await made.set_up(blue_green(), "active", "preview", progressDeadlineSeconds=60)
        await made.update(2, ready=False)
        await it.clock.advance(62)
        await it.settle()
        phase, message = await made.phase()
        assert (phase, message.partition(":")[0]) == ("Degraded", "ProgressDeadlineExceeded")
        assert made.shown("active") == 1


async def test_its_status_comes_to_rest() -> None:
    async with stage(autoPromotionEnabled=False, prePromotionAnalysis=analysis()) as it:
        await it.update(2)
        before = len(it.it.client.calls)
        await it.grow()
        assert not [call for call in it.it.client.calls[before:] if call[0] == "patch" and call[1] == "rollouts"]
