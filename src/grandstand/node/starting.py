"""Start a container of a Pod: image, environment, mounts, runtime, postStart hook, probes."""

from __future__ import annotations

import asyncio

from grandstand.errors import CreateContainerError, GrandstandError, RuntimeFailure
from grandstand.kinds import Container, Probe

from .back_off import retry_at, tried
from .checks import Outcome, Target, check
from .container_spec import Made, container_spec, stop_signal
from .context import PodContext
from .environment import MissingSource, environment, expand
from .exits import watch_exit
from .fields import NoSuchField
from .hooks import run_hook
from .images import Image, ImageError
from .log_paths import log_path, remove_older_runs, termination_path
from .prober import Prober, Report
from .probes import Kind, Verdict, probes_of
from .records import Ended, Happening
from .runtime import Mount
from .security import Disallowed, check_not_root, user_text
from .volumes import BadSubPath

_CONFIGURATION = (MissingSource, NoSuchField, Disallowed, BadSubPath)
START_FAILED_CODE = 128
"""What Kubernetes shows as the exit code of a program that could not be started."""


async def start_container(context: PodContext, name: str) -> None:
    """One attempt; the container's record already says STARTING. What goes wrong ends in the record."""
    container = context.container(name)
    try:
        image = await _image(context, container)
    except ImageError as error:
        return _not_pulled(context, container, error)
    await context.prepared.wait()
    if context.record.ending_since is not None:
        context.change(name, Happening.ABANDONED)
        return None
    # From here on it is carried to its end: a container half made would be hard to find again.
    context.spawn_steady(_start(context, container, image), f"starting container {name}")
    return None


async def _image(context: PodContext, container: Container) -> Image:
    images, policy = context.parts.images, container.image_pull_policy
    if policy != "Always":
        found = await asyncio.to_thread(images.find, container.image)
        if found is not None:
            message = f'Container image "{container.image}" already present on machine'
            context.event("Normal", "Pulled", message, container)
            return found
    if policy != "Never":
        context.event("Normal", "Pulling", f'Pulling image "{container.image}"', container)
    begun = context.parts.clock.monotonic()
    image = await images.resolve(container.image, policy)
    seconds = context.parts.clock.monotonic() - begun
    message = f'Successfully pulled image "{container.image}" in {seconds:.3f}s. Image size: {image.size_bytes} bytes.'
    context.event("Normal", "Pulled", message, container)
    return image


def _not_pulled(context: PodContext, container: Container, error: ImageError) -> None:
    now = context.parts.clock.now()
    back_off = tried(context.state(container.name).pull_back_off, now)
    context.event("Warning", *_pull_event(container.image, error), container)
    context.event("Warning", "Failed", f"Error: {error.reason}", container)
    if error.reason == "ErrImagePull":
        context.event("Normal", "BackOff", f'Back-off pulling image "{container.image}"', container)
    context.change(container.name, pull_back_off=back_off)
    context.hold(container.name, error.reason, str(error), now + back_off.seconds)


def _pull_event(image: str, error: ImageError) -> tuple[str, str]:
    """Reason and message, as the kubelet has them."""
    match error.reason:
        case "ErrImageNeverPull":
            return "ErrImageNeverPull", str(error)
        case "InvalidImageName":
            return "InspectFailed", f'Failed to apply default image tag "{image}": {error}'
    return "Failed", f'Failed to pull image "{image}": {error}'


async def _start(context: PodContext, container: Container, image: Image) -> None:
    name, runtime, now = container.name, context.parts.runtime, context.parts.clock.now()
    container_id = context.parts.clock.uid().replace("-", "")
    run = context.state(name).runs + 1
    # The first start of all is no retry: the first restart comes at once.
    back_off = tried(context.state(name).back_off, now) if run > 1 else context.state(name).back_off
    context.change(name, id=container_id, image_id=image.id, stop_signal=stop_signal(container, image.config))
    try:
        made = await _make(context, container, image, container_id, run)
        assert context.sandbox is not None
        await runtime.create(container_spec(context.pod, container, image.config, context.sandbox, made))
        context.event("Normal", "Created", f"Created container: {name}", container)
        started_at = await runtime.start(container_id)
    except _CONFIGURATION as error:
        await discard(context, container_id)
        context.event("Warning", "Failed", f"Error: {error}", container)
        context.hold(name, "CreateContainerConfigError", str(error), None)
    except (GrandstandError, OSError) as error:
        await discard(context, container_id)
        context.change(name, back_off=back_off, runs=run)
        _not_started(context, container, error, now)
    else:
        context.event("Normal", "Started", f"Started container {name}", container)
        _started(context, container, started_at, run)
        context.change(name, back_off=back_off)


async def discard(context: PodContext, container_id: str) -> None:
    """Remove a run of a container and its root; what fails here is tried again when the Pod ends."""
    try:
        await context.parts.runtime.remove(container_id)
        await context.parts.rootfs.unmount(container_id)
    except (GrandstandError, OSError) as error:
        context.event("Warning", "FailedCleanup", f"container {container_id} could not be removed yet: {error}")


def _not_started(context: PodContext, container: Container, error: Exception, begun: float) -> None:
    """A container that could not be created waits; one whose program could not be started has ended, with code 128."""
    reason = error.reason if isinstance(error, RuntimeFailure) else "CreateContainerError"
    context.event("Warning", "Failed", f"Error: {error}", container)
    state, now = context.state(container.name), context.parts.clock.now()
    if isinstance(error, CreateContainerError) or not isinstance(error, RuntimeFailure):
        context.hold(container.name, reason, str(error), retry_at(state.back_off, now))
        return
    end = Ended(state.id, START_FAILED_CODE, "ContainerCannotRun", now, begun, message=str(error))
    restarts = state.restarts + (state.ended is not None)
    context.change(
        container.name, Happening.BROKEN, ended=end, ended_before=state.ended, waiting=None, restarts=restarts
    )


