from __future__ import annotations

from typing import Any

import pytest

from grandstand.kinds import Object, Pod, view
from grandstand.node.back_off import BackOff
from grandstand.node.lifecycle import DEADLINE, Ending, Steps, failure_of, initialized, next_steps
from grandstand.node.records import TRANSITIONS, ContainerRecord, Ended, Happening, PodRecord, Step, Waiting, after

NOW = 1000.0


def pod(spec: Object | None = None, **meta: Any) -> Pod:
    body = {"containers": [{"name": "a"}], **(spec or {})}
    return view(Pod, {"metadata": {"name": "p", "namespace": "n", "uid": "u", **meta}, "spec": body})


def record(**containers: ContainerRecord) -> PodRecord:
    return PodRecord("u", {}, NOW, containers)


def ended(code: int = 0, at: float = NOW, back_off: float = 0.0) -> ContainerRecord:
    end = Ended("id", code, "Error", at)
    return ContainerRecord(Step.EXITED, runs=1, ended=end, back_off=BackOff(back_off, NOW))


RUNNING = ContainerRecord(Step.RUNNING, runs=1, hook_over=True, started=True, ready=True)
STARTING_UP = ContainerRecord(Step.RUNNING, runs=1, hook_over=True)
INITS = {"initContainers": [{"name": "i"}, {"name": "j"}]}
SIDECAR = {"initContainers": [{"name": "s", "restartPolicy": "Always"}, {"name": "j"}]}
HOOK = {"postStart": {"exec": {"command": ["true"]}}}


@pytest.mark.parametrize(
    ("spec", "containers", "expected"),
    [
        ({}, {}, Steps(start=("a",))),
        ({}, {"a": ContainerRecord(Step.STARTING)}, Steps()),
        ({}, {"a": RUNNING}, Steps()),
        ({"containers": [{"name": "a"}, {"name": "b"}]}, {}, Steps(start=("a", "b"))),
        ({"containers": [{"name": "a", "lifecycle": HOOK}, {"name": "b"}]}, {}, Steps(start=("a",))),
        (
            {"containers": [{"name": "a", "lifecycle": HOOK}, {"name": "b"}]},
            {"a": ContainerRecord(Step.RUNNING, runs=1)},
            Steps(),
        ),
        (
            {"containers": [{"name": "a", "lifecycle": HOOK}, {"name": "b"}]},
            {"a": STARTING_UP},
            Steps(start=("b",)),
        ),
        ({}, {"a": ended(0)}, Steps(start=("a",))),
        ({}, {"a": ended(1, back_off=20)}, Steps(again_at=NOW + 20)),
        ({"restartPolicy": "OnFailure"}, {"a": ended(1)}, Steps(start=("a",))),
        ({"restartPolicy": "OnFailure"}, {"a": ended(0)}, Steps(ending=Ending.COMPLETED)),
        ({"restartPolicy": "Never"}, {"a": ended(1)}, Steps(ending=Ending.COMPLETED)),
        (INITS, {}, Steps(start=("i",))),
        (INITS, {"i": RUNNING}, Steps()),
        (INITS, {"i": ended(0)}, Steps(start=("j",))),
        (INITS, {"i": ended(1, back_off=10)}, Steps(again_at=NOW + 10)),
        (INITS, {"i": ended(0), "j": ended(0)}, Steps(start=("a",))),
        ({**INITS, "restartPolicy": "Never"}, {"i": ended(1)}, Steps(ending=Ending.COMPLETED)),
        (INITS, {"i": ended(0), "j": ended(0), "a": ended(1)}, Steps(start=("a",))),
        (SIDECAR, {}, Steps(start=("s",))),
        (SIDECAR, {"s": STARTING_UP}, Steps()),
        (SIDECAR, {"s": RUNNING}, Steps(start=("j",))),
        (SIDECAR, {"s": ended(0), "j": RUNNING}, Steps(start=("s",))),
        (SIDECAR, {"s": ended(0), "j": ended(0), "a": RUNNING}, Steps(start=("s",))),
        (
            {**SIDECAR, "restartPolicy": "Never"},
            {"s": RUNNING, "j": ended(0), "a": ended(0)},
            Steps(ending=Ending.COMPLETED),
        ),
        ({}, {"a": ContainerRecord(Step.RUNNING, runs=1, must_end="failed")}, Steps(stop=("a",))),
        ({}, {"a": ContainerRecord(Step.STOPPING, runs=1, must_end="failed")}, Steps()),
        ({}, {"a": ContainerRecord(waiting=Waiting("CreateContainerConfigError"))}, Steps()),
        ({}, {"a": ContainerRecord(waiting=Waiting("X", retry_at=NOW + 5))}, Steps(again_at=NOW + 5)),
        ({}, {"a": ContainerRecord(waiting=Waiting("X", retry_at=NOW))}, Steps(start=("a",))),
        ({}, {"a": ContainerRecord(waiting=Waiting("ErrImagePull", "", NOW, NOW + 10))}, Steps(again_at=NOW + 1)),
        ({"activeDeadlineSeconds": 30}, {"a": RUNNING}, Steps(again_at=NOW + 30)),
    ],
    ids=[
        "new", "being started", "running", "two at once", "a hook holds the next", "hook under way", "hook over",
        "first restart at once", "back-off", "on failure: failed", "on failure: done", "never",
        "first init", "init runs", "second init", "init back-off", "inits done", "init failed for good",
        "inits are not run again", "sidecar first", "sidecar not started yet", "sidecar started",
        "sidecar restarts during init", "sidecar restarts beside", "sidecar ends with the main ones",
        "must end", "is ending", "held until a change", "held until a time", "due", "pull notice", "deadline",
    ],
)  # fmt: skip
def test_next_steps(spec: Object, containers: dict[str, ContainerRecord], expected: Steps) -> None:
    assert next_steps(pod(spec), record(**containers), NOW) == expected


def test_a_deleted_pod_ends_whatever_it_does() -> None:
    assert next_steps(pod(deletionTimestamp="2026-01-01T00:00:00Z"), record(), NOW).ending is Ending.DELETED


@pytest.mark.parametrize(
    ("now", "containers", "failure"),
    [
        (NOW + 29, {"a": RUNNING}, None),
        (NOW + 30, {"a": RUNNING}, DEADLINE),
        (NOW + 30, {}, DEADLINE),
        (NOW + 99, {"a": ended(0)}, None),
    ],
    ids=["in time", "running", "never started", "was done before"],
)
def test_active_deadline(now: float, containers: dict[str, ContainerRecord], failure: object) -> None:
    wanted = pod({"activeDeadlineSeconds": 30, "restartPolicy": "Never"})
    assert failure_of(wanted, record(**containers), now) == failure


def test_once_a_main_container_has_run_the_pod_is_initialized() -> None:
    assert initialized(pod(INITS), record(a=ended(1)))


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("happening", list(Happening))
def test_transitions_are_as_the_table_says_and_nothing_else(step: Step, happening: Happening) -> None:
    if (step, happening) in TRANSITIONS:
        assert after(step, happening) is TRANSITIONS[step, happening]
    else:
        with pytest.raises(LookupError, match="cannot meet"):
            after(step, happening)


def test_every_step_can_be_reached_and_left() -> None:
    assert {step for step, _ in TRANSITIONS} == set(Step)
    assert set(TRANSITIONS.values()) == set(Step)
