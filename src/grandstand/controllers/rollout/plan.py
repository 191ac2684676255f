"""What a strategy is told, and what it answers with: sizes, switches, analyses and the state of the update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grandstand.clock import parse_time, rfc3339
from grandstand.kinds import AnalysisRun, Object, ReplicaSet, Rollout, Service
from grandstand.kinds.rollouts import ROLLOUT_HASH, AnalysisReference, RolloutStatus

from .versions import SERVED, Versions, deadline_of, hash_of


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a strategy looks at. `state` is the status, reset where the template is another by now."""

    wanted: Rollout
    state: RolloutStatus
    versions: Versions
    services: Mapping[str, Service]
    runs: Mapping[str, AnalysisRun]
    now: float

    @property
    def new(self) -> ReplicaSet:
        """The ReplicaSet of the current template, which is made before a strategy is asked."""
        assert self.versions.new is not None
        return self.versions.new

    @property
    def new_hash(self) -> str:
        return hash_of(self.new)

    @property
    def stable(self) -> ReplicaSet | None:
        """The version that was rolled out last; None before there is one, and where it is the new one."""
        found = self.versions.of_hash(self.state.stable_rs)
        return None if found is self.new else found

    @property
    def first(self) -> bool:
        """Whether there is nothing to be replaced."""
        return self.versions.of_hash(self.state.stable_rs) is None

    def selected(self, service: str) -> str:
        """The hash of the version that a Service shows; "" where it shows all."""
        found = self.services.get(service)
        return "" if found is None else (found.spec.selector or {}).get(ROLLOUT_HASH, "")


@dataclass(frozen=True, slots=True)
class Wish:
    """An AnalysisRun that should run: its name, what it is made of, and from when the update needs it."""

    name: str
    analysis: AnalysisReference


@dataclass(slots=True)
class Plan:
    """What to do next. `status` has the fields that the strategy keeps its state in; None removes one."""

    sizes: dict[str, int] = field(default_factory=dict)
    deadlines: dict[str, float | None] = field(default_factory=dict)
    switches: dict[str, str] = field(default_factory=dict)
    runs: list[Wish] = field(default_factory=list)
    status: Object = field(default_factory=dict)
    abort_reason: str = ""
    waiting: str = ""
    """What the update waits for, in Argo's words; "" when it is over."""
    again: list[float] = field(default_factory=list)
    served: str = ""
    """The hash of the version that is stable from now on."""

    def come_again(self, seconds: float) -> None:
        self.again.append(max(0.0, seconds))

    def retire(self, situation: Situation, replica_set: ReplicaSet, delay_seconds: float) -> None:
        """Let a version that serves no more go on for a while, then end it."""
        deadline = deadline_of(replica_set)
        name = replica_set.metadata.name
        if not replica_set.spec.replicas:
            if deadline is not None:
                self.deadlines[name] = None
        elif deadline is None and delay_seconds > 0:
            self.deadlines[name] = situation.now + delay_seconds
            self.come_again(delay_seconds)
            self._follow(situation, replica_set)
        elif deadline is None or deadline <= situation.now:
            self.sizes[name] = 0
            self.deadlines[name] = None
        else:
            self.come_again(deadline - situation.now)
            self._follow(situation, replica_set)

    def _follow(self, situation: Situation, replica_set: ReplicaSet) -> None:
        """Have a version that may be gone back to at once as large as is wanted now; at zero there is none to go to."""
        served = SERVED in replica_set.metadata.annotations or hash_of(replica_set) == situation.state.stable_rs
        wished = situation.wanted.spec.replicas
        if served and wished and replica_set.spec.replicas != wished:
            self.sizes[replica_set.metadata.name] = wished

    def keep(self, replica_set: ReplicaSet, replicas: int, *, as_leaving: bool = False) -> None:
        """Have a version serve with so many Pods; `as_leaving`: what shows that it served a moment ago stays."""
        if deadline_of(replica_set) is not None and not as_leaving:
            self.deadlines[replica_set.metadata.name] = None
        if replica_set.spec.replicas != replicas:
            self.sizes[replica_set.metadata.name] = replicas

    def finish(self, version: str) -> None:
        """The update is over: this version is what is gone back to from now on."""
        over: Object = {"pauseConditions": None, "controllerPause": None, "promoteFull": None}
        self.status |= {"stableRS": version, **over}
        self.served = version
        self.waiting = ""

    def abort(self, reason: str, now: float) -> None:
        self.abort_reason = reason
        self.status |= {"abort": True, "abortedAt": rfc3339(now), "pauseConditions": None, "controllerPause": None}


@dataclass(frozen=True, slots=True)
class Paused:
    """Whether an update stands still, and the state in which that is remembered."""

    over: bool
    status: Object
    again_seconds: float | None = None


def paused_for(state: RolloutStatus, reason: str, seconds: float | None, now: float) -> Paused:
    """A pause of the controller, for so many seconds, or until somebody takes away the pause condition.

    So Argo's command line promotes: what is left is `controllerPause` without a condition.
    """
    going_on: Object = {"pauseConditions": None, "controllerPause": None}
    if state.paused_since is None:
        if state.controller_pause:
            return Paused(True, going_on)
        condition = {"reason": reason, "startTime": rfc3339(now)}
        return Paused(False, {"pauseConditions": [condition], "controllerPause": True}, seconds)
    if seconds is None:
        return Paused(False, {})
    left = parse_time(state.paused_since) + seconds - now
    return Paused(True, going_on) if left <= 0 else Paused(False, {}, left)


def fresh(status: RolloutStatus, current_hash: str) -> RolloutStatus:
    """The state of an update: that of another template does not count."""
    if status.current_pod_hash == current_hash:
        return status
    return RolloutStatus(stable_rs=status.stable_rs, collision_count=status.collision_count, current_pod_hash="")


FORGOTTEN: Object = {
    "abort": None,
    "abortedAt": None,
    "promoteFull": None,
    "controllerPause": None,
    "pauseConditions": None,
    "currentStepIndex": None,
}
"""What is removed from a status when an update begins."""
