"""Ask AnalysisRuns how an update does, and write the ones that are to be made. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from grandstand.controllers.ownership import controller_reference
from grandstand.kinds import AnalysisRun, Object, Rollout
from grandstand.kinds.resources import ANALYSIS_RUNS, ROLLOUTS
from grandstand.kinds.rollouts import ROLLOUT_HASH, AnalysisReference, AnalysisStatus

from .plan import Plan, Situation, Wish
from .versions import next_revision, revision_of

_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


SPENT = "rollout.grandstand.dev/spent"
"""On AnalysisRuns of an attempt that was aborted."""


class Verdict(StrEnum):
    """How an analysis stands; the values say it to people."""

    NONE = "there is nothing to analyse"
    RUNNING = "waiting for analysis to complete"
    GOOD = "the analysis was successful"
    BAD = "the analysis failed"
    UNDECIDED = "the analysis was inconclusive"


class NoTemplate(Exception):
    """An analysis cannot be made. The message says why."""


_VERDICTS = {
    "Successful": Verdict.GOOD,
    "Failed": Verdict.BAD,
    "Error": Verdict.BAD,
    "Inconclusive": Verdict.UNDECIDED,
}


def judged(
    plan: Plan,
    situation: Situation,
    analysis: AnalysisReference | None,
    recorded: AnalysisStatus | None,
    suffix: str,
    field: str,
    part: Object,
) -> Verdict:
    """Have an analysis run, note in `part[field]` how it stands, and say so; one that fails aborts the update.

    `recorded` is what was noted before: a verdict that had aborted the update does not count when it is tried again.
    """
    if analysis is None or not analysis.templates:
        return Verdict.NONE
    name = run_name(situation, recorded, suffix)
    run = situation.runs.get(name)
    if run is None:
        plan.runs.append(Wish(name, analysis))
        part[field] = {"name": name, "status": "Pending"}
        return Verdict.RUNNING
    said = {"name": name, "status": run.status.phase or "Pending"}
    part[field] = said | ({"message": run.status.message} if run.status.message else {})
    verdict = _VERDICTS.get(run.status.phase, Verdict.RUNNING)
    if verdict is Verdict.BAD:
        detail = run.status.message or run.status.phase
        plan.abort(f"analysis {name} {run.status.phase.lower()}: {detail}", situation.now)
    return verdict


def run_name(situation: Situation, recorded: AnalysisStatus | None, suffix: str) -> str:
    """The name of the run that counts now: with a number from the second attempt on."""
    # A version that is rolled out again gets its new number only after this look.
    revision = max(revision_of(situation.new), next_revision(situation.versions))
    first = f"{situation.wanted.metadata.name}-{situation.new_hash}-{revision}-{suffix}"
    known = {number: run for name, run in situation.runs.items() if (number := _attempt(name, first))}
    # One that failed has aborted the update: who asks for it again has tried again.
    failed = recorded.name if recorded is not None and _VERDICTS.get(recorded.status) is Verdict.BAD else ""
    counting = [number for number, run in known.items() if not is_spent(run) and run.metadata.name != failed]
    last = max([*known, _attempt(recorded.name, first) if recorded is not None else 0], default=0)
    number = max(counting, default=last + 1)
    return first if number == 1 else f"{first}.{number}"


def _attempt(name: str, first: str) -> int:
    """Which attempt a run is of, by its name; 0 for one of something else."""
    if name == first:
        return 1
    number = name.removeprefix(f"{first}.")
    return int(number) if number != name and number.isdecimal() else 0


def is_spent(run: AnalysisRun) -> bool:
    """Whether it was of an attempt that was aborted, and says nothing about the next one."""
    return SPENT in run.metadata.annotations


def run_from(
    wanted: Rollout, wish: Wish, templates: Mapping[tuple[str, bool], Object], hashes: Mapping[str, str]
) -> Object:
    """The AnalysisRun for a wish; `hashes` are those of the versions `Latest` and `Stable`. Raises NoTemplate."""
    metrics: list[Object] = []
    values: dict[str, str | None] = {}
    for reference in wish.analysis.templates:
        name = reference["templateName"]
        template = templates.get((name, bool(reference.get("clusterScope"))))
        if template is None:
            raise NoTemplate(f'AnalysisTemplate "{name}" not found')
        metrics += template["spec"]["metrics"]
        values |= {each["name"]: each.get("value") for each in template["spec"].get("args") or ()}
    for argument in wish.analysis.args:
        values[argument["name"]] = _value(wanted, argument, hashes)
    if missing := sorted(name for name, value in values.items() if value is None):
        raise NoTemplate(f"args.{missing[0]} was not resolved: give it a value in the Rollout or the template")
    return {
        "apiVersion": ANALYSIS_RUNS.api_version,
        "kind": ANALYSIS_RUNS.kind,
        "metadata": {
            "name": wish.name,
            "namespace": wanted.metadata.namespace,
            "labels": {ROLLOUT_HASH: hashes["Latest"]},
            "ownerReferences": [controller_reference(ROLLOUTS, wanted.metadata)],
        },
        "spec": {"metrics": metrics, "args": [{"name": name, "value": value} for name, value in values.items()]},
    }


def _value(wanted: Rollout, argument: Object, hashes: Mapping[str, str]) -> str | None:
    source = argument.get("valueFrom") or {}
    if "podTemplateHashValue" in source:
        return hashes.get(source["podTemplateHashValue"])
    if "fieldRef" in source:
        return _field(wanted, source["fieldRef"].get("fieldPath", ""))
    text = argument.get("value")
    return None if text is None else str(text)


def _field(wanted: Rollout, path: str) -> str | None:
    meta = wanted.metadata
    if found := _KEYED.fullmatch(path):
        return (meta.labels if found[1] == "labels" else meta.annotations).get(found[2])
    return {"metadata.name": meta.name, "metadata.namespace": meta.namespace, "metadata.uid": meta.uid}.get(path)


def names(references: Iterable[AnalysisReference | None]) -> set[tuple[str, bool]]:
    """The templates that analyses refer to, by name, and whether they are of the cluster."""
    found = [each for each in references if each is not None]
    return {(t["templateName"], bool(t.get("clusterScope"))) for each in found for t in each.templates}
