"""End every container of an engine and give back what it holds: `grandstand down`, with no engine running."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import msgspec

from grandstand.errors import GrandstandError

from .context import STATE_FILE, PodContext
from .ending import end_containers, give_back
from .mounts import unmount
from .parts import Parts
from .records import PodRecord, decode
from .resuming import resume
from .runtime import Adopted
from .sources import SourceCache
from .volumes import mounts_below
from .wake import Deadline

log = logging.getLogger(__name__)


def read_records(pods_directory: Path) -> dict[str, PodRecord]:
    """What engines have written down of their Pods, by uid."""
    found = {}
    for file in pods_directory.glob(f"*/{STATE_FILE}"):
        try:
            found[file.parent.name] = decode(file.read_bytes())
        except (msgspec.MsgspecError, OSError) as error:
            log.error("%s cannot be read, its Pod starts anew: %s", file, error)
    return found


async def remove_everything(parts: Parts) -> None:
    """Hooks, stop signals and grace for all Pods at once; then no container, root, sandbox, cgroup or mount is left.

    Objects, logs and emptyDir volumes on disk stay, and how the containers ended is written down: the next engine
    starts them again, as after a restart of the machine. Network and gateway themselves are their owners' to remove.
    """
    adopted: dict[str, dict[str, Adopted]] = {}
    for container in await asyncio.to_thread(parts.runtime.adopt):
        adopted.setdefault(container.pod_uid, {})[container.id] = container
    records = await asyncio.to_thread(read_records, parts.pods_directory)
    await asyncio.gather(*(_end(parts, record, adopted.get(uid, {})) for uid, record in records.items()))
    for containers in adopted.values():
        for container_id in containers:
            await parts.runtime.remove(container_id)
    for container_id in parts.rootfs.mounted():
        await parts.rootfs.unmount(container_id)
    for uid in {*parts.network.sandboxes(), *adopted}:
        await parts.network.remove(uid)
    await parts.cgroups.remove(parts.engine.prefix)
    for mount in mounts_below(parts.pods_directory):
        unmount(mount)


async def _end(parts: Parts, record: PodRecord, adopted: dict[str, Adopted]) -> None:
    context = PodContext(parts, SourceCache(parts.client), record.pod, record)
    if not record.completed:
        grace = float(context.pod.spec.termination_grace_period_seconds)
        await resume(context, adopted, parts.network.sandboxes().get(record.uid))
        try:
            await end_containers(context, Deadline(parts.clock, parts.clock.now() + grace))
        except GrandstandError as error:
            log.error("pod %s: %s", context.name, error)
    await context.abandon()
    await give_back(context, everything=False)
    context.remember(replace(context.record, sandboxed=False))
