"""The status of one container as Kubernetes words it. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

from grandstand.clock import rfc3339
from grandstand.kinds import Container, Object, Pod

from .back_off import retry_at
from .lifecycle import IMAGE_NOTICE_SECONDS, restarts
from .records import ContainerRecord, Ended, PodRecord, Step, Waiting

CONTAINER_ID_SCHEME = "conmon-runc://"
"""How a container's id is written in status, as `containerd://` elsewhere."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What `kubectl` shows of one container: one of running, ended and waiting, and how it ended before."""

    record: ContainerRecord
    running_since: float | None = None
    ended: Ended | None = None
    waiting: Waiting | None = None
    last: Ended | None = None


def shown_container(pod: Pod, container: Container, record: PodRecord, now: float) -> Shown:
    """The state to show, of a container of a Pod."""
    state = record.container(container.name)
    if state.alive:
        return Shown(state, running_since=state.started_at, last=state.ended)
    if state.step is Step.EXITED and state.ended is not None:
        return _shown_ended(pod, container, record, state, now)
    if state.waiting is not None:
        return Shown(state, waiting=_image_notice(container, state.waiting, now), last=state.ended)
    if state.ended is not None:
        return Shown(state, ended=state.ended, last=state.ended_before)
    reason = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
    return Shown(state, waiting=Waiting(reason))


def _shown_ended(pod: Pod, container: Container, record: PodRecord, state: ContainerRecord, now: float) -> Shown:
    end = state.ended
    assert end is not None
    held = restarts(pod, container, state) and retry_at(state.back_off, end.finished_at) > now
    if not held or record.ending_since is not None or record.failure is not None or record.completed:
        return Shown(state, ended=end, last=state.ended_before)
    name = f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"
    message = f"back-off {_duration(state.back_off.seconds)} restarting failed container={container.name} pod={name}"
    return Shown(state, waiting=Waiting("CrashLoopBackOff", message), last=end)


def _duration(seconds: float) -> str:
    """As Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _image_notice(container: Container, waiting: Waiting, now: float) -> Waiting:
    """A failed pull shows its error first, and then that it will be tried again."""
    if waiting.reason != "ErrImagePull" or now < waiting.since + IMAGE_NOTICE_SECONDS:
        return waiting
    return Waiting("ImagePullBackOff", f'Back-off pulling image "{container.image}": ErrImagePull: {waiting.message}')


def container_status(container: Container, shown: Shown, before: Object) -> Object:
    """One entry of `containerStatuses`."""
    record = shown.record
    status: Object = {
        "name": container.name,
        "image": container.image,
        "imageID": record.image_id or before.get("imageID", ""),
        "restartCount": record.restarts,
        "ready": record.ready,
        "started": record.started,
        "state": _state(shown),
        "lastState": {} if shown.last is None else {"terminated": _terminated(shown.last)},
    }
    newest = record.id if record.alive else (record.ended.id if record.ended else "")
    if newest:
        status["containerID"] = CONTAINER_ID_SCHEME + newest
    return status


def _state(shown: Shown) -> Object:
    if shown.running_since is not None:
        return {"running": {"startedAt": rfc3339(shown.running_since)}}
    if shown.ended is not None:
        return {"terminated": _terminated(shown.ended)}
    assert shown.waiting is not None
    message = {"message": shown.waiting.message} if shown.waiting.message else {}
    return {"waiting": {"reason": shown.waiting.reason, **message}}


def _terminated(end: Ended) -> Object:
    terminated: Object = {"exitCode": end.code, "reason": end.reason, "finishedAt": rfc3339(end.finished_at)}
    if end.signal is not None:
        terminated["signal"] = end.signal
    if end.message:
        terminated["message"] = end.message
    if end.started_at is not None:
        terminated["startedAt"] = rfc3339(end.started_at)
    if end.id:
        terminated["containerID"] = CONTAINER_ID_SCHEME + end.id
    return terminated
