"""Whatever happens to a Rollout, and however often its controller dies: enough always serves, and it arrives."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from typing import Any

import pytest
from controllers_world import template, world
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rollout_world import Stage, analysis

from grandstand.controllers.availability import active
from grandstand.controllers.deployment.arithmetic import resolve
from grandstand.kinds import Key, Object, Pod, Resource, view
from grandstand.kinds.resources import ANALYSIS_RUNS, PODS, REPLICA_SETS, ROLLOUTS, SERVICES
from grandstand.kinds.rollouts import ROLLOUT_HASH

Happening = tuple[tuple[str, Any], bool]
BOTH = {"activeService": "active", "previewService": "preview"}
STRATEGIES: dict[str, Object] = {
    "blue-green": {"blueGreen": BOTH},
    "blue-green by hand": {"blueGreen": BOTH | {"autoPromotionEnabled": False, "previewReplicaCount": 1}},
    "blue-green analysed": {
        "blueGreen": BOTH | {"prePromotionAnalysis": analysis(), "postPromotionAnalysis": analysis("latency")}
    },
    "blue-green with gaps": {"blueGreen": BOTH | {"maxUnavailable": 1, "scaleDownDelaySeconds": 5}},
    "canary": {"canary": {"steps": [{"setWeight": 40}, {"pause": {}}, {"setWeight": 70}, {"pause": {"duration": 20}}]}},
    "canary within bounds": {
        "canary": {"maxSurge": 1, "maxUnavailable": 1, "steps": [{"setWeight": 40}, {"pause": {}}, {"setWeight": 70}]}
    },
    "canary that surges": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 50}, {"pause": {}}]}},
}
HAPPENINGS = st.tuples(
    st.one_of(
        st.tuples(st.just("update"), st.integers(1, 4)),
        st.tuples(st.just("judge"), st.sampled_from(["Successful", "Failed"])),
        st.tuples(st.just("scale"), st.integers(1, 5)),
        st.tuples(st.just("time"), st.sampled_from([1, 6, 31])),
        st.tuples(
            st.sampled_from(
                ["abort", "retry", "promote", "promote fully", "ready", "one ready", "crash", "lose", "bury"]
            ),
            st.just(0),
        ),
    ),
    st.booleans(),
)
"""What happens, and whether all Pods become ready afterwards."""
PROMOTED = [(("update", 2), True), (("judge", "Successful"), True)]
"""Where there are analyses: the second version serves, and the first is what is gone back to."""


class Promise:
    """Watches every write: no write of a controller may take away a Pod that serves and is needed."""

    def __init__(self, stage: Stage, strategy: Object) -> None:
        self.broken: list[str] = []
        self._client, self._strategy = stage.it.client, strategy
        self._before = 0
        self._excused = False

    def watch(self, verb: str, resource: Resource, key: Key) -> None:
        """Called before each write, and so after the one before it."""
        serving = self._serving()
        needed = min(self._before, self._needed())
        if serving < needed and not self._excused:
            self.broken.append(f"{serving} of {needed} serve before {verb} {resource.plural} {key.name}")
        self._before = serving

    async def excuse(self, done: Any) -> None:
        """What happens to the world is nobody's fault."""
        self._excused = True
        await done
        self._excused = False
        self._before = self._serving()

    def look(self) -> None:
        self.watch("look", ROLLOUTS, Key("default", "web"))

    def _needed(self) -> int:
        [found] = self._client.all(ROLLOUTS)
        wished = found["spec"]["replicas"]
        part = next(iter(self._strategy.values()))
        return int(wished - resolve(part.get("maxUnavailable", 0), wished, up=False))

    def _serving(self) -> int:
        """Ready Pods that requests go to: behind the active Service, or of a version with a weight.

        Of a canary without bounds those of the stable version: who goes back takes the canary's away at once.
        """
        if not self._client.all(ROLLOUTS):
            return 0
        ready = [pod for pod in (view(Pod, each) for each in self._client.all(PODS)) if active(pod) and pod.ready]
        return sum(self._serves(pod.metadata.labels.get(ROLLOUT_HASH, "")) for pod in ready)

    def _serves(self, version: str) -> bool:
        if "blueGreen" in self._strategy:
            service = next(each for each in self._client.all(SERVICES) if each["metadata"]["name"] == "active")
            return service["spec"]["selector"].get(ROLLOUT_HASH, version) == version
        [found] = self._client.all(ROLLOUTS)
        if "maxSurge" not in self._strategy["canary"]:
            return bool((found.get("status") or {}).get("stableRS", version) == version)
        weights = (found.get("status") or {}).get("canary", {}).get("weights") or {}
        named = {part["podTemplateHash"]: part["weight"] for part in weights.values() if part}
        return not named or named.get(version, 0) > 0


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    replicas=st.integers(1, 4),
    happenings=st.lists(HAPPENINGS, max_size=10),
    chance=st.randoms(use_true_random=False),
)
@example(replicas=3, happenings=[*PROMOTED, (("update", 3), True), (("time", 31), True)], chance=Random(1))
@example(replicas=1, happenings=[*PROMOTED, (("crash", 0), False), (("judge", "Failed"), False)], chance=Random(1))
@example(replicas=1, happenings=[*PROMOTED, (("crash", 0), False), (("judge", "Failed"), False)], chance=Random(2))
@example(replicas=1, happenings=[*PROMOTED, (("crash", 0), False), (("abort", 0), False)], chance=Random(3))
def test_promises_are_kept_and_it_arrives(
    name: str, replicas: int, happenings: list[Happening], chance: Random
) -> None:
    asyncio.run(_live(STRATEGIES[name], replicas, happenings, chance))


