"""A container's root file system: the image's layers below, a writable layer of its own above (overlayfs)."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from grandstand.errors import PlatformError

from .images import Image, record_use
from .mounts import unmount
from .syscalls import mount
from .trees import remove_tree


class Rootfs:
    """The mounted roots below `data/rootfs`, one directory a container: `merged`, `upper` and `work`."""

    def __init__(self, data: Path) -> None:
        self._directory = data / "rootfs"
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def mount(self, container_id: str, image: Image) -> Path:
        """Mount an image for a container, and return where. Raises PlatformError when the file system cannot."""
        return await asyncio.to_thread(self._mount, container_id, image)

    async def unmount(self, container_id: str) -> None:
        """Unmount a container's root and drop what it wrote; nothing happens when there is none."""
        await asyncio.to_thread(self._unmount, container_id)

    def mounted(self) -> list[str]:
        """The containers that have a root."""
        return sorted(path.name for path in self._directory.iterdir())

    def _mount(self, container_id: str, image: Image) -> Path:
        directory = self._directory / container_id
        merged, upper, work = (directory / name for name in ("merged", "upper", "work"))
        for path in (directory, merged, upper, work):
            path.mkdir(exist_ok=True, mode=0o755 if path in (merged, upper) else 0o700)
        record_use(directory, image)
        layers = list(reversed(image.layers)) or [_empty(self._directory.parent)]
        shutil.copystat(layers[0], upper)
        owner = layers[0].stat()
        os.chown(upper, owner.st_uid, owner.st_gid)
        mount_overlay(layers, upper, work, merged)
        return merged

    def _unmount(self, container_id: str) -> None:
        directory = self._directory / container_id
        while unmount(directory / "merged"):
            pass
        remove_tree(directory)


def mount_overlay(layers: Sequence[Path], upper: Path, work: Path, target: Path) -> None:
    """Mount an overlay; `layers` highest first. Raises PlatformError when the file system below cannot carry one.

    mount(2) takes one page of options, which forty long paths would fill: layers are named through descriptors.
    """
    descriptors: list[int] = []
    try:
        for layer in layers:
            descriptors.append(os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))  # noqa: PERF401
        lower = ":".join(f"/proc/self/fd/{descriptor}" for descriptor in descriptors)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        try:
            # What a container writes need not outlive a power cut: without syncing, its end is faster.
            mount("overlay", target, "overlay", 0, f"{options},volatile")
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            mount("overlay", target, "overlay", 0, options)
    except OSError as error:
        raise PlatformError(
            f"Cannot mount an overlay at {target}: {error.strerror}. The data directory must lie on a file system that"
            " can be the upper part of one (ext4, xfs, btrfs; not overlayfs or NFS): choose another with `--data`."
        ) from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _empty(data: Path) -> Path:
    """The layer of an image that has none."""
    path = data / "images" / "empty"
    path.mkdir(parents=True, exist_ok=True)
    return path