async def _make(context: PodContext, container: Container, image: Image, container_id: str, run: int) -> Made:
    """Everything that the spec names. Raises the errors of `_CONFIGURATION`, GrandstandError and OSError."""
    check_not_root(context.pod, container, image.config.user)
    sources = await context.sources.of(context.pod)
    found = environment(context.pod, container, sources, context.place)
    if found.skipped:
        message = (
            f"Keys {list(found.skipped)} from an envFrom source were skipped: they are no environment variable names."
        )
        context.event("Warning", "InvalidEnvironmentVariableNames", message, container)
    root = await context.parts.rootfs.mount(container_id, image)
    mounts = await asyncio.to_thread(_mounts, context, container, run, dict(found.variables))
    return Made(
        id=container_id,
        rootfs=root,
        user=context.parts.resolve_user(root, user_text(context.pod, container, image.config.user)),
        variables=found.variables,
        mounts=mounts,
        log_path=log_path(context.directory, container.name, run),
        cgroup=f"{context.parts.cgroup(context.uid)}/{container_id}",
        memory_capacity_bytes=context.parts.capacity.memory_bytes,
    )


def _mounts(context: PodContext, container: Container, run: int, variables: dict[str, str]) -> tuple[Mount, ...]:
    """Volumes, and the files that the node gives every container; a volume at the same place wins."""
    log = log_path(context.directory, container.name, run)
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    remove_older_runs(context.directory, container.name, run)
    own = {"/etc/hosts": "hosts", "/etc/hostname": "hostname", "/etc/resolv.conf": "resolv.conf"}
    read_only = container.security_context.read_only_root_filesystem
    given = [Mount(context.directory / "etc" / file, target, read_only) for target, file in own.items()]
    if container.termination_message_path:
        message = termination_path(context.directory, container.name, run)
        message.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        message.touch(exist_ok=True)
        message.chmod(0o666)
        given.append(Mount(message, container.termination_message_path))
    if context.pod.spec.host_ipc:
        given.append(Mount(context.volumes.host_shared_memory, "/dev/shm"))  # noqa: S108
    elif context.volumes.shared_memory.is_mount():
        given.append(Mount(context.volumes.shared_memory, "/dev/shm"))  # noqa: S108
    volumes = context.volumes.mounts_of(
        context.pod, container, context.volume_sources, lambda text: expand(text, variables)
    )
    taken = {mount.target.rstrip("/") for mount in volumes}
    return (*(mount for mount in given if mount.target not in taken), *volumes)


def _started(context: PodContext, container: Container, started_at: float, run: int) -> None:
    state = context.state(container.name)
    context.change(
        container.name,
        Happening.STARTED,
        started_at=started_at,
        runs=run,
        restarts=state.restarts + (state.ended is not None),
        waiting=None,
        must_end=None,
        hook_over=False,
        started=False,
        ready=False,
    )
    observe(context, container)


def observe(context: PodContext, container: Container) -> None:
    """Wait for the end of a container that runs, and watch it with its probes once its postStart hook is over."""
    name = container.name
    context.exits[name] = asyncio.Event()
    context.spawn(watch_exit(context, container, context.state(name).id), f"watching container {name}")
    if container.lifecycle.post_start is not None and not context.state(name).hook_over:
        context.spawn_patient(_post_start(context, container), f"postStart hook of container {name}")
    else:
        _hook_over(context, container)


async def _post_start(context: PodContext, container: Container) -> None:
    handler, name = container.lifecycle.post_start, container.name
    run = context.state(name).id
    assert handler is not None
    outcome = await run_hook(handler, _target(context, container), context.parts.clock, None)
    if context.state(name).id != run or not context.state(name).alive:
        return
    if outcome.success:
        _hook_over(context, container)
        return
    context.event("Warning", "FailedPostStartHook", f"PostStartHook failed: {outcome.message}", container)
    context.change(name, must_end=f"Container {name} failed: PostStartHook failed")


def _target(context: PodContext, container: Container) -> Target:
    address = context.sandbox.address if context.sandbox else ""
    return Target(container, address, context.exec_in(container.name))


def _hook_over(context: PodContext, container: Container) -> None:
    name, target = container.name, _target(context, container)

    async def look(probe: Probe) -> Outcome:
        return await check(probe, target, probe.timeout_seconds)

    prober = Prober(
        f"{context.name}/{name}", look, context.parts.clock, lambda report: on_report(context, container, report)
    )
    context.probers[name] = prober
    probes = probes_of(container)
    state = context.state(name)
    started = state.started or Kind.STARTUP not in probes
    ready = state.ready or (started and not {Kind.READINESS, Kind.PORT} & probes.keys())
    context.change(name, hook_over=True, started=started, ready=ready)
    prober.start(probes, started=started, ready=ready)


def on_report(context: PodContext, container: Container, report: Report) -> None:
    """Take in what a probe found."""
    name = container.name
    match report.kind, report.verdict:
        case kind, None:
            context.event("Warning", "Unhealthy", f"{kind.value} probe failed: {report.message}", container)
        case Kind.STARTUP, Verdict.GOOD:
            waits = {Kind.READINESS, Kind.PORT} & probes_of(container).keys()
            context.change(name, started=True, ready=not waits)
        case ((Kind.READINESS | Kind.PORT), verdict):
            context.change(name, ready=verdict is Verdict.GOOD)
        case (Kind.STARTUP | Kind.LIVENESS) as kind, Verdict.BAD:
            message = f"Container {name} failed {kind.value.lower()} probe, will be restarted"
            context.change(name, must_end=message)
