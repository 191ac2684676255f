"""AnalysisRuns: what a measurement means, when they are enough, and how a run goes in virtual time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from controllers_world import NOW, World, world

from grandstand.clock import parse_time
from grandstand.controllers.analysis_run.metric import Measurement, Metric, Phase, Result, due_at, meaning
from grandstand.controllers.analysis_run.metric import with_measurement as and_then
from grandstand.expressions import read_condition
from grandstand.kinds import Key, Object
from grandstand.kinds.resources import ANALYSIS_RUNS
from grandstand.measurements import Traffic

SHOP, OLD = Key("default", "shop"), Key("default", "old")
GOOD, BAD = read_condition("result < 0.05"), read_condition("result > 0.5")
LETTERS = {"s": Phase.SUCCESSFUL, "f": Phase.FAILED, "i": Phase.INCONCLUSIVE, "e": Phase.ERROR}
EVERY = Metric("m", success=GOOD, interval_seconds=10.0)


@pytest.mark.parametrize(
    ("success", "failure", "value", "phase"),
    [
        (None, None, 9.0, Phase.SUCCESSFUL),
        (GOOD, None, 0.01, Phase.SUCCESSFUL),
        (GOOD, None, 0.06, Phase.FAILED),
        (None, BAD, 0.6, Phase.FAILED),
        (None, BAD, 0.4, Phase.SUCCESSFUL),
        (GOOD, BAD, 0.01, Phase.SUCCESSFUL),
        (GOOD, BAD, 0.6, Phase.FAILED),
        (GOOD, BAD, 0.3, Phase.INCONCLUSIVE),
        (GOOD, None, math.nan, Phase.FAILED),
        (GOOD, None, None, Phase.ERROR),
        (None, None, None, Phase.ERROR),
        (read_condition("default(result, 0) < 0.05"), None, None, Phase.SUCCESSFUL),
        (None, read_condition("isNil(result)"), None, Phase.FAILED),
        (read_condition("asInt(result) < 1"), None, math.inf, Phase.ERROR),
    ],
)
def test_what_a_measurement_means(success, failure, value, phase) -> None:
    assert meaning(Metric("m", success, failure), value)[0] is phase


@pytest.mark.parametrize(
    ("metric", "measured", "phase"),
    [
        (Metric("m"), "s", Phase.SUCCESSFUL),
        (Metric("m"), "f", Phase.FAILED),
        (Metric("m"), "i", Phase.INCONCLUSIVE),
        (Metric("m"), "eeee", Phase.RUNNING),
        (Metric("m"), "eeeee", Phase.ERROR),
        (Metric("m"), "eeeese", Phase.SUCCESSFUL),
        (EVERY, "ssssssss", Phase.RUNNING),
        (EVERY, "sssf", Phase.FAILED),
        (EVERY, "sseeeesseeee", Phase.RUNNING),
        (replace(EVERY, count=3), "ss", Phase.RUNNING),
        (replace(EVERY, count=3), "sss", Phase.SUCCESSFUL),
        (replace(EVERY, count=3, failure_limit=1), "sfs", Phase.SUCCESSFUL),
        (replace(EVERY, count=3, failure_limit=1), "ff", Phase.FAILED),
        (replace(EVERY, failure_limit=None), "ffffff", Phase.RUNNING),
        (replace(EVERY, consecutive_error_limit=0), "e", Phase.ERROR),
        (replace(EVERY, inconclusive_limit=1), "ii", Phase.INCONCLUSIVE),
    ],
)
def test_when_measurements_are_enough(metric, measured, phase) -> None:
    result = Result()
    for number, letter in enumerate(measured):
        if not result.phase.over:
            result = and_then(metric, result, Measurement(LETTERS[letter], float(number)))
    assert result.phase is phase


def test_when_a_metric_is_measured() -> None:
    late = replace(EVERY, initial_delay_seconds=5.0)
    assert due_at(late, Result(), 100.0) == 105.0
    once = and_then(late, Result(), Measurement(Phase.SUCCESSFUL, 107.0))
    assert due_at(late, once, 100.0) == 117.0
    assert due_at(Metric("m"), and_then(Metric("m"), Result(), Measurement(Phase.ERROR, 3.0)), 0.0) == 13.0
    assert due_at(Metric("m"), and_then(Metric("m"), Result(), Measurement(Phase.FAILED, 3.0)), 0.0) is None


def run(*metrics: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "run", "namespace": "default"},
        "spec": {"metrics": list(metrics), **spec},
    }


def errors(name: str = "errors", query: Object | None = None, **fields: Any) -> Object:
    query = {"service": "{{args.service}}", "metric": "error_share", **(query or {})}
    provider = {"plugin": {"grandstand.dev/gateway": query}}
    return {"name": name, "interval": "5s", "successCondition": "result < 0.05", "provider": provider, **fields}


ARGS = {"args": [{"name": "service", "value": "shop"}]}


class Passing:
    """Requests that pass a Service, ten a second."""

    def __init__(self, it: World) -> None:
        self.it = it
        self.totals = {SHOP: (1000, 500), OLD: (1000, 0)}

    async def seconds(self, count: int, errors: int = 0, requests: int = 10) -> None:
        for _ in range(count):
            for service, (all_, failed) in self.totals.items():
                more = errors if service == SHOP else 1
                self.totals[service] = (all_ + requests, failed + (more if requests else 0))
                traffic = Traffic(self.it.clock.now(), 1.0, requests, 1.0, 0.0, 0.02 if requests else None, errors)
                self.it.measured.services[service] = traffic
                self.it.measured.totals[service] = self.totals[service]
            await self.it.clock.advance(1)
            await self.it.settle()


async def status(it: World) -> Object:
    found: Object = (await it.client.get(ANALYSIS_RUNS, "default", "run")).get("status", {})
    return found


async def begun(it: World, made: Object) -> Passing:
    passing = Passing(it)
    await passing.seconds(1)
    await it.client.create(ANALYSIS_RUNS, made)
    await it.settle()
    return passing


async def test_a_run_with_a_count_is_successful_when_all_are() -> None:
    async with world() as it:
        passing = await begun(it, run(errors(count=3, initialDelay="5s"), **ARGS))
        await passing.seconds(14)
        assert (await status(it))["phase"] == "Running"
        await passing.seconds(3)
        found = await status(it)
        assert found["phase"] == "Successful"
        assert found["metricResults"][0]["successful"] == 3
        assert found["completedAt"]


async def test_errors_between_two_measurements_count_also_when_the_last_second_had_none() -> None:
    async with world() as it:
        passing = await begun(it, run(errors(initialDelay="5s"), **ARGS))
        await passing.seconds(3, errors=5)
        await passing.seconds(4)
        found = await status(it)
        assert found["phase"] == "Failed"
        assert found["message"] == 'Metric "errors" assessed Failed due to failed (1) > failureLimit (0)'
        assert it.events("AnalysisRunFailed")


async def test_without_requests_there_is_nothing_to_judge() -> None:
    async with world() as it:
        passing = await begun(it, run(errors(consecutiveErrorLimit=1, initialDelay="2s"), **ARGS))
        await passing.seconds(10, requests=0)
        found = await status(it)
        assert found["phase"] == "Error"
        assert found["metricResults"][0]["measurements"][0]["message"] == "no request has passed the Service shop"


async def test_a_run_without_an_end_goes_on_until_it_is_ended() -> None:
    async with world() as it:
        passing = await begun(it, run(errors(initialDelay="1s"), **ARGS))
        await passing.seconds(60)
        assert (await status(it))["phase"] == "Running"
        assert len((await status(it))["metricResults"][0]["measurements"]) == 10
        await it.client.patch(ANALYSIS_RUNS, "default", "run", {"spec": {"terminate": True}})
        await it.settle()
        assert (await status(it))["phase"] == "Successful"


async def test_a_version_is_compared_with_another() -> None:
    async with world() as it:
        compared = errors(query={"compareTo": "old"}, successCondition="result < 3", initialDelay="5s")
        passing = await begun(it, run(compared, **ARGS))
        await passing.seconds(7, errors=2)
        assert (await status(it))["phase"] == "Running"
        await passing.seconds(6, errors=5)
        assert (await status(it))["phase"] == "Failed"


async def test_one_lost_metric_ends_the_others() -> None:
    async with world() as it:
        other = errors("other", successCondition="result > 2", initialDelay="3s")
        passing = await begun(it, run(errors(), other, **ARGS))
        await passing.seconds(5)
        found = await status(it)
        assert found["phase"] == "Failed"
        assert [each["phase"] for each in found["metricResults"]] == ["Successful", "Failed"]


async def test_what_cannot_be_read_is_an_error_that_says_so() -> None:
    async with world() as it:
        await begun(it, run(errors()))
        found = await status(it)
        assert found["phase"] == "Error"
        assert "service" in found["message"]


async def test_a_run_that_began_before_a_restart_goes_on() -> None:
    async with world() as it:
        made = run(errors(count=3), **ARGS)
        measured = {"phase": "Successful", "startedAt": "2027-01-15T08:00:00Z", "finishedAt": "2027-01-15T08:00:00Z"}
        result = {"name": "errors", "phase": "Running", "count": 2, "successful": 2, "measurements": [measured] * 2}
        passing = Passing(it)
        await passing.seconds(1)
        await it.client.create(ANALYSIS_RUNS, made | {"status": {"phase": "Running", "metricResults": [result]}})
        await passing.seconds(6)
        found = await status(it)
        assert (found["phase"], found["metricResults"][0]["count"]) == ("Successful", 3)
        assert it.clock.now() > NOW


async def test_how_a_run_ended_is_told_in_its_status_and_events() -> None:
    async with world() as it:
        slow = errors("slow", query={"metric": "latency_seconds"}, successCondition="result > 1", initialDelay="5s")
        passing = await begun(it, run(errors(count=1), slow, **ARGS))
        assert (await status(it))["runSummary"] == {"count": 1, "successful": 1}
        await passing.seconds(6)
        found = await status(it)
        assert found["runSummary"] == {"count": 2, "successful": 1, "failed": 1}
        assert found["metricResults"][1]["measurements"][0]["value"] == "0.02"
        assert it.events("MetricSuccessful") == ["Metric 'errors' Completed. Result: Successful"]
        assert it.events("MetricFailed") == ["Metric 'slow' Completed. Result: Failed"]


async def test_an_interval_is_kept_to_the_split_second() -> None:
    async with world() as it:
        await it.clock.advance(0.6666666)  # as text it is later than it was
        passing = await begun(it, run(errors(interval="1s", count=2), **ARGS))
        await it.clock.advance(0.5)
        await it.client.patch(ANALYSIS_RUNS, "default", "run", {"spec": {"terminate": False}})
        await it.settle()
        assert (await status(it))["metricResults"][0]["count"] == 1
        await passing.seconds(1)
        first, second = (await status(it))["metricResults"][0]["measurements"]
        assert parse_time(second["finishedAt"]) - parse_time(first["finishedAt"]) == pytest.approx(1, abs=0.002)


async def test_no_requests_may_be_a_success() -> None:
    async with world() as it:
        asked = errors(query={"noData": "success"}, count=2, initialDelay="2s")
        passing = await begun(it, run(asked, **ARGS))
        await passing.seconds(10, requests=0)
        found = await status(it)
        assert (found["phase"], found["metricResults"][0]["successful"]) == ("Successful", 2)
        assert found["metricResults"][0]["measurements"][0]["message"] == "no request has passed the Service shop"


async def test_too_few_requests_are_no_data() -> None:
    async with world() as it:
        few = errors(query={"atLeastRequestsPerSecond": "11"}, initialDelay="2s", consecutiveErrorLimit=0)
        passing = await begun(it, run(few, **ARGS))
        await passing.seconds(4)
        found = await status(it)
        why = "10 requests per second have passed the Service shop, not 11"
        assert found["message"] == (
            'Metric "errors" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): '
            f'"Error Message: {why}"'
        )


async def test_a_service_that_nobody_measures_is_never_a_success() -> None:
    async with world() as it:
        asked = errors(query={"noData": "success", "service": "missing"}, consecutiveErrorLimit=0)
        await begun(it, run(asked))
        assert (await status(it))["phase"] == "Error"
        assert "the gateway has not measured the Service missing" in (await status(it))["message"]


async def test_a_run_that_is_over_is_left_alone() -> None:
    async with world() as it:
        passing = await begun(it, run(errors(count=1), **ARGS))
        ended = await status(it)
        assert ended["phase"] == "Successful"
        await passing.seconds(20, errors=9)
        assert await status(it) == ended
