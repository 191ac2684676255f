"""Typed views of Pods: what the controllers, the node and the gateway read of them."""

from __future__ import annotations

from typing import Any

import msgspec

from .meta import Condition, Meta, View


class ContainerPort(View, frozen=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int | None = None
    host_ip: str = msgspec.field(name="hostIP", default="")


class KeySelector(View, frozen=True):
    """`configMapKeyRef` or `secretKeyRef`."""

    key: str
    name: str = ""
    optional: bool = False


class ObjectFieldSelector(View, frozen=True):
    field_path: str
    api_version: str = "v1"


class ResourceFieldSelector(View, frozen=True):
    resource: str
    container_name: str = ""
    divisor: str | int | None = None


class EnvVarSource(View, frozen=True):
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class EnvVar(View, frozen=True):
    name: str
    value: str | None = None
    value_from: EnvVarSource | None = None


class SourceRef(View, frozen=True):
    name: str = ""
    optional: bool = False


class EnvFromSource(View, frozen=True):
    prefix: str = ""
    config_map_ref: SourceRef | None = None
    secret_ref: SourceRef | None = None


class ResourceRequirements(View, frozen=True):
    limits: dict[str, str | int | float] = {}
    requests: dict[str, str | int | float] = {}


class HTTPHeader(View, frozen=True):
    name: str
    value: str = ""


class HTTPGetAction(View, frozen=True):
    port: int | str
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: list[HTTPHeader] = []


class TCPSocketAction(View, frozen=True):
    port: int | str
    host: str = ""


class ExecAction(View, frozen=True):
    command: list[str] = []


class SleepAction(View, frozen=True):
    seconds: int


class Handler(View, frozen=True):
    """What a probe or a lifecycle hook does."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Probe(Handler, frozen=True):
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class Lifecycle(View, frozen=True):
    post_start: Handler | None = None
    pre_stop: Handler | None = None
    stop_signal: str | None = None


class VolumeMount(View, frozen=True):
    name: str
    mount_path: str
    sub_path: str = ""
    sub_path_expr: str = ""
    read_only: bool = False
    mount_propagation: str | None = None


class Capabilities(View, frozen=True):
    add: list[str] = []
    drop: list[str] = []


class SeccompProfile(View, frozen=True):
    type: str
    localhost_profile: str = ""


class SecurityContext(View, frozen=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    privileged: bool = False
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool = False
    capabilities: Capabilities | None = None
    seccomp_profile: SeccompProfile | None = None
    proc_mount: str | None = None


class PodSecurityContext(View, frozen=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: list[int] = []
    fs_group: int | None = None
    fs_group_change_policy: str | None = None
    seccomp_profile: SeccompProfile | None = None
    sysctls: list[dict[str, str]] = []


class Container(View, frozen=True):
    name: str
    image: str = ""
    image_pull_policy: str = "IfNotPresent"
    command: list[str] = []
    args: list[str] = []
    working_dir: str = ""
    ports: list[ContainerPort] = []
    env: list[EnvVar] = []
    env_from: list[EnvFromSource] = []
    resources: ResourceRequirements = ResourceRequirements()
    volume_mounts: list[VolumeMount] = []
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle = Lifecycle()
    security_context: SecurityContext = SecurityContext()
    restart_policy: str | None = None
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: str = "File"


class HostAlias(View, frozen=True):
    ip: str
    hostnames: list[str] = []


class PodSpec(View, frozen=True):
    containers: list[Container]
    init_containers: list[Container] = []
    volumes: list[dict[str, Any]] = []
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    node_name: str = ""
    node_selector: dict[str, str] = {}
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False
    host_pid: bool = msgspec.field(name="hostPID", default=False)
    host_ipc: bool = msgspec.field(name="hostIPC", default=False)
    host_users: bool = True
    host_aliases: list[HostAlias] = []
    dns_policy: str = "ClusterFirst"
    dns_config: dict[str, Any] | None = None
    enable_service_links: bool = True
    service_account_name: str = "default"
    security_context: PodSecurityContext = PodSecurityContext()
    tolerations: list[dict[str, Any]] = []
    readiness_gates: list[dict[str, str]] = []
    runtime_class_name: str | None = None


class ContainerStateRunning(View, frozen=True):
    started_at: str | None = None


class ContainerStateTerminated(View, frozen=True):
    exit_code: int
    reason: str = ""
    message: str = ""
    signal: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = msgspec.field(name="containerID", default="")


class ContainerStateWaiting(View, frozen=True):
    reason: str = ""
    message: str = ""


class ContainerState(View, frozen=True):
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class ContainerStatus(View, frozen=True):
    name: str
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(name="imageID", default="")
    container_id: str = msgspec.field(name="containerID", default="")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(View, frozen=True):
    phase: str = "Pending"
    conditions: list[Condition] = []
    pod_ip: str = msgspec.field(name="podIP", default="")
    host_ip: str = msgspec.field(name="hostIP", default="")
    start_time: str | None = None
    reason: str = ""
    message: str = ""
    init_container_statuses: list[ContainerStatus] = []
    container_statuses: list[ContainerStatus] = []


class Pod(View, frozen=True):
    metadata: Meta
    spec: PodSpec
    status: PodStatus = PodStatus()

    def condition(self, type_: str) -> Condition | None:
        return next((c for c in self.status.conditions if c.type == type_), None)

    @property
    def ready(self) -> bool:
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"

    @property
    def finished(self) -> bool:
        return self.status.phase in ("Succeeded", "Failed")
