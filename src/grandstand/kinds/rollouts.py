"""Typed views of Argo's Rollouts and AnalysisRuns, with Argo's defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from .meta import Condition, LabelSelector, Meta, Object, View

ROLLOUT_HASH = "rollouts-pod-template-hash"
"""The label that tells versions apart: on Pods, ReplicaSets, and in the selectors of Services that show one version."""

GATEWAY_PLUGIN = "grandstand.dev/gateway"
"""The provider of analyses that there is, in the form that Argo leaves for plugins."""
GATEWAY_METRICS = ("error_share", "errors_per_second", "latency_seconds", "requests_in_flight", "requests_per_second")
ARGUMENT = re.compile(r"\{\{\s*args\.([\w.-]+)\s*\}\}")
"""Where an analysis asks for an argument."""
MAX_SURGE = MAX_UNAVAILABLE = "25%"
"""The bounds of a canary that are not given where the other is."""
RUNS_KEPT = 5
"""How many AnalysisRuns that are over are kept of each sort, unless a Rollout says otherwise."""
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def duration_seconds(value: int | str) -> float:
    """Seconds as a number or as text, or a duration such as `30s`, `5m` or `1h30m`. Raises ValueError."""
    if isinstance(value, int) or value.isdecimal():
        return float(value)
    found = _DURATION.fullmatch(value)
    if not value or found is None:
        raise ValueError(f"{value!r} is no duration: write seconds, or e.g. 30s, 5m or 1h30m")
    return sum(float(number or 0) * unit for number, unit in zip(found.groups(), _UNITS.values(), strict=True))


def filled(value: Any, arguments: Mapping[str, str]) -> Any:
    """A part of a spec with `{{args.name}}` replaced. Raises KeyError for an argument that there is not."""
    match value:
        case str():
            return ARGUMENT.sub(lambda found: arguments[found[1]], value)
        case dict():
            return {key: filled(each, arguments) for key, each in value.items()}
        case list():
            return [filled(each, arguments) for each in value]
    return value


class AnalysisReference(View, frozen=True):
    templates: list[Object] = []
    args: list[Object] = []
    starting_step: int | None = None


class BlueGreen(View, frozen=True):
    active_service: str
    preview_service: str = ""
    preview_replica_count: int | None = None
    auto_promotion_enabled: bool = True
    auto_promotion_seconds: int | None = None
    max_unavailable: int | str = 0
    scale_down_delay_seconds: int = 30
    abort_scale_down_delay_seconds: int = 30
    pre_promotion_analysis: AnalysisReference | None = None
    post_promotion_analysis: AnalysisReference | None = None


class Pause(View, frozen=True):
    duration: int | str | None = None


class SetCanaryScale(View, frozen=True):
    replicas: int | None = None
    weight: int | None = None
    match_traffic_weight: bool = False


class CanaryStep(View, frozen=True):
    set_weight: int | None = None
    pause: Pause | None = None
    analysis: AnalysisReference | None = None
    set_canary_scale: SetCanaryScale | None = None


class Canary(View, frozen=True):
    stable_service: str = ""
    canary_service: str = ""
    steps: list[CanaryStep] = []
    analysis: AnalysisReference | None = None
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    dynamic_stable_scale: bool = False
    scale_down_delay_seconds: int = 30
    abort_scale_down_delay_seconds: int = 30


class RolloutStrategy(View, frozen=True):
    blue_green: BlueGreen | None = None
    canary: Canary | None = None


class WorkloadReference(View, frozen=True):
    api_version: str
    kind: str
    name: str
    scale_down: str = "never"


class AnalysisHistory(View, frozen=True):
    successful_run_history_limit: int | None = None
    unsuccessful_run_history_limit: int | None = None

    @property
    def successful(self) -> int:
        return RUNS_KEPT if self.successful_run_history_limit is None else self.successful_run_history_limit

    @property
    def unsuccessful(self) -> int:
        return RUNS_KEPT if self.unsuccessful_run_history_limit is None else self.unsuccessful_run_history_limit


class RolloutSpec(View, frozen=True):
    strategy: RolloutStrategy = RolloutStrategy()
    selector: LabelSelector = LabelSelector()
    template: Object = {}
    workload_ref: WorkloadReference | None = None
    replicas: int = 1
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    progress_deadline_seconds: int = 600
    progress_deadline_abort: bool = False
    paused: bool = False
    restart_at: str | None = None
    analysis: AnalysisHistory = AnalysisHistory()


class PauseCondition(View, frozen=True):
    reason: str
    start_time: str


class AnalysisStatus(View, frozen=True):
    name: str
    status: str = ""
    message: str = ""


class BlueGreenStatus(View, frozen=True):
    active_selector: str = ""
    preview_selector: str = ""
    scale_up_preview_check_point: bool = False
    pre_promotion_analysis_run_status: AnalysisStatus | None = None
    post_promotion_analysis_run_status: AnalysisStatus | None = None


class CanaryStatus(View, frozen=True):
    weights: dict[str, Any] | None = None
    current_step_analysis_run_status: AnalysisStatus | None = None
    current_background_analysis_run_status: AnalysisStatus | None = None


class RolloutStatus(View, frozen=True):
    abort: bool = False
    aborted_at: str | None = None
    promote_full: bool = False
    controller_pause: bool = False
    pause_conditions: list[PauseCondition] = []
    current_pod_hash: str = ""
    current_step_index: int | None = None
    current_step_hash: str = ""
    stable_rs: str = msgspec.field(name="stableRS", default="")
    collision_count: int | None = None
    restarted_at: str | None = None
    blue_green: BlueGreenStatus = BlueGreenStatus()
    canary: CanaryStatus = CanaryStatus()
    conditions: list[Condition] = []
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    phase: str = ""
    message: str = ""

    @property
    def paused_since(self) -> str | None:
        """When the controller paused the update; None while it does not pause."""
        return self.pause_conditions[0].start_time if self.pause_conditions else None


class Rollout(View, frozen=True):
    metadata: Meta
    spec: RolloutSpec
    status: RolloutStatus = RolloutStatus()


class AnalysisRunStatus(View, frozen=True):
    phase: str = ""
    message: str = ""

    @property
    def over(self) -> bool:
        return self.phase in ("Successful", "Failed", "Error", "Inconclusive")


class AnalysisRun(View, frozen=True):
    metadata: Meta
    spec: Object = {}
    status: AnalysisRunStatus = AnalysisRunStatus()
