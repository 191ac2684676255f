"""What one container is to be, from the Pod, its image and its sandbox. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from grandstand.kinds import Container, Pod

from .environment import expand
from .images import ImageConfig
from .limits import container_limits, oom_score_adj
from .network import Sandbox
from .runtime import ContainerSpec, Mount, Namespaces, User
from .security import security

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Made:
    """What was made for one run of a container before its spec can be written."""

    id: str
    rootfs: Path
    user: User
    variables: Mapping[str, str]
    mounts: tuple[Mount, ...]
    log_path: Path
    cgroup: str
    memory_capacity_bytes: int


def container_spec(pod: Pod, container: Container, config: ImageConfig, sandbox: Sandbox, made: Made) -> ContainerSpec:
    """Raises Disallowed for what the security context may not ask for."""
    return ContainerSpec(
        id=made.id,
        pod_uid=pod.metadata.uid,
        pod_name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        name=container.name,
        rootfs=made.rootfs,
        args=command_line(container, config, made.variables),
        env=_environment(container, config, sandbox, made.variables),
        working_dir=container.working_dir or config.working_dir or "/",
        user=with_groups(pod, made.user),
        hostname=sandbox.hostname,
        namespaces=Namespaces(sandbox.network, sandbox.ipc, sandbox.uts, host_pid=pod.spec.host_pid),
        mounts=made.mounts,
        cgroup=made.cgroup,
        limits=container_limits(container),
        security=security(pod, container, runs_as_root=made.user.uid == 0),
        oom_score_adj=oom_score_adj(pod, container, made.memory_capacity_bytes),
        log_path=made.log_path,
        tty=container.tty,
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        stop_signal=stop_signal(container, config),
    )


def command_line(container: Container, config: ImageConfig, variables: Mapping[str, str]) -> tuple[str, ...]:
    """`command` replaces the image's entrypoint and its arguments, `args` only the arguments."""
    command = tuple(expand(word, variables) for word in container.command)
    args = tuple(expand(word, variables) for word in container.args)
    if command:
        return command + args
    return config.entrypoint + (args or config.cmd)


def _environment(
    container: Container, config: ImageConfig, sandbox: Sandbox, variables: Mapping[str, str]
) -> tuple[str, ...]:
    usual = {"PATH": DEFAULT_PATH, "HOSTNAME": sandbox.hostname, **({"TERM": "xterm"} if container.tty else {})}
    image = dict(entry.partition("=")[::2] for entry in config.env)
    return tuple(f"{name}={value}" for name, value in {**usual, **image, **variables}.items())


def with_groups(pod: Pod, user: User) -> User:
    """The user with the groups that the Pod adds: `supplementalGroups`, and `fsGroup` for its volumes."""
    context = pod.spec.security_context
    added = {*context.supplemental_groups, *(() if context.fs_group is None else (context.fs_group,))}
    return replace(user, additional_gids=tuple(sorted({*user.additional_gids, *added})))


def stop_signal(container: Container, config: ImageConfig) -> int:
    """The number of the signal that asks the program to end: `SIGQUIT`, `QUIT` or `3`."""
    text = container.lifecycle.stop_signal or config.stop_signal or "SIGTERM"
    if text.isdigit():
        return int(text)
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    try:
        return int(signal.Signals[name])
    except KeyError:
        real_time = {"SIGRTMIN": signal.SIGRTMIN, "SIGRTMAX": signal.SIGRTMAX}
        base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
        if base in real_time and offset.isdigit():
            return int(real_time[base]) + int(offset) * (1 if sign == "+" else -1)
        return int(signal.SIGTERM)
