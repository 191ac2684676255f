"""Events: their names keep the order in which things happened."""

from __future__ import annotations

import asyncio

from grandstand.client.fake import FakeClient
from grandstand.clock import VirtualClock
from grandstand.kinds.resources import EVENTS
from grandstand.reconcile.recorder import Recorder


async def test_events_of_one_second_sort_by_name_as_they_happened() -> None:
    clock = VirtualClock()
    client = FakeClient(clock=clock)
    recorder = Recorder(client, "test", clock)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "uid": "u"}}
    writing = asyncio.create_task(recorder.run())
    reasons = ["Scheduled", "Pulled", "Created", "Started", "Killing"]
    for reason in reasons:
        recorder.record(pod, "Normal", reason, reason)
        await clock.advance(0.001)
    await recorder.flushed()
    writing.cancel()
    found = (await client.list(EVENTS, "n")).items
    assert [event["reason"] for event in sorted(found, key=lambda e: e["metadata"]["name"])] == reasons


async def test_events_wait_as_long_as_they_are_told_to_and_repeats_of_that_time_are_one() -> None:
    clock = VirtualClock()
    client = FakeClient(clock=clock)
    recorder = Recorder(client, "test", clock, linger_seconds=0.2)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "uid": "u"}}
    writing = asyncio.create_task(recorder.run())
    recorder.record(pod, "Normal", "Pulled", "pulled")
    await clock.advance(0.1)
    recorder.record(pod, "Normal", "Pulled", "pulled")
    assert (await client.list(EVENTS, "n")).items == []
    await clock.advance(0.2)
    await recorder.flushed()
    writing.cancel()
    [event] = (await client.list(EVENTS, "n")).items
    assert event["count"] == 2
