"""Make what a Pod's containers share: cgroup, sandbox, volumes, host names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec

from grandstand.engine import CLUSTER_DOMAIN
from grandstand.errors import GrandstandError
from grandstand.kinds import Object, Pod

from .context import PodContext
from .environment import MissingSource
from .fields import NoSuchField
from .limits import pod_limits
from .network import HostPort, Sandbox, SandboxSpec, hosts_file, resolv_conf
from .records import all_containers
from .security import Disallowed, sysctls
from .unsupported import unsupported
from .volumes import BadHostPath, EmptyDir, Source, Unsupported, source_of

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 120.0
SHARED_MEMORY_BYTES = 64 * 1024 * 1024


async def prepare(context: PodContext) -> None:
    """Until it is done, however often it takes; what goes wrong is said in events."""
    await asyncio.gather(_retried(context, _sandbox), _retried(context, _volumes))
    context.prepared.set()
    context.remember(replace(context.record, sandboxed=True))


def refuse(context: PodContext) -> bool:
    """Whether this node cannot run the Pod as it is written: then its containers say so, for ever."""
    refused = refusals(context.pod, context.object["spec"])
    if not refused:
        return False
    context.refused = True
    for container in all_containers(context.pod):
        context.hold(container.name, "CreateContainerConfigError", refused, None)
    context.event("Warning", "Failed", f"Error: {refused}")
    return True


def refusals(pod: Pod, spec: Object) -> str:
    """Why this node cannot run a Pod as it is written; "" when it can."""
    problems = unsupported(spec)
    try:
        sysctls(pod)
    except Disallowed as error:
        problems.append(str(error))
    return "; ".join(problems)


async def _retried(context: PodContext, make: Callable[[PodContext], Awaitable[None]]) -> None:
    pause = FIRST_RETRY_SECONDS
    while True:
        try:
            return await make(context)
        except _Failed as failure:
            context.event("Warning", failure.reason, failure.message)
        if context.record.ending_since is not None:
            return None
        await context.sources_changed.wait(context.parts.clock.now() + pause)
        pause = min(pause * 2, LAST_RETRY_SECONDS)


class _Failed(Exception):
    """One attempt failed; `reason` is the event's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


async def _sandbox(context: PodContext) -> None:
    try:
        context.parts.cgroups.create_pod(context.parts.cgroup(context.uid), pod_limits(context.pod))
        sandbox = context.sandbox or await context.parts.network.create(sandbox_spec(context.pod))
        context.sandbox = sandbox
        await asyncio.to_thread(_write_names, context, sandbox)
    except (GrandstandError, OSError) as error:
        raise _Failed("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}") from error


def sandbox_spec(pod: Pod) -> SandboxSpec:
    """What the network makes for a Pod. Raises Disallowed for its sysctls."""
    ports = [port for container in all_containers(pod) for port in container.ports if port.host_port]
    return SandboxSpec(
        pod_uid=pod.metadata.uid,
        hostname=hostname(pod),
        host_network=pod.spec.host_network,
        host_ipc=pod.spec.host_ipc,
        sysctls=dict(sysctls(pod)),
        host_ports=()
        if pod.spec.host_network
        else tuple(HostPort(p.host_ip, p.host_port or 0, p.container_port, p.protocol) for p in ports),
    )


def hostname(pod: Pod) -> str:
    """`spec.hostname`, or the Pod's name, cut to what a host name may be."""
    return (pod.spec.hostname or pod.metadata.name)[:63].rstrip("-.")


def _write_names(context: PodContext, sandbox: Sandbox) -> None:
    """/etc/hosts, /etc/hostname and /etc/resolv.conf, and the shared memory of a Pod of several containers."""
    pod = context.pod
    directory = context.directory / "etc"
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    fqdn = ""
    if pod.spec.subdomain:
        fqdn = f"{sandbox.hostname}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{CLUSTER_DOMAIN}"
    files = {
        "hosts": hosts_file(sandbox, fqdn, pod.spec.host_aliases),
        "hostname": f"{sandbox.hostname}\n",
        "resolv.conf": resolv_conf(
            context.parts.engine,
            pod.metadata.namespace,
            pod.spec.dns_policy,
            pod.spec.dns_config,
            host_network=pod.spec.host_network,
        ),
    }
    for name, text in files.items():
        (directory / name).write_text(text)
    if len(all_containers(pod)) > 1 and not pod.spec.host_ipc:
        context.volumes.prepare_shared_memory(SHARED_MEMORY_BYTES)


async def _volumes(context: PodContext) -> None:
    try:
        context.volume_sources = await volume_sources(context)
        await asyncio.to_thread(context.volumes.prepare, context.pod, context.volume_sources)
    except (BadHostPath, OSError) as error:
        raise _Failed("FailedMount", f"MountVolume.SetUp failed: {error}") from error


async def volume_sources(context: PodContext) -> dict[str, Source]:
    """What each volume is made of now. Raises _Failed with the volume's name."""
    found: dict[str, Source] = {}
    sources = await context.sources.of(context.pod)
    for volume in context.pod.spec.volumes:
        try:
            found[volume["name"]] = source_of(volume, context.pod, sources, context.place)
        except (MissingSource, NoSuchField, Unsupported, ValueError, msgspec.MsgspecError) as error:
            message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
            raise _Failed("FailedMount", message) from error
    return found


async def refresh(context: PodContext) -> None:
    """Bring ConfigMap, Secret and downward API volumes up to date. Where a source is gone, the files stay."""
    if not context.prepared.is_set():
        return
    try:
        context.volume_sources = await volume_sources(context)
    except _Failed as failure:
        context.event("Warning", failure.reason, failure.message)
        return
    await asyncio.to_thread(context.volumes.refresh, context.pod, context.volume_sources)


def full_volumes(context: PodContext) -> str | None:
    """What to say of an emptyDir that holds more than its limit, or None. Blocks."""
    for volume in context.pod.spec.volumes:
        source = context.volume_sources.get(volume["name"])
        if not isinstance(source, EmptyDir) or source.in_memory or source.size_bytes is None:
            continue
        if context.volumes.used_bytes(volume["name"]) > source.size_bytes:
            limit = volume["emptyDir"]["sizeLimit"]
            return f'Usage of EmptyDir volume "{volume["name"]}" exceeds the limit "{limit}". '
    return None
