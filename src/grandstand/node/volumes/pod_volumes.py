"""Make, refresh and remove the volumes of one Pod, below its directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from grandstand.kinds import Container, Pod
from grandstand.node.mounts import mount_tmpfs, mounts_below, unmount
from grandstand.node.runtime import Mount
from grandstand.node.trees import remove_tree, used_bytes

from .atomic import write_files
from .host_paths import prepare_host_path
from .plan import EmptyDir, Generated, HostPath, Source, kind_of
from .sub_paths import BadSubPath, mount_sub_path

_PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}
_ALWAYS_READ_ONLY = ("configMap", "secret", "downwardAPI", "projected")


class PodVolumes:
    """All calls block: run them in a thread. Made twice, a volume stays as it is."""

    def __init__(self, directory: Path) -> None:
        self._volumes = directory / "volumes"
        self._sub_paths = directory / "subpaths"
        self._shared_memory = directory / "shm"

    def path_of(self, name: str) -> Path:
        return self._volumes / name

    def prepare(self, pod: Pod, sources: Mapping[str, Source]) -> None:
        """Make every volume. Raises OSError and BadHostPath."""
        gid = pod.spec.security_context.fs_group
        self._volumes.mkdir(parents=True, exist_ok=True)
        for name, source in sources.items():
            match source:
                case HostPath():
                    prepare_host_path(source)
                case EmptyDir():
                    self._make_empty(self._volumes / name, source, gid)
                case Generated():
                    self._make_directory(self._volumes / name, source.in_memory, None, 0o755, gid)
                    write_files(self._volumes / name, source.files, gid)

    @property
    def shared_memory(self) -> Path:
        """What the containers of a Pod share as /dev/shm, once prepared."""
        return self._shared_memory

    @property
    def host_shared_memory(self) -> Path:
        return Path("/dev/shm")  # noqa: S108

    def prepare_shared_memory(self, size_bytes: int) -> None:
        self._make_directory(self._shared_memory, True, size_bytes, 0o1777, None)

    def refresh(self, pod: Pod, sources: Mapping[str, Source]) -> list[str]:
        """Bring generated files up to date; returns the names of the volumes that changed."""
        gid = pod.spec.security_context.fs_group
        generated = {name: source for name, source in sources.items() if isinstance(source, Generated)}
        return [name for name, source in generated.items() if write_files(self._volumes / name, source.files, gid)]

    def _make_empty(self, path: Path, source: EmptyDir, gid: int | None) -> None:
        size = source.size_bytes if source.in_memory else None
        self._make_directory(path, source.in_memory, size, 0o777, gid)

    def _make_directory(self, path: Path, in_memory: bool, size: int | None, mode: int, gid: int | None) -> None:
        if path.is_dir() and (not in_memory or path.is_mount()):
            return
        path.mkdir(exist_ok=True)
        if in_memory:
            mount_tmpfs(path, size, mode)
        if gid is not None:
            os.chown(path, -1, gid)
            mode |= stat.S_ISGID | 0o070
        path.chmod(mode)

    def mounts_of(
        self, pod: Pod, container: Container, sources: Mapping[str, Source], expand: Callable[[str], str]
    ) -> tuple[Mount, ...]:
        """The mounts of one container's `volumeMounts`. Raises BadSubPath and OSError."""
        kinds = {volume["name"]: kind_of(volume) for volume in pod.spec.volumes}
        mounts = []
        for index, wanted in enumerate(container.volume_mounts):
            source = self._path(wanted.name, sources)
            sub_path = wanted.sub_path or _expanded(wanted.sub_path_expr, expand)
            if sub_path:
                target = self._sub_paths / container.name / str(index)
                mount_sub_path(source, sub_path, target, gid=pod.spec.security_context.fs_group)
                source = target
            mounts.append(
                Mount(
                    source=source,
                    target=wanted.mount_path,
                    read_only=wanted.read_only or kinds[wanted.name] in _ALWAYS_READ_ONLY,
                    propagation=_PROPAGATION.get(wanted.mount_propagation or "", "rprivate"),  # type: ignore[arg-type]
                )
            )
        return tuple(mounts)

    def _path(self, name: str, sources: Mapping[str, Source]) -> Path:
        match sources[name]:
            case HostPath(path=path):
                return path
            case _:
                return self._volumes / name

    def used_bytes(self, name: str) -> int:
        """What an emptyDir takes on disk."""
        return used_bytes(self._volumes / name)


def _expanded(expression: str, expand: Callable[[str], str]) -> str:
    path = expand(expression)
    if "$(" in path:
        raise BadSubPath(f"subPathExpr {expression!r}: a variable in it is not in the container's environment")
    return path


def remove_directory(directory: Path) -> None:
    """Unmount all below a Pod's directory, and remove it. Nothing is removed through a mount that stayed."""
    for mount in mounts_below(directory):
        unmount(mount)
    if left := mounts_below(directory):
        raise OSError(f"{left[0]} is still mounted: unmount it with `umount -l {left[0]}`")
    remove_tree(directory)
