"""Read the logs of this node's containers for the API, with the words that Kubernetes has for what cannot be read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from grandstand.errors import BadRequest, NotFound
from grandstand.kinds import Key, Pod

from .context import PodContext
from .log_files import read
from .log_paths import log_path
from .records import ContainerRecord, Step, all_containers
from .status_containers import shown_container


class Options(Protocol):
    """What a log may be asked for (`api.logs.LogOptions`). `since` is wall-clock seconds, `tail` a number of lines."""

    @property
    def container(self) -> str: ...
    @property
    def follow(self) -> bool: ...
    @property
    def previous(self) -> bool: ...
    @property
    def timestamps(self) -> bool: ...
    @property
    def since(self) -> float | None: ...
    @property
    def tail(self) -> int | None: ...
    @property
    def limit_bytes(self) -> int | None: ...


class NodeLogs:
    """`find` gives what the node knows of a Pod: `Agent.pod`."""

    def __init__(self, find: Callable[[Key], PodContext | None]) -> None:
        self._find = find

    async def read(self, namespace: str, name: str, options: Options) -> AsyncGenerator[bytes, None]:
        """Yield the log in pieces of any size. Raises BadRequest and NotFound with the first piece."""
        context = self._find(Key(namespace, name))
        if context is None:
            raise NotFound(f'pod "{name}" has no containers on this node yet: it is not assigned to it')
        container = chosen_container(context.pod, options.container)
        state = context.state(container)
        run = run_to_read(context, container, state, previous=options.previous)
        follow = options.follow and not options.previous and state.alive
        lines = read(
            log_path(context.directory, container, run),
            tail=options.tail,
            since=options.since,
            limit_bytes=options.limit_bytes,
            timestamps=options.timestamps,
            follow=follow,
            exited=context.exits[container].wait() if follow else None,
        )
        async with aclosing(lines):
            async for piece in lines:
                yield piece


def chosen_container(pod: Pod, asked: str) -> str:
    """The container that is meant. Raises BadRequest when that is not clear."""
    name, names = pod.metadata.name, [container.name for container in all_containers(pod)]
    if asked:
        if asked not in names:
            raise BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    main = [container.name for container in pod.spec.containers]
    if len(names) == 1:
        return names[0]
    message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]"
    if pod.spec.init_containers:
        initial = " ".join(container.name for container in pod.spec.init_containers)
        message += f" or one of the init containers: [{initial}]"
    raise BadRequest(message)


def run_to_read(context: PodContext, container: str, state: ContainerRecord, *, previous: bool) -> int:
    """Which run's log is meant. Raises BadRequest where there is none."""
    pod = context.pod.metadata.name
    newest = state.runs
    if previous:
        before = newest - 1 if state.alive or state.step is Step.EXITED else newest
        if before < 1:
            raise BadRequest(f'previous terminated container "{container}" in pod "{pod}" not found')
        return before
    if newest < 1:
        shown = shown_container(context.pod, context.container(container), context.record, context.parts.clock.now())
        reason = shown.waiting.reason if shown.waiting else "ContainerCreating"
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            reason = "trying and failing to pull image"
        raise BadRequest(f'container "{container}" in pod "{pod}" is waiting to start: {reason}')
    return newest