async def _live(strategy: Object, replicas: int, happenings: list[Happening], chance: Random) -> None:
    async with world() as it:
        stage, version = Stage(it), 1
        await stage.set_up(strategy, "active", "preview", replicas=replicas)
        promise = Promise(stage, strategy)
        promise.look()
        it.client.refuse = promise.watch
        for (happening, value), all_ready in happenings:
            await _happen(stage, promise, happening, value, chance)
            version = value if happening == "update" else version
            await _die_and_return(stage, chance.randint(0, 40))
            if all_ready:
                await stage.grow()
            promise.look()
        await _come_to_rest(stage)
        promise.look()
        assert promise.broken == []
        [found] = it.client.all(ROLLOUTS)
        assert stage.sizes() == {version: found["spec"]["replicas"]}
        assert await stage.phase() == ("Healthy", "")
        ready = [each["status"]["readyReplicas"] for each in it.client.all(REPLICA_SETS) if each["spec"]["replicas"]]
        assert ready == [found["spec"]["replicas"]]
        if "blueGreen" in strategy:
            assert (stage.shown("active"), stage.shown("preview")) == (version, version)


async def _die_and_return(stage: Stage, turns: int) -> None:
    """The controllers die somewhere on their way; the next ones know what is written, and nothing else."""
    for _ in range(turns):
        await asyncio.sleep(0)
    await stage.it.stop()
    await stage.it.start()
    await stage.it.settle()


async def _come_to_rest(stage: Stage) -> None:
    """Everything that an update may wait for comes, and nothing else happens."""
    status = await stage.status()
    if status.get("abort"):
        await stage.say(abort=None, abortedAt=None)
    await stage.say(promoteFull=True)
    for _ in range(4):
        await stage.grow(31)
        await stage.it.bury()
    await stage.grow()


async def _happen(stage: Stage, promise: Promise, happening: str, value: Any, chance: Random) -> None:
    it = stage.it
    running = [each["metadata"]["name"] for each in it.client.all(PODS) if active(view(Pod, each))]
    one = chance.choice(running) if running else None
    if happening in _SAID:
        await it.client.patch(ROLLOUTS, "default", "web", {"status": _SAID[happening]}, subresource="status")
    elif happening in ("update", "scale"):
        spec = {"template": template(value)} if happening == "update" else {"replicas": value}
        await it.client.patch(ROLLOUTS, "default", "web", {"spec": spec})
    elif happening == "time":
        await it.clock.advance(value)
    elif happening == "judge":
        await _judge(stage, value)
    elif one is not None:
        done = {"ready": it.make_ready, "one ready": partial(it.make_ready, one), "bury": it.bury}
        failing = {"crash": it.make_unready, "lose": it.lose}
        await (promise.excuse(failing[happening](one)) if happening in failing else done[happening]())


async def _judge(stage: Stage, phase: str) -> None:
    for each in stage.it.client.all(ANALYSIS_RUNS):
        if (each.get("status") or {}).get("phase") in (None, "", "Pending", "Running"):
            judged = {"status": {"phase": phase, "message": "it is"}}
            name = each["metadata"]["name"]
            await stage.it.client.patch(ANALYSIS_RUNS, "default", name, judged, subresource="status")


_SAID: dict[str, Object] = {
    "abort": {"abort": True},
    "retry": {"abort": None, "abortedAt": None, "currentStepIndex": None},
    "promote": {"pauseConditions": None},
    "promote fully": {"promoteFull": True, "pauseConditions": None},
}
