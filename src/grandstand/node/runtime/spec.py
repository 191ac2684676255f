"""What a container is to be, as the Pod agent asks for it and as the state directory remembers it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from grandstand.errors import CreateContainerError
from grandstand.node.cgroups import Limits

from .capabilities import UNKNOWN_HINT, is_capability

CONTAINER_ID = re.compile(r"[a-z0-9-]{1,64}")
DEFAULT_LOG_MAX_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Of the Pod's sandbox, as paths that keep them open; None: the container gets the host's."""

    network: Path | None
    ipc: Path | None
    uts: Path | None
    host_pid: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """Something at `target` inside the container: a path of the host, or a new tmpfs (`source` is then ignored).

    `options` are mount(8)'s, beside `ro`/`rw` and the propagation. `propagation` is Kubernetes' `mountPropagation`:
    None `rprivate`, HostToContainer `rslave`, Bidirectional `rshared`.
    """

    source: Path
    target: str
    read_only: bool = False
    options: tuple[str, ...] = ()
    kind: Literal["bind", "tmpfs"] = "bind"
    propagation: Literal["rprivate", "rslave", "rshared"] = "rprivate"


@dataclass(frozen=True, slots=True)
class User:
    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Security:
    """`capabilities` is the final set, e.g. `CAP_CHOWN`; `seccomp` asks for our default profile."""

    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = True
    privileged: bool = False
    read_only_root: bool = False
    seccomp: bool = True
    sysctls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container, with every default already resolved by the caller.

    `cgroup` is relative to each hierarchy's root, e.g. `gs-ab12cd/pod<uid>/<id>`. Raises CreateContainerError when
    a value could never work or would be a way out of the container.
    """

    id: str
    pod_uid: str
    pod_name: str
    namespace: str
    name: str
    rootfs: Path
    args: tuple[str, ...]
    env: tuple[str, ...]
    working_dir: str
    user: User
    hostname: str
    namespaces: Namespaces
    mounts: tuple[Mount, ...]
    cgroup: str
    limits: Limits
    security: Security
    oom_score_adj: int
    log_path: Path
    log_max_bytes: int = DEFAULT_LOG_MAX_BYTES
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    stop_signal: int = 15

    def __post_init__(self) -> None:
        for problem in problems_of(self):
            raise CreateContainerError(f"container {self.name!r}: {problem}")


def problems_of(spec: ContainerSpec) -> list[str]:
    """Every reason why a spec is refused."""
    return [
        *_problems_of_names(spec),
        *_problems_of_process(spec),
        *(problem for mount in spec.mounts for problem in _problems_of_mount(mount)),
        *(
            f"{name!r} is no capability: {UNKNOWN_HINT}"
            for name in spec.security.capabilities
            if not is_capability(name)
        ),
    ]


def _problems_of_names(spec: ContainerSpec) -> list[str]:
    found = []
    if not CONTAINER_ID.fullmatch(spec.id):
        found.append(f"the id {spec.id!r} must be 1 to 64 of the characters a-z, 0-9 and -")
    cgroup = PurePosixPath(spec.cgroup)
    if cgroup.is_absolute() or ".." in cgroup.parts or len(cgroup.parts) < 2:
        found.append(f"the cgroup {spec.cgroup!r} must be a relative path of at least two parts, without ..")
    if ":" in str(spec.log_path):
        found.append(f"conmon takes no log path with a colon: {spec.log_path}")
    return found


def _problems_of_process(spec: ContainerSpec) -> list[str]:
    found = []
    if not spec.args or not spec.args[0]:
        found.append("there is no command: the image has no entrypoint, and the Pod no `command`")
    if any("\0" in text for text in (*spec.args, *spec.env, spec.working_dir)):
        found.append("the command, environment and working directory must not contain NUL characters")
    directory = PurePosixPath("/" + spec.working_dir.lstrip("/"))
    if not spec.working_dir.startswith("/") or ".." in directory.parts:
        found.append(f"the working directory {spec.working_dir!r} must be absolute, without ..")
    if directory.is_relative_to("/proc"):
        # CVE-2024-21626: a descriptor that leaks from the runtime is a way to the host's file system.
        found.append(f"the working directory {spec.working_dir!r} lies under /proc; choose another")
    return found


def _problems_of_mount(mount: Mount) -> list[str]:
    target = PurePosixPath(mount.target)
    if not target.is_absolute() or ".." in target.parts or "\0" in mount.target:
        return [f"the mount target {mount.target!r} must be absolute, without .."]
    if target.is_relative_to("/proc") or target == PurePosixPath("/"):
        return [f"nothing may be mounted over {mount.target!r}; choose another mountPath"]
    if mount.kind == "bind" and not mount.source.is_absolute():
        return [f"the mount source {str(mount.source)!r} must be absolute"]
    return []


def encode_spec(spec: ContainerSpec) -> bytes:
    return msgspec.json.encode(spec, enc_hook=str)


def decode_spec(data: bytes) -> ContainerSpec:
    """Raises msgspec.ValidationError when the text is none of ours."""
    return msgspec.json.decode(data, type=ContainerSpec, dec_hook=_path)


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"no JSON for {kind}")
