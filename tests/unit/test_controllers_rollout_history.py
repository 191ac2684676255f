"""Which AnalysisRuns are kept, and that none is deleted by which an update is judged."""

from __future__ import annotations

import pytest
from controllers_world import NOW, world
from rollout_world import Stage, analysis

from grandstand.clock import rfc3339
from grandstand.controllers.rollout.history import runs_beyond
from grandstand.kinds import AnalysisRun, view
from grandstand.kinds.resources import ANALYSIS_RUNS

PHASES = {"s": "Successful", "f": "Failed", "e": "Error", "i": "Inconclusive", "r": "Running"}


def runs(text: str) -> list[AnalysisRun]:
    """One for each letter, the oldest first."""
    return [
        view(
            AnalysisRun,
            {
                "metadata": {
                    "name": f"{number}{letter}",
                    "namespace": "default",
                    "creationTimestamp": rfc3339(NOW + number),
                },
                "status": {"phase": PHASES[letter]},
            },
        )
        for number, letter in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("text", "successful", "unsuccessful", "gone"),
    [
        ("ssss", 2, 0, ["1s", "0s"]),
        ("sfei", 1, 1, ["2e", "1f"]),
        ("rrsr", 0, 0, ["2s"]),
        ("sf", 5, 5, []),
    ],
)
def test_the_oldest_of_each_sort_go(text, successful, unsuccessful, gone) -> None:
    assert [run.metadata.name for run in runs_beyond(runs(text), successful, unsuccessful)] == gone


async def test_those_of_the_update_stay_whatever_the_limit() -> None:
    async with world() as it:
        made = Stage(it)
        strategy = {"blueGreen": {"activeService": "active", "prePromotionAnalysis": analysis()}}
        limits = {"successfulRunHistoryLimit": 1, "unsuccessfulRunHistoryLimit": 0}
        await made.set_up(strategy, "active", analysis=limits, revisionHistoryLimit=9)
        for version in (2, 3, 4, 5):
            await made.update(version)
            await made.judge("pre", "Failed" if version == 4 else "Successful")
            assert made.shown("active") == (3 if version == 4 else version)
        await made.grow(60)
        left = sorted(each["status"]["phase"] for each in it.client.all(ANALYSIS_RUNS))
        assert left == ["Successful", "Successful"]
        before = len(it.client.calls)
        await made.grow()
        assert [call for call in it.client.calls[before:] if call[1] == "analysisruns"] == []
