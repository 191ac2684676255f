"""The runner, informers and caches: own writes are seen at once, errors are retried, watches that break are mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from grandstand.client import DeleteOptions
from grandstand.client.fake import FakeClient, Refusal
from grandstand.clock import VirtualClock
from grandstand.errors import Conflict, Forbidden, GrandstandError, Unavailable
from grandstand.kinds import Key, Object, key_of, uid_of
from grandstand.kinds.resources import CONFIG_MAPS, EVENTS, SECRETS
from grandstand.reconcile.actions import Action, Again, Create, Delete, Emit, InBatches, Patch, Update
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.informer import Informer
from grandstand.reconcile.recorder import Recorder
from grandstand.reconcile.runner import Controller, Runner

KEY = Key("default", "a")


def config_map(name: str = "a", **data: str) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


class Twin:
    """A controller for tests: every ConfigMap gets a Secret of a generated name that says whose it is."""

    def __init__(self, clock: VirtualClock, client: FakeClient) -> None:
        self.clock, self.client = clock, client
        self.caches = Caches(client, clock)
        self.recorder = Recorder(client, "twin", clock)
        self.turns = 0
        self.errors: list[GrandstandError] = []
        self.secrets = self.caches.informer(SECRETS)
        self.runner = Runner([self.controller()], client, self.caches, self.recorder, clock)

    def controller(self) -> Controller[Key, Object, int]:
        watches = {CONFIG_MAPS: self.of_config_map, SECRETS: self.of_secret}
        return Controller("twin", watches, self.look, self.reconcile, self.failed)

    def of_config_map(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(obj) for obj in (after or before,) if obj]

    def of_secret(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return [Key("default", obj["metadata"]["labels"]["of"]) for obj in (after or before,) if obj]

    async def look(self, key: Key, now: float) -> tuple[Object, int] | None:
        self.turns += 1
        wanted = self.caches.informer(CONFIG_MAPS).get(key)
        twins = [each for each in self.secrets.cache.values() if each["metadata"]["labels"]["of"] == key.name]
        return None if wanted is None else (wanted, len(twins))

    def reconcile(self, wanted: Object, seen: int) -> Sequence[Action]:
        name = wanted["metadata"]["name"]
        twin = {"metadata": {"generateName": f"{name}-", "namespace": "default", "labels": {"of": name}}}
        missing = int(wanted["data"]["twins"]) - seen
        if missing <= 0:
            return []
        made = Emit(wanted, "Normal", "Made", "made {name}")
        return [InBatches((Create(SECRETS, twin, announce=made),) * missing, first=1), Again(100)]

    def failed(self, wanted: Object, seen: int, error: GrandstandError) -> Sequence[Action]:
        self.errors.append(error)
        return []


@asynccontextmanager
async def twin(refuse: Refusal | None = None) -> AsyncIterator[Twin]:
    clock = VirtualClock()
    it = Twin(clock, FakeClient(clock))
    it.client.refuse = refuse
    tasks = [asyncio.create_task(it.runner.run()), asyncio.create_task(it.recorder.run())]
    try:
        await it.runner.synced()
        yield it
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_wanted_is_made_once() -> None:
    async with twin() as it:
        await it.client.create(CONFIG_MAPS, config_map(twins="5"))
        await it.clock.settle()
        assert len(it.client.all(SECRETS)) == 5
        assert len({event["message"] for event in it.client.all(EVENTS)}) == 5


async def test_own_writes_are_seen_while_watches_lag() -> None:
    async with twin() as it:
        await it.client.create(CONFIG_MAPS, config_map(twins="3"))
        await it.clock.settle()
        it.client.hold_watches()
        [one, *_] = it.client.all(SECRETS)
        it.caches.forget(SECRETS, key_of(one), uid_of(one))
        await it.client.delete(SECRETS, "default", one["metadata"]["name"])
        for _ in range(5):  # every look from here on would make another twin, if it did not see the last one
            await it.clock.advance(100)
        assert len(it.client.all(SECRETS)) == 3
        it.client.release_watches()
        await it.clock.advance(1)
        assert {key_of(each) for each in it.client.all(SECRETS)} == set(it.secrets.cache)
        assert len(it.client.all(SECRETS)) == 3


async def test_a_delay_brings_the_key_back() -> None:
    async with twin() as it:
        await it.client.create(CONFIG_MAPS, config_map(twins="1"))
        await it.clock.settle()
        turns = it.turns
        await it.clock.advance(99)
        assert it.turns == turns
        await it.clock.advance(2)
        assert it.turns == turns + 1


@pytest.mark.parametrize("error", [Forbidden("no"), Conflict("lagging"), Unavailable("later")], ids=lambda e: e.reason)
async def test_failures_are_told_to_the_controller_and_retried(error: GrandstandError) -> None:
    left = 3

    def refuse(verb: str, resource: Any, key: Key) -> GrandstandError | None:
        nonlocal left
        if (verb, resource) == ("create", SECRETS) and left:
            left -= 1
            return error
        return None

    async with twin(refuse) as it:
        await it.client.create(CONFIG_MAPS, config_map(twins="2"))
        await it.clock.advance(0.004)
        assert it.errors == [error]
        await it.clock.advance(1)
        assert it.errors == [error] * 3
        assert len(it.client.all(SECRETS)) == 2


async def test_a_bug_in_one_key_does_not_stop_the_others() -> None:
    async with twin() as it:
        await it.client.create(CONFIG_MAPS, config_map("broken", twins="many"))
        await it.client.create(CONFIG_MAPS, config_map(twins="1"))
        await it.clock.advance(1)
        assert len(it.client.all(SECRETS)) == 1
        await it.client.patch(CONFIG_MAPS, "default", "broken", {"data": {"twins": "1"}})
        await it.clock.advance(1)
        assert len(it.client.all(SECRETS)) == 2


async def test_all_kinds_of_writes() -> None:
    async with twin() as it:
        a, b = [await it.client.create(CONFIG_MAPS, config_map(name, twins="0")) for name in "ab"]
        actor = it.runner._actor
        assert await actor.perform([Again(5), Again(3)]) == 3
        assert await actor.perform([]) is None
        await actor.perform(
            [Patch(CONFIG_MAPS, KEY, {"data": {"x": "1"}}, uid=uid_of(a)), Update(CONFIG_MAPS, b | {"data": {}})]
        )
        assert [each.get("data") for each in it.client.all(CONFIG_MAPS)] == [{"twins": "0", "x": "1"}, {}]
        with pytest.raises(Conflict):
            await actor.perform([Patch(CONFIG_MAPS, KEY, {}, uid="another")])
        await actor.perform([Delete(CONFIG_MAPS, KEY, "another"), Delete(CONFIG_MAPS, Key("default", "none"), "x")])
        assert len(it.client.all(CONFIG_MAPS)) == 2
        await actor.perform([Delete(CONFIG_MAPS, KEY, uid_of(a))])
        assert it.caches.informer(CONFIG_MAPS).get(KEY) is None
        assert len(it.client.all(CONFIG_MAPS)) == 1


# Informers.


@asynccontextmanager
async def informed(
    refuse: Refusal | None = None,
) -> AsyncIterator[tuple[FakeClient, Informer, VirtualClock, list[Any]]]:
    clock = VirtualClock()
    client = FakeClient(clock)
    await client.create(CONFIG_MAPS, config_map(x="0"))
    client.refuse = refuse
    informer, heard = Informer(client, CONFIG_MAPS, clock=clock), []
    informer.subscribe(
        lambda key, before, after: heard.append((key.name, before and before["data"], after and after["data"]))
    )
    task = asyncio.create_task(informer.run())
    await clock.settle()
    yield client, informer, clock, heard
    task.cancel()


async def test_every_change_is_heard_once() -> None:
    async with informed() as (client, informer, clock, heard):
        await informer.synced()
        changed = await client.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "1"}})
        informer.remember(changed)
        await clock.settle()
        informer.remember(changed)
        await client.delete(CONFIG_MAPS, "default", "a")
        await clock.settle()
        assert heard == [("a", None, {"x": "0"}), ("a", {"x": "0"}, {"x": "1"}), ("a", {"x": "1"}, None)]


async def test_an_object_that_a_subscriber_cannot_read_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with informed() as (client, informer, clock, heard):
        informer.subscribe(lambda key, before, after: heard.append(after and after["data"]["readable"]))
        await client.create(CONFIG_MAPS, config_map("b", readable="yes"))
        await clock.settle()
        assert heard[-1] == "yes"
        assert "could not be taken in" in caplog.text


async def test_late_news_do_not_undo_what_was_remembered() -> None:
    async with informed() as (client, informer, clock, _):
        client.hold_watches()
        await client.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "1"}})
        newest = await client.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "2"}})
        informer.remember(newest)
        states = []
        informer.subscribe(lambda key, before, after: states.append(after and after["data"]["x"]))
        client.release_watches()
        await clock.settle()
        assert states == ["2"]


async def test_a_late_result_does_not_bring_back_what_is_gone() -> None:
    async with informed() as (client, informer, clock, _):
        result = await client.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "1"}})
        await client.delete(CONFIG_MAPS, "default", "a")
        await clock.settle()
        informer.remember(result)
        assert informer.get(KEY) is None


async def test_what_was_forgotten_stays_away_and_its_successor_comes() -> None:
    async with informed() as (client, informer, clock, heard):
        client.hold_watches()
        old = await client.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "1"}})
        await client.delete(CONFIG_MAPS, "default", "a", DeleteOptions(uid=uid_of(old)))
        informer.forget(KEY, uid_of(old))
        assert informer.get(KEY) is None
        await client.create(CONFIG_MAPS, config_map(x="new"))
        client.release_watches()
        await clock.settle()
        assert [after for _, _, after in heard] == [{"x": "0"}, None, {"x": "new"}]


async def test_an_expired_watch_lists_again_and_tells_what_differs() -> None:
    async with informed() as (client, _, clock, heard):
        client.hold_watches()
        await client.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "1"}})
        await client.create(CONFIG_MAPS, config_map("b", x="2"))
        client.compact()
        client.release_watches()
        await clock.advance(1)
        assert heard[1:] == [("a", {"x": "0"}, {"x": "1"}), ("b", None, {"x": "2"})]


async def test_an_api_that_is_away_is_asked_again() -> None:
    away = 5

    def refuse(verb: str, resource: Any, key: Key) -> GrandstandError | None:
        nonlocal away
        away -= 1
        return Unavailable() if away >= 0 else None

    async with informed(refuse) as (_, informer, clock, heard):
        assert not heard
        await clock.advance(60)
        await informer.synced()
        assert heard == [("a", None, {"x": "0"})]


# Events.


async def test_repeats_are_counted_and_an_expired_event_is_made_anew() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    recorder = Recorder(client, "kubelet", clock)
    about = await client.create(CONFIG_MAPS, config_map())
    task = asyncio.create_task(recorder.run())
    for _ in range(3):
        recorder.record(about, "Warning", "BackOff", "again", field_path="spec.containers{a}")
    recorder.record(about, "Normal", "Pulled", "once")
    await recorder.flushed()
    clock_before = clock.now()
    await clock.advance(60)
    recorder.record(about, "Warning", "BackOff", "again", field_path="spec.containers{a}")
    await recorder.flushed()
    counts = {each["reason"]: each["count"] for each in client.all(EVENTS)}
    assert counts == {"BackOff": 4, "Pulled": 1}
    [repeated] = [each for each in client.all(EVENTS) if each["reason"] == "BackOff"]
    assert repeated["firstTimestamp"] != repeated["lastTimestamp"]
    assert repeated["involvedObject"]["fieldPath"] == "spec.containers{a}"
    assert repeated["source"] == {"component": "kubelet"}
    assert clock.now() == clock_before + 60
    await client.delete(EVENTS, "default", repeated["metadata"]["name"])
    recorder.record(about, "Warning", "BackOff", "again", field_path="spec.containers{a}")
    await recorder.flushed()
    assert {each["reason"]: each["count"] for each in client.all(EVENTS)} == {"BackOff": 1, "Pulled": 1}
    task.cancel()


async def test_events_that_cannot_be_written_are_dropped() -> None:
    clock = VirtualClock()
    client = FakeClient(clock, lambda verb, resource, key: Forbidden("the namespace is being terminated"))
    recorder = Recorder(client, "kubelet", clock)
    task = asyncio.create_task(recorder.run())
    recorder.record(config_map(), "Normal", "Pulled", "once")
    await recorder.flushed()
    assert client.all(EVENTS) == []
    task.cancel()
