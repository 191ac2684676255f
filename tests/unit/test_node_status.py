from __future__ import annotations

from typing import Any

import pytest

from grandstand.kinds import Object, Pod, view
from grandstand.node.records import ContainerRecord, Ended, Failure, PodRecord, Step, Waiting
from grandstand.node.status import Addresses, pod_phase, pod_status
from grandstand.node.status_writer import difference

NOW = 1_800_000_000.0
RUNNING = ContainerRecord(Step.RUNNING, id="r", runs=1, started_at=NOW, hook_over=True, started=True, ready=True)
UNREADY = ContainerRecord(Step.RUNNING, id="r", runs=1, started_at=NOW, hook_over=True, started=True)


def ended(code: int, **fields: Any) -> ContainerRecord:
    end = Ended("e", code, "Completed" if code == 0 else "Error", NOW)
    return ContainerRecord(Step.EXITED, runs=1, ended=end, **fields)


def pod(**spec: Any) -> Pod:
    meta = {"name": "p", "namespace": "n", "uid": "u"}
    return view(Pod, {"metadata": meta, "spec": {"containers": [{"name": "a"}], **spec}})


def record(completed: bool = False, failure: Failure | None = None, **containers: ContainerRecord) -> PodRecord:
    return PodRecord("u", {}, NOW, containers, sandboxed=True, completed=completed, failure=failure)


NEVER = {"restartPolicy": "Never"}
TWO = {"containers": [{"name": "a"}, {"name": "b"}]}
INIT = {"initContainers": [{"name": "i"}]}


@pytest.mark.parametrize(
    ("spec", "known", "phase"),
    [
        ({}, record(), "Pending"),
        ({}, record(a=RUNNING), "Running"),
        (TWO, record(a=RUNNING), "Pending"),
        (TWO, record(a=RUNNING, b=ended(1)), "Running"),
        ({}, record(a=ended(1)), "Running"),
        (NEVER, record(a=ended(1)), "Failed"),
        (NEVER, record(a=ended(0)), "Succeeded"),
        ({**TWO, **NEVER}, record(a=ended(0), b=ended(1)), "Failed"),
        ({"restartPolicy": "OnFailure"}, record(a=ended(1)), "Running"),
        ({"restartPolicy": "OnFailure"}, record(a=ended(0)), "Succeeded"),
        (INIT, record(i=RUNNING), "Pending"),
        (INIT, record(i=ended(1)), "Pending"),
        ({**INIT, **NEVER}, record(i=ended(1)), "Failed"),
        (INIT, record(i=ended(0), a=RUNNING), "Running"),
        ({}, record(failure=Failure("Evicted", ""), a=RUNNING), "Running"),
        ({}, record(failure=Failure("Evicted", ""), a=ended(143)), "Failed"),
        ({}, record(failure=Failure("DeadlineExceeded", "")), "Failed"),
        ({}, record(a=ContainerRecord(runs=1, waiting=Waiting("CreateContainerError", "", NOW))), "Pending"),
    ],
    ids=[
        "new", "running", "one still to come", "one in back-off", "back-off", "failed", "succeeded", "one of two",
        "will be tried again", "done", "init runs", "init is tried again", "init failed", "initialized",
        "failed, still ending", "failed, ended", "failed before it began", "never created",
    ],
)  # fmt: skip
def test_phase(spec: Object, known: PodRecord, phase: str) -> None:
    assert pod_phase(pod(**spec), known) == phase


def status(spec: Object, known: PodRecord, before: Object | None = None, now: float = NOW) -> Object:
    return pod_status(pod(**spec), known, Addresses("10.0.0.1", "10.0.0.2"), before or {}, now)


def condition(found: Object, kind: str) -> Object:
    (one,) = [c for c in found["conditions"] if c["type"] == kind]
    return dict(one)


@pytest.mark.parametrize(
    ("spec", "known", "kind", "expected"),
    [
        ({}, record(a=RUNNING), "Ready", ("True", None)),
        ({}, record(a=UNREADY), "Ready", ("False", "ContainersNotReady")),
        (NEVER, record(a=ended(0)), "Ready", ("False", "PodCompleted")),
        (NEVER, record(a=ended(1)), "ContainersReady", ("False", "PodFailed")),
        (INIT, record(i=RUNNING), "Initialized", ("False", "ContainersNotInitialized")),
        ({}, record(a=RUNNING), "PodReadyToStartContainers", ("True", None)),
        ({"readinessGates": [{"conditionType": "g"}]}, record(a=RUNNING), "Ready", ("False", "ReadinessGatesNotReady")),
        ({"readinessGates": [{"conditionType": "g"}]}, record(a=RUNNING), "ContainersReady", ("True", None)),
    ],
    ids=["ready", "unready", "completed", "failed", "init", "sandbox", "gate closed", "gates are not of containers"],
)
def test_conditions(spec: Object, known: PodRecord, kind: str, expected: tuple[str, str | None]) -> None:
    found = condition(status(spec, known), kind)
    assert (found["status"], found.get("reason")) == expected


def test_a_sidecar_counts_for_readiness_and_a_plain_init_container_does_not() -> None:
    inits = {"initContainers": [{"name": "s", "restartPolicy": "Always"}, {"name": "i"}]}
    found = status(inits, record(s=UNREADY, i=ended(0), a=RUNNING))
    assert condition(found, "Ready")["message"] == "containers with unready status: [s]"


def test_conditions_of_others_stay_and_times_move_only_with_a_change() -> None:
    gate = {"type": "g", "status": "True"}
    first = status({}, record(a=UNREADY), {"conditions": [gate]})
    again = status({}, record(a=UNREADY), first, NOW + 60)
    assert again == first
    assert gate in again["conditions"]
    later = status({}, record(a=RUNNING), first, NOW + 60)
    assert condition(later, "Ready")["lastTransitionTime"] != condition(first, "Ready")["lastTransitionTime"]
    assert condition(later, "Initialized") == condition(first, "Initialized")


@pytest.mark.parametrize(
    ("state", "now", "shown"),
    [
        (ContainerRecord(), NOW, ("waiting", "ContainerCreating")),
        (ContainerRecord(Step.STARTING), NOW, ("waiting", "ContainerCreating")),
        (RUNNING, NOW, ("running", None)),
        (ContainerRecord(waiting=Waiting("ErrImagePull", "m", NOW)), NOW, ("waiting", "ErrImagePull")),
        (ContainerRecord(waiting=Waiting("ErrImagePull", "m", NOW)), NOW + 2, ("waiting", "ImagePullBackOff")),
        (ContainerRecord(waiting=Waiting("ErrImageNeverPull", "m", NOW)), NOW + 2, ("waiting", "ErrImageNeverPull")),
        (ended(1), NOW, ("terminated", "Error")),
    ],
    ids=["new", "starting", "running", "pull failed", "pull back-off", "never pull", "ended"],
)
def test_container_state(state: ContainerRecord, now: float, shown: tuple[str, str | None]) -> None:
    (found,) = status({}, record(a=state), now=now)["containerStatuses"]
    ((kind, details),) = found["state"].items()
    assert (kind, details.get("reason")) == shown


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1, "other": 2}, {"a": 2}, {"a": 2}),
        ({"reason": "x", "message": "y"}, {}, {"reason": None, "message": None}),
    ],
    ids=["the same", "others' fields stay", "a reason that is over"],
)
def test_a_patch_holds_only_what_differs(before: Object, after: Object, patch: Object) -> None:
    assert difference(before, after) == patch
