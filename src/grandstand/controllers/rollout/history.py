"""Delete what a Rollout keeps of the past beyond its limits: old versions, and AnalysisRuns that are over. Pure.

versions    the newest `revisionHistoryLimit` of those without Pods
analyses    the newest `successfulRunHistoryLimit` and `unsuccessfulRunHistoryLimit` of those that are over, and none
            of a version that is gone; what the status names is kept, for the update is judged by it
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from grandstand.kinds import AnalysisRun, Rollout
from grandstand.kinds.resources import ANALYSIS_RUNS, REPLICA_SETS
from grandstand.kinds.rollouts import ROLLOUT_HASH
from grandstand.reconcile.actions import Delete

from .versions import Versions, hash_of, revision_of


def outlived(
    wanted: Rollout, versions: Versions, runs: Collection[AnalysisRun], current: Collection[str]
) -> list[Delete]:
    """The deletions; `current` are the names of the AnalysisRuns in the status."""
    empty = [each for each in versions.old if not each.spec.replicas and not each.status.replicas]
    idle = sorted((each for each in empty if hash_of(each) != wanted.status.stable_rs), key=revision_of)
    doomed = idle[: max(0, len(idle) - wanted.spec.revision_history_limit)]
    hashes = {hash_of(each) for each in versions.all} - {hash_of(each) for each in doomed}
    orphans = [run for run in runs if run.metadata.labels.get(ROLLOUT_HASH, "") not in hashes]
    gone = {run.metadata.name for run in orphans}
    others = [run for run in runs if run.metadata.name not in gone and run.metadata.name not in current]
    superfluous = runs_beyond(others, wanted.spec.analysis.successful, wanted.spec.analysis.unsuccessful)
    return [
        *(Delete(REPLICA_SETS, each.metadata.key, each.metadata.uid) for each in doomed),
        *(Delete(ANALYSIS_RUNS, run.metadata.key, run.metadata.uid) for run in (*orphans, *superfluous)),
    ]


def runs_beyond(runs: Iterable[AnalysisRun], successful: int, unsuccessful: int) -> list[AnalysisRun]:
    """The oldest of the runs that are over, so that so many successful ones and so many others stay."""
    over = sorted((run for run in runs if run.status.over), key=_made, reverse=True)
    good = [run for run in over if run.status.phase == "Successful"]
    bad = [run for run in over if run.status.phase != "Successful"]
    return good[successful:] + bad[unsuccessful:]


def _made(run: AnalysisRun) -> tuple[str, str]:
    return run.metadata.creation_timestamp or "", run.metadata.name
